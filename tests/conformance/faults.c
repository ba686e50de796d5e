/* SPDX-License-Identifier: MIT */
/*
 * faults.c - calls with pointers to memory that is not there, not all there, or may not be written: EFAULT,
 * what was before the bad page counts, and nothing is lost.
 *
 * Each case is a process of its own, so that one which ends by a signal says so. What select(2), ppoll and
 * pselect are given libc looks at itself: they are called by their numbers.
 */
#include "tests/conformance/conformance.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define HERE 200 /* bytes that wait to be read, of a stream and of a datagram */

/* What a case has: both ends of a connection, two datagram sockets, a listener with a connection that waits,
 * a fresh socket, an epoll set, a pipe, a file. */
static int s, peer, u, u_peer, l, waiting, fresh, fresh_u, set, pipes[2], file;
static char data[65536];
static union address to_u, to_l, name;
static socklen_t length;
static struct iovec piece = {data, 50}, two[2];
static struct msghdr message;
static struct mmsghdr messages[2];
static struct epoll_event event = {.events = EPOLLIN};
static struct timespec no_time;

static void on_fault(int signal) {
    (void)signal;
    _exit(99);
}

static struct msghdr *with_piece(struct iovec *pieces, size_t count) {
    message = (struct msghdr){.msg_iov = pieces, .msg_iovlen = count};
    return &message;
}

static struct msghdr *with_name(void *of, socklen_t bytes) {
    with_piece(&piece, 1)->msg_name = of;
    message.msg_namelen = bytes;
    return &message;
}

static struct msghdr *with_control(void *control, size_t bytes) {
    with_piece(&piece, 1)->msg_control = control;
    message.msg_controllen = bytes;
    return &message;
}

static struct iovec *good_and(void *bad, size_t bytes) {
    two[0] = (struct iovec){data, 10};
    two[1] = (struct iovec){bad, bytes};
    return two;
}

static struct iovec *just(void *bad, size_t bytes) {
    two[0] = (struct iovec){bad, bytes};
    return two;
}

static struct sock_fprog *program_of(void *instructions) {
    static struct sock_fprog program;
    program = (struct sock_fprog){1, instructions};
    return &program;
}

static socklen_t *room(socklen_t bytes) {
    length = bytes;
    return &length;
}

static void *several(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        messages[i] = (struct mmsghdr){*with_piece(&piece, 1), 0};
    return messages;
}

/* A call with a bad pointer `p` to an object of so many bytes, which `good` says what it would be. */
#define CALLS(CALL)                                                                                      \
    CALL(read, 100, data, read(s, p, 100))                                                               \
    CALL(read more than there is, 400, data, read(s, p, 400))                                            \
    CALL(recv, 100, data, recv(s, p, 100, 0))                                                            \
    CALL(recv peek, 100, data, recv(s, p, 100, MSG_PEEK))                                                \
    CALL(recv all, 200, data, recv(s, p, 200, MSG_WAITALL))                                              \
    CALL(recv trunc, 100, data, recv(s, p, 100, MSG_TRUNC))                                              \
    CALL(recvfrom buffer, 100, data, recvfrom(s, p, 100, 0, NULL, NULL))                                 \
    CALL(recvfrom name, address_length, &name, recvfrom(s, data, 50, 0, p, room(address_length)))        \
    CALL(recvfrom length, sizeof length, room(address_length), recvfrom(s, data, 50, 0, &name.any, p))   \
    CALL(recvmsg, sizeof message, with_piece(&piece, 1), recvmsg(s, p, 0))                               \
    CALL(recvmsg pieces, sizeof piece, &piece, recvmsg(s, with_piece(p, 1), 0))                          \
    CALL(recvmsg buffer, 100, data, recvmsg(s, with_piece(just(p, 100), 1), 0))                          \
    CALL(recvmsg second buffer, 100, data, recvmsg(s, with_piece(good_and(p, 100), 2), 0))               \
    CALL(recvmsg name, address_length, &name, recvmsg(s, with_name(p, address_length), 0))               \
    CALL(recvmsg control, 64, data, recvmsg(s, with_control(p, 64), 0))                                  \
    CALL(readv pieces, sizeof piece, &piece, readv(s, p, 1))                                             \
    CALL(readv buffer, 100, data, readv(s, just(p, 100), 1))                                             \
    CALL(preadv2 pieces, sizeof piece, &piece, preadv2(s, p, 1, -1, 0))                                  \
    CALL(recvmmsg, sizeof *messages, several(1), recvmmsg(s, p, 1, MSG_DONTWAIT, NULL))                  \
    CALL(recvmmsg time, sizeof no_time, &no_time, recvmmsg(s, several(1), 1, MSG_DONTWAIT, p))           \
    CALL(write, 100, data, write(s, p, 100))                                                             \
    CALL(write long, 8000, data, write(s, p, 8000))                                                      \
    CALL(send, 100, data, send(s, p, 100, 0))                                                            \
    CALL(send oob, 1, data, send(s, p, 1, MSG_OOB))                                                      \
    CALL(send after shutdown, 100, data, (shutdown(s, SHUT_WR), send(s, p, 100, MSG_NOSIGNAL)))          \
    CALL(send unconnected, 100, data, send(fresh, p, 100, MSG_NOSIGNAL))                                 \
    CALL(sendto name, address_length, &to_u, sendto(s, data, 10, 0, p, address_length))                  \
    CALL(sendmsg, sizeof message, with_piece(&piece, 1), sendmsg(s, p, 0))                               \
    CALL(sendmsg pieces, sizeof piece, &piece, sendmsg(s, with_piece(p, 1), 0))                          \
    CALL(sendmsg buffer, 100, data, sendmsg(s, with_piece(just(p, 100), 1), 0))                          \
    CALL(sendmsg second buffer, 100, data, sendmsg(s, with_piece(good_and(p, 100), 2), 0))               \
    CALL(sendmsg name, address_length, &to_u, sendmsg(s, with_name(p, address_length), 0))               \
    CALL(sendmsg control, 64, data, sendmsg(s, with_control(p, 64), 0))                                  \
    CALL(writev pieces, sizeof piece, &piece, writev(s, p, 1))                                           \
    CALL(writev second buffer, 100, data, writev(s, good_and(p, 100), 2))                                \
    CALL(pwritev2 pieces, sizeof piece, &piece, pwritev2(s, p, 1, -1, 0))                                \
    CALL(sendmmsg, sizeof *messages, several(1), sendmmsg(s, p, 1, 0))                                   \
    CALL(udp read, 100, data, read(u, p, 100))                                                           \
    CALL(udp recv, 200, data, recv(u, p, 200, MSG_DONTWAIT))                                             \
    CALL(udp recv peek, 200, data, recv(u, p, 200, MSG_PEEK))                                            \
    CALL(udp recv trunc, 100, data, recv(u, p, 100, MSG_TRUNC))                                          \
    CALL(udp recvfrom name, address_length, &name, recvfrom(u, data, 50, 0, p, room(address_length)))    \
    CALL(udp recvfrom length, sizeof length, room(address_length),                                       \
         recvfrom(u, data, 50, 0, (void *)&name, p))                                                     \
    CALL(udp recvmsg, sizeof message, with_piece(&piece, 1), recvmsg(u, p, 0))                           \
    CALL(udp recvmsg pieces, sizeof piece, &piece, recvmsg(u, with_piece(p, 1), 0))                      \
    CALL(udp recvmsg second buffer, 190, data, recvmsg(u, with_piece(good_and(p, 190), 2), 0))           \
    CALL(udp recvmsg name, address_length, &name, recvmsg(u, with_name(p, address_length), 0))           \
    CALL(udp recvmsg control, 64, data, recvmsg(u, with_control(p, 64), 0))                              \
    CALL(udp recvmmsg, sizeof *messages, several(1), recvmmsg(u, p, 1, MSG_DONTWAIT, NULL))              \
    CALL(udp recv nothing, 100, data, recv(fresh_u, p, 100, MSG_DONTWAIT))                               \
    CALL(udp send, 100, data, send(u, p, 100, 0))                                                        \
    CALL(udp send long, 8000, data, send(u, p, 8000, 0))                                                 \
    CALL(udp send too long, 66000, data, send(u, p, 66000, 0))                                           \
    CALL(udp send unconnected, 100, data, send(fresh_u, p, 100, 0))                                      \
    CALL(udp sendto name, address_length, &to_u, sendto(fresh_u, data, 10, 0, p, address_length))        \
    CALL(udp sendto buffer, 100, data, sendto(fresh_u, p, 100, 0, (void *)&to_u, address_length))        \
    CALL(udp sendmsg pieces, sizeof piece, &piece, sendmsg(u, with_piece(p, 1), 0))                      \
    CALL(udp sendmsg second buffer, 100, data, sendmsg(u, with_piece(good_and(p, 100), 2), 0))           \
    CALL(udp sendmsg name, address_length, &to_u, sendmsg(fresh_u, with_name(p, address_length), 0))     \
    CALL(udp sendmmsg, sizeof *messages, several(1), sendmmsg(u, p, 1, 0))                               \
    CALL(accept name, address_length, &name, accept(l, p, room(address_length)))                         \
    CALL(accept length, sizeof length, room(address_length), accept(l, (void *)&name, p))                \
    CALL(accept4 name, address_length, &name, accept4(l, p, room(address_length), SOCK_NONBLOCK))        \
    CALL(connect, address_length, &to_l, connect(fresh, p, address_length))                              \
    CALL(connect short, 8, &to_l, connect(fresh, p, 8))                                                  \
    CALL(connect too long, 1000, data, connect(fresh, p, 1000))                                          \
    CALL(connect again, address_length, &to_l, connect(s, p, address_length))                            \
    CALL(udp connect, address_length, &to_u, connect(fresh_u, p, address_length))                        \
    CALL(bind, address_length, &own_any, bind(fresh, p, address_length))                                 \
    CALL(udp bind, address_length, &own_any, bind(fresh_u, p, address_length))                           \
    CALL(getsockname, address_length, &name, getsockname(s, p, room(address_length)))                    \
    CALL(getsockname length, sizeof length, room(address_length), getsockname(s, (void *)&name, p))      \
    CALL(getsockname no room, address_length, &name, getsockname(s, p, room(0)))                         \
    CALL(getpeername, address_length, &name, getpeername(s, p, room(address_length)))                    \
    CALL(getpeername unconnected, address_length, &name, getpeername(fresh, p, room(address_length)))    \
    CALL(getsockopt SO_TYPE, 4, data, getsockopt(s, SOL_SOCKET, SO_TYPE, p, room(4)))                    \
    CALL(getsockopt SO_TYPE length, 4, room(4), getsockopt(s, SOL_SOCKET, SO_TYPE, data, p))             \
    CALL(getsockopt SO_ERROR, 4, data, getsockopt(s, SOL_SOCKET, SO_ERROR, p, room(4)))                  \
    CALL(getsockopt SO_LINGER, 8, data, getsockopt(s, SOL_SOCKET, SO_LINGER, p, room(8)))                \
    CALL(getsockopt TCP_INFO, 100, data, getsockopt(s, IPPROTO_TCP, TCP_INFO, p, room(100)))             \
    CALL(getsockopt TCP_NODELAY, 4, data, getsockopt(s, IPPROTO_TCP, TCP_NODELAY, p, room(4)))           \
    CALL(getsockopt IP_TTL, 4, data, getsockopt(s, IPPROTO_IP, IP_TTL, p, room(4)))                      \
    CALL(getsockopt none such, 4, data, getsockopt(s, IPPROTO_TCP, 9999, p, room(4)))                    \
    CALL(setsockopt SO_KEEPALIVE, 4, &one, setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, p, 4))                \
    CALL(setsockopt SO_KEEPALIVE short, 2, &one, setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, p, 2))          \
    CALL(setsockopt SO_LINGER, 8, data, setsockopt(s, SOL_SOCKET, SO_LINGER, p, 8))                      \
    CALL(setsockopt SO_RCVTIMEO, 16, data, setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, p, 16))                \
    CALL(setsockopt TCP_NODELAY, 4, &one, setsockopt(s, IPPROTO_TCP, TCP_NODELAY, p, 4))                 \
    CALL(setsockopt TCP_CONGESTION, 4, "reno", setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, p, 4))         \
    CALL(setsockopt IP_TOS, 4, &one, setsockopt(s, IPPROTO_IP, IP_TOS, p, 4))                            \
    CALL(setsockopt IP_TOS short, 1, &one, setsockopt(s, IPPROTO_IP, IP_TOS, p, 1))                      \
    CALL(setsockopt filter, 16, program_of(&passes), setsockopt(u, SOL_SOCKET, SO_ATTACH_FILTER, p, 16)) \
    CALL(setsockopt instructions, 8, &passes,                                                            \
         setsockopt(u, SOL_SOCKET, SO_ATTACH_FILTER, program_of(p), 16))                                 \
    CALL(poll, sizeof look, &look, poll(p, 1, 0))                                                        \
    CALL(ppoll time, sizeof no_time, &no_time, syscall(SYS_ppoll, &look, 1, p, NULL, 8))                 \
    CALL(ppoll mask, 8, data, syscall(SYS_ppoll, &look, 1, &no_time, p, 8))                              \
    CALL(select, 128, set_of(s), syscall(SYS_select, s + 1, p, NULL, NULL, &(struct timeval){0, 0}))     \
    CALL(select out, 128, set_of(s), syscall(SYS_select, s + 1, NULL, p, NULL, &(struct timeval){0, 0})) \
    CALL(select time, 16, data, syscall(SYS_select, s + 1, set_of(s), NULL, NULL, p))                    \
    CALL(pselect mask, 16, data, syscall(SYS_pselect6, s + 1, set_of(s), NULL, NULL, &no_time, p))       \
    CALL(epoll_ctl add, sizeof event, &event, epoll_ctl(set, EPOLL_CTL_ADD, u, p))                       \
    CALL(epoll_ctl modify, sizeof event, &event, epoll_ctl(set, EPOLL_CTL_MOD, s, p))                    \
    CALL(epoll_ctl delete, sizeof event, &event, epoll_ctl(set, EPOLL_CTL_DEL, s, p))                    \
    CALL(epoll_wait, sizeof event, &event, epoll_wait(set, p, 1, 0))                                     \
    CALL(epoll_wait and again, sizeof event, &event,                                                     \
         (epoll_wait(set, p, 1, 0), epoll_wait(set, &event, 1, 0)))                                      \
    CALL(epoll_wait edge and again, sizeof event, &event,                                                \
         (epoll_ctl(set, EPOLL_CTL_MOD, s, &(struct epoll_event){EPOLLIN | EPOLLET, {0}}),               \
          epoll_wait(set, p, 1, 0), epoll_wait(set, &event, 1, 0)))                                      \
    CALL(epoll_wait once and again, sizeof event, &event,                                                \
         (epoll_ctl(set, EPOLL_CTL_MOD, s, &(struct epoll_event){EPOLLIN | EPOLLONESHOT, {0}}),          \
          epoll_wait(set, p, 1, 0), epoll_wait(set, &event, 1, 0)))                                      \
    CALL(epoll_pwait2 time, sizeof no_time, &no_time, epoll_pwait2(set, &event, 1, p, NULL))             \
    CALL(ioctl FIONREAD, 4, data, ioctl(s, FIONREAD, p))                                                 \
    CALL(ioctl FIONBIO, 4, data, ioctl(s, FIONBIO, p))                                                   \
    CALL(ioctl FIOASYNC, 4, data, ioctl(s, FIOASYNC, p))                                                 \
    CALL(ioctl SIOCATMARK, 4, data, ioctl(s, SIOCATMARK, p))                                             \
    CALL(ioctl SIOCGIFINDEX, sizeof(struct ifreq), "lo", ioctl(s, SIOCGIFINDEX, p))                      \
    CALL(ioctl SIOCGIFCONF, sizeof(struct ifconf), &(struct ifconf){0}, ioctl(s, SIOCGIFCONF, p))        \
    CALL(ioctl SIOCGIFCONF list, 40, data, ioctl(s, SIOCGIFCONF, &((struct ifconf){40, {p}})))           \
    CALL(fcntl F_SETOWN_EX, sizeof owner, &owner, fcntl(s, F_SETOWN_EX, p))                              \
    CALL(fcntl F_GETOWN_EX, sizeof owner, &owner, fcntl(s, F_GETOWN_EX, p))                              \
    CALL(sendfile offset, 8, data, sendfile(s, file, p, 10))                                             \
    CALL(splice offset, 8, data, splice(s, p, pipes[1], NULL, 10, 0))

static union address own_any;
static int one = 1;
static struct sock_filter passes = {BPF_RET | BPF_K, 0, 0, 0xffffffff};
static struct pollfd look = {0, POLLIN, 0};
static struct f_owner_ex owner = {F_OWNER_PID, 0};

static fd_set *set_of(int fd) {
    static fd_set in;
    FD_ZERO(&in);
    FD_SET(fd, &in);
    return &in;
}

static void make_all(void) {
    uint16_t port;
    int pair[2];
    make_pair(pair);
    s = pair[0];
    peer = pair[1];
    u = make_datagram(&port);
    to_u = address_of(own, port);
    u_peer = make_datagram(&port);
    name = address_of(own, port);
    connect(u_peer, &to_u.any, address_length);
    connect(u, &name.any, address_length);
    l = make_listener(&port);
    to_l = address_of(own, port);
    waiting = socket(family, SOCK_STREAM, 0);
    connect(waiting, &to_l.any, address_length);
    fresh = socket(family, SOCK_STREAM, 0);
    fresh_u = socket(family, SOCK_DGRAM, 0);
    own_any = address_of(own, 0);
    set = epoll_create1(0);
    epoll_ctl(set, EPOLL_CTL_ADD, s, &event);
    look.fd = s;
    owner.pid = getpid();
    pipe(pipes);
    file = open("/etc/passwd", O_RDONLY);
    setsockopt(u, IPPROTO_IP, IP_RECVTTL, &one, sizeof one);
    write(peer, data, HERE);
    write(u_peer, data, HERE);
    await(s, POLLIN);
    await(u, POLLIN);
    await(l, POLLIN);
}

/* Memory for the bad pointer: `bytes` of an object, which are `good`, and where there is room for them. */
enum kind { NONE, WILD, KERNELS, GONE, HALF, READ_ONLY, CUT, KINDS };
static const char *const kinds[KINDS] = {"NULL", "wild", "the kernel's", "gone", "half", "read-only", "cut"};

static void *place(enum kind kind, const void *good, size_t bytes) {
    size_t room_bytes = (bytes + PAGE - 1) / PAGE * PAGE;
    int prot = PROT_READ | PROT_WRITE;
    if (kind == NONE)
        return NULL;
    if (kind == WILD)
        return (void *)1;
    if (kind == KERNELS)
        return (void *)0xffff888000000000ul;
    char name_of[] = "/tmp/barewire-faults-XXXXXX";
    int backing = kind == CUT ? mkstemp(name_of) : -1;
    if (kind == CUT) {
        unlink(name_of);
        ftruncate(backing, (off_t)room_bytes * 2);
    }
    char *at =
        mmap(NULL, room_bytes * 2, prot, kind == CUT ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, backing, 0);
    char *object = kind == HALF ? at + room_bytes - bytes / 2 : kind == READ_ONLY ? at : at + room_bytes;
    memcpy(object, good, bytes);
    if (kind == CUT)
        ftruncate(backing, (off_t)room_bytes);
    else if (kind == READ_ONLY)
        mprotect(at, room_bytes, PROT_READ);
    else
        mprotect(at + room_bytes, room_bytes, PROT_NONE);
    return object;
}

/* What is left to be read, and whether a connection waits to be accepted. */
static void say(const char *call, enum kind kind, long value) {
    char text[120];
    const char *said = result(value);
    int left = -1, left_u = -1;
    ioctl(s, FIONREAD, &left);
    ioctl(u, FIONREAD, &left_u);
    snprintf(text, sizeof text, "%s, %s", call, kinds[kind]);
    nonblocking(l, true);
    outcome("fault", text, "%s; %d and %d bytes are left, %s", said, left, left_u,
            accept(l, NULL, NULL) >= 0 ? "a connection" : "none");
}

/* Bytes of a value are compared as numbers where the two stacks differ in them. */
static long plain(const char *call, long value) {
    bool descriptor = strncmp(call, "accept", 6) == 0;
    return descriptor && value > 0 ? 0 : value;
}

static void in_child(const char *call, enum kind kind, void (*run)(enum kind kind, const char *call)) {
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        signal(SIGSEGV, on_fault);
        signal(SIGBUS, on_fault);
        make_all();
        run(kind, call);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    char text[120];
    snprintf(text, sizeof text, "%s, %s", call, kinds[kind]);
    if (WIFSIGNALED(status))
        outcome("fault", text, "ended by %s", strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        outcome("fault", text, "the program's handler ran");
}

void test_faults(void) {
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7);
    memset(data, 0, 64);
#define CASE(call, bytes, good, expression)               \
    {                                                     \
        void run(enum kind kind, const char *named) {     \
            void *p = place(kind, good, bytes);           \
            say(named, kind, plain(named, (expression))); \
        }                                                 \
        for (enum kind kind = NONE; kind < KINDS; kind++) \
            in_child(#call, kind, run);                   \
    }
    CALLS(CASE)
}
