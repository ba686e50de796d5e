/* SPDX-License-Identifier: MIT */
/*
 * ways.c - other ways to the same: aio(7), system calls by their number, and MSG_PEEK that moves on
 * (SO_PEEK_OFF).
 */
#include "tests/conformance/conformance.h"
#include <aio.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals, code, told;
static volatile int calls;

static void on_signal(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    code = info->si_code;
    told = info->si_value.sival_int;
    signals++;
}

static void on_thread(union sigval value) {
    told = value.sival_int;
    __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
}

static void wait_until(const volatile int *counter, int count) {
    for (int i = 0; i < 500 && *counter < count; i++)
        settle();
}

static struct aiocb block(int fd, void *buffer, size_t length) {
    return (struct aiocb){.aio_fildes = fd,
                          .aio_buf = buffer,
                          .aio_nbytes = length,
                          .aio_sigevent = {.sigev_notify = SIGEV_NONE}};
}

static long suspend(const struct aiocb *one, long ms) {
    const struct aiocb *list[] = {one};
    return aio_suspend(list, 1, &(struct timespec){ms / 1000, ms % 1000 * 1000000});
}

static const char *error_name(const struct aiocb *one) {
    int error = aio_error(one);
    errno = error;
    return error ? result(-1) : "0";
}

static void aio_one_by_one(void) {
    int pair[2];
    char in[64] = "", more[64] = "";
    make_pair(pair);
    struct aiocb read_one = block(pair[0], in, sizeof in);
    outcome("aio", "read of nothing", "%s", result(aio_read(&read_one)));
    outcome("aio", "error meanwhile", "%s", error_name(&read_one));
    outcome("aio", "suspend meanwhile", "%s", result(suspend(&read_one, 50)));
    outcome("aio", "cancel what runs", "%d", aio_cancel(pair[0], &read_one) == AIO_NOTCANCELED);
    struct aiocb second = block(pair[0], more, 4);
    outcome("aio", "second read", "%s", result(aio_read(&second)));
    write(pair[1], "hello", 5);
    outcome("aio", "suspend", "%s", result(suspend(&read_one, 2000)));
    outcome("aio", "error", "%s", error_name(&read_one));
    outcome("aio", "return", "%s %s", result(aio_return(&read_one)), in);
    outcome("aio", "the second waits", "%s", error_name(&second));
    write(pair[1], "world", 5);
    outcome("aio", "suspend of the second", "%s", result(suspend(&second, 2000)));
    outcome("aio", "return of the second", "%s %s", result(aio_return(&second)), more);
    struct aiocb write_one = block(pair[0], "abc", 3);
    outcome("aio", "write", "%s", result(aio_write(&write_one)));
    outcome("aio", "suspend of a write", "%s", result(suspend(&write_one, 2000)));
    outcome("aio", "return of a write", "%s", result(aio_return(&write_one)));
    outcome("aio", "cancel what has ended", "%d", aio_cancel(pair[0], &write_one) == AIO_ALLDONE);
    outcome("aio", "what came", "%s %.3s", result(recv(pair[1], in, sizeof in, 0)), in);
    struct aiocb sync_one = block(pair[0], NULL, 0);
    outcome("aio", "fsync", "%s", result(aio_fsync(O_SYNC, &sync_one)));
    suspend(&sync_one, 2000);
    outcome("aio", "error of fsync", "%s", error_name(&sync_one));
    outcome("aio", "fsync of nothing known", "%s", result(aio_fsync(77, &sync_one)));
    struct aiocb rest = block(pair[0], more, 1);
    aio_read(&rest);
    suspend(&rest, 2000);
    outcome("aio", "the rest", "%s %.1s", result(aio_return(&rest)), more);
    struct aiocb last = block(pair[0], in, sizeof in);
    aio_read(&last);
    close(pair[1]);
    suspend(&last, 2000);
    outcome("aio", "end of file", "%s", result(aio_return(&last)));
    struct aiocb closed = block(pair[0], "x", 1);
    write(pair[0], "x", 1);
    settle();
    aio_write(&closed);
    suspend(&closed, 2000);
    outcome("aio", "write to what is closed", "%s", error_name(&closed));
    struct aiocb urgent = block(pair[0], "x", 1);
    urgent.aio_reqprio = -1;
    outcome("aio", "priority below 0", "%s", result(aio_write(&urgent)));
    close(pair[0]);
}

static void aio_queue(void) {
    int pair[2];
    char in[3][8];
    struct aiocb blocks[3];
    make_pair(pair);
    for (int i = 0; i < 3; i++) {
        blocks[i] = block(pair[0], in[i], 1);
        aio_read(&blocks[i]);
    }
    settle();
    outcome("aio queue", "cancel one", "%d", aio_cancel(pair[0], &blocks[2]) == AIO_CANCELED);
    outcome("aio queue", "its error", "%s", error_name(&blocks[2]));
    outcome("aio queue", "its return", "%s", result(aio_return(&blocks[2])));
    outcome("aio queue", "cancel all", "%d", aio_cancel(pair[0], NULL) == AIO_NOTCANCELED);
    outcome("aio queue", "error of the second", "%s", error_name(&blocks[1]));
    write(pair[1], "xyz", 3);
    outcome("aio queue", "suspend of the first", "%s", result(suspend(&blocks[0], 2000)));
    outcome("aio queue", "return of the first", "%s %.1s", result(aio_return(&blocks[0])), in[0]);
    outcome("aio queue", "the rest is there", "%s", result(recv(pair[0], in[1], 8, MSG_DONTWAIT)));
    outcome("aio queue", "cancel of another's", "%s", result(aio_cancel(pair[1], &blocks[0])));
    close(pair[0]);
    close(pair[1]);
}

static void aio_told(void) {
    int pair[2];
    char in[8];
    make_pair(pair);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    signals = 0;
    struct aiocb one = block(pair[0], in, 8);
    one.aio_sigevent =
        (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
    aio_read(&one);
    write(pair[1], "s", 1);
    wait_until((const volatile int *)&signals, 1);
    outcome("aio told", "by a signal", "%d %d %d %s", (int)signals, code == SI_ASYNCIO, (int)told,
            result(aio_return(&one)));
    calls = 0;
    one.aio_sigevent = (struct sigevent){
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread, .sigev_value.sival_int = 43};
    aio_read(&one);
    write(pair[1], "tt", 2);
    wait_until(&calls, 1);
    outcome("aio told", "by a thread", "%d %d %s", calls, (int)told, result(aio_return(&one)));
    close(pair[0]);
    close(pair[1]);
}

static void aio_lists(void) {
    int pair[2], file = memfd_create("file", 0);
    char in[8] = "", from_file[8] = "";
    make_pair(pair);
    write(file, "filed", 5);
    write(pair[1], "sent", 4);
    struct aiocb reads = block(pair[0], in, 8), writes = block(pair[0], "out", 3),
                 mixed = block(file, from_file, 8), nothing = block(-1, NULL, 0);
    reads.aio_lio_opcode = mixed.aio_lio_opcode = LIO_READ;
    writes.aio_lio_opcode = LIO_WRITE;
    nothing.aio_lio_opcode = LIO_NOP;
    struct aiocb *list[] = {&reads, NULL, &writes, &mixed, &nothing};
    outcome("aio list", "wait", "%s", result(lio_listio(LIO_WAIT, list, 5, NULL)));
    outcome("aio list", "what was read", "%s %s", result(aio_return(&reads)), in);
    outcome("aio list", "of a file", "%s %s", result(aio_return(&mixed)), from_file);
    outcome("aio list", "what was written", "%s", result(aio_return(&writes)));
    outcome("aio list", "what came", "%s", result(recv(pair[1], in, 8, 0)));
    calls = 0;
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread, .sigev_value.sival_int = 44};
    struct aiocb *again[] = {&reads, &writes};
    outcome("aio list", "do not wait", "%s", result(lio_listio(LIO_NOWAIT, again, 2, &event)));
    outcome("aio list", "what runs", "%s", error_name(&reads));
    write(pair[1], "last", 4);
    wait_until(&calls, 1);
    outcome("aio list", "told", "%d %d %s", calls, (int)told, error_name(&reads));
    outcome("aio list", "another mode", "%s", result(lio_listio(99, again, 2, NULL)));
    struct aiocb later = block(pair[0], in, 8);
    aio_read(&later);
    const struct aiocb *both[] = {&later, &mixed};
    outcome("aio list", "suspend with one that has ended", "%s", result(aio_suspend(both, 2, NULL)));
    write(pair[1], "x", 1);
    outcome("aio list", "suspend", "%s", result(suspend(&later, 2000)));
    close(pair[0]);
    close(pair[1]);
    close(file);
}

static void numbers_of_waits(void) {
    int pair[2], set = (int)syscall(SYS_epoll_create1, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7}, got = {0};
    uint64_t mask = 1u << (SIGUSR1 - 1);
    make_pair(pair);
    struct pollfd poll_fd = {.fd = pair[0], .events = POLLIN};
    outcome("syscall", "epoll_ctl", "%s",
            result(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, pair[0], &event)));
    for (int ready = 0; ready < 2; ready++) {
        const char *when = ready ? "syscall with data" : "syscall without data";
        struct timespec limit = {0, 30000000};
        struct timeval old_limit = {0, 30000};
        struct {
            const void *set;
            size_t size;
        } pack = {&mask, sizeof mask};
        fd_set in;
        if (ready) {
            write(pair[1], "x", 1);
            await(pair[0], POLLIN);
        }
#ifdef SYS_poll
        outcome(when, "poll", "%s %d", result(syscall(SYS_poll, &poll_fd, 1, 30)), poll_fd.revents);
        FD_ZERO(&in);
        FD_SET(pair[0], &in);
        outcome(when, "select", "%s %d, %s left",
                result(syscall(SYS_select, pair[0] + 1, &in, 0, 0, &old_limit)), FD_ISSET(pair[0], &in) != 0,
                old_limit.tv_usec > 0 ? "time" : "nothing");
        outcome(when, "epoll_wait", "%s", result(syscall(SYS_epoll_wait, set, &got, 1, 30)));
#endif
        outcome(when, "ppoll", "%s %d, %s left", result(syscall(SYS_ppoll, &poll_fd, 1, &limit, &mask, 8L)),
                poll_fd.revents, limit.tv_nsec > 0 ? "time" : "nothing");
        limit = (struct timespec){0, 30000000};
        FD_ZERO(&in);
        FD_SET(pair[0], &in);
        outcome(when, "pselect6", "%s %d, %s left",
                result(syscall(SYS_pselect6, pair[0] + 1, &in, 0, 0, &limit, &pack)),
                FD_ISSET(pair[0], &in) != 0, limit.tv_nsec > 0 ? "time" : "nothing");
        got.data.u64 = 0;
        outcome(when, "epoll_pwait", "%s %d", result(syscall(SYS_epoll_pwait, set, &got, 1, 30L, &mask, 8L)),
                (int)got.data.u64);
        limit = (struct timespec){0, 30000000};
        outcome(when, "epoll_pwait2", "%s",
                result(syscall(SYS_epoll_pwait2, set, &got, 1, &limit, NULL, 8L)));
    }
    close(pair[0]);
    close(pair[1]);
    close(set);
}

static void numbers_of_others(void) {
    int pair[2], file = memfd_create("file", 0), pipes[2], waiting = 0;
    char data[16] = "";
    struct iovec piece = {data, sizeof data};
    make_pair(pair);
    write(file, "0123456789", 10);
    pipe(pipes);
    int copy = (int)syscall(SYS_dup, pair[0]);
    outcome("syscall", "dup and write", "%s", result(syscall(SYS_write, copy, "ab", 2)));
    outcome("syscall", "dup3", "%s", result(syscall(SYS_dup3, pair[0], copy, O_CLOEXEC) == copy));
    outcome("syscall", "fcntl F_GETFD", "%s", result(syscall(SYS_fcntl, copy, F_GETFD)));
    outcome("syscall", "fcntl F_SETFL", "%s", result(syscall(SYS_fcntl, copy, F_SETFL, O_NONBLOCK)));
    outcome("syscall", "read of nothing", "%s", result(syscall(SYS_read, copy, data, 8)));
    outcome("syscall", "close", "%s", result(syscall(SYS_close, copy)));
    outcome("syscall", "write after it", "%s", result(syscall(SYS_write, copy, "x", 1)));
    await(pair[1], POLLIN);
    outcome("syscall", "ioctl FIONREAD", "%s %d", result(syscall(SYS_ioctl, pair[1], FIONREAD, &waiting)),
            waiting);
    outcome("syscall", "preadv2", "%s", result(syscall(SYS_preadv2, pair[1], &piece, 1, -1L, -1L, 0)));
    piece.iov_len = 2;
    outcome("syscall", "pwritev2", "%s", result(syscall(SYS_pwritev2, pair[1], &piece, 1, -1L, -1L, 0)));
    outcome("syscall", "pwritev2 at a place", "%s",
            result(syscall(SYS_pwritev2, pair[1], &piece, 1, 5L, 0L, 0)));
    off_t from = 3;
    outcome("syscall", "sendfile", "%s %d", result(syscall(SYS_sendfile, pair[1], file, &from, 4)),
            (int)from);
    await(pair[0], POLLIN);
    outcome("syscall", "splice", "%s", result(syscall(SYS_splice, pair[0], 0, pipes[1], 0, 2, 0)));
    settle();
    outcome("syscall", "recvfrom", "%s",
            result(syscall(SYS_recvfrom, pair[0], data, 16, MSG_DONTWAIT, 0, 0)));
    outcome("syscall", "close_range", "%s", result(syscall(SYS_close_range, pair[0], pair[0], 0)));
    outcome("syscall", "the peer's end", "%s", result(read(pair[1], data, 16)));
    close(pair[1]);
    close(file);
    close(pipes[0]);
    close(pipes[1]);
}

static void peek(const char *group, int fd, size_t length, int flags, const char *name) {
    char data[32] = "";
    struct iovec piece = {data, length};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    long got = recvmsg(fd, &header, flags | MSG_DONTWAIT);
    const char *said = result(got);
    int at = -99;
    socklen_t size = sizeof at;
    getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &at, &size);
    outcome(group, name, "%s \"%.*s\"%s, then at %d", said, got > 0 ? (int)got : 0, data,
            header.msg_flags & MSG_TRUNC ? " cut off" : "", at);
}

static void set_offset(const char *group, int fd, int at) {
    char name[32];
    snprintf(name, sizeof name, "offset %d", at);
    outcome(group, name, "%s", result(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &at, sizeof at)));
}

static void peek_all(const char *group, int fd, int from) {
    peek(group, fd, 4, MSG_PEEK, "look before");
    set_offset(group, fd, 2);
    peek(group, fd, 3, MSG_PEEK, "look at 3");
    peek(group, fd, 3, MSG_PEEK, "look at 3 more");
    peek(group, fd, 20, MSG_PEEK, "look at the rest");
    peek(group, fd, 20, MSG_PEEK, "look once more");
    peek(group, fd, 20, MSG_PEEK, "look behind the end");
    set_offset(group, fd, 6);
    peek(group, fd, 4, 0, "read 4");
    peek(group, fd, 20, MSG_PEEK, "look after it");
    peek(group, fd, 2, MSG_PEEK | MSG_TRUNC, "look by MSG_TRUNC");
    set_offset(group, fd, 1);
    peek(group, fd, 2, MSG_PEEK | MSG_TRUNC, "look by MSG_TRUNC at 1");
    peek(group, fd, 20, 0, "read 20");
    write(from, "more", 4);
    await(fd, POLLIN);
    peek(group, fd, 20, MSG_PEEK, "look at what came");
    set_offset(group, fd, -1);
    peek(group, fd, 20, MSG_PEEK, "look without");
    peek(group, fd, 20, MSG_PEEK, "look without again");
}

static void peek_offsets(void) {
    int pair[2];
    uint16_t port, peer;
    make_pair(pair);
    write(pair[1], "abcdefghijklmnop", 16);
    await(pair[0], POLLIN);
    peek_all("peek tcp", pair[0], pair[1]);
    int fd = make_datagram(&port), from = make_datagram(&peer);
    union address address = address_of(own, port);
    connect(from, &address.any, address_length);
    write(from, "abcdef", 6);
    write(from, "", 0);
    write(from, "ghij", 4);
    await(fd, POLLIN);
    settle();
    peek_all("peek udp", fd, from);
    close(pair[0]);
    close(pair[1]);
    close(fd);
    close(from);
}

/* Whether one datagram of that length is queued, and a second. */
static void overfull(int type, int protocol, const char *name, size_t length) {
    static char data[65536];
    uint16_t port = 0;
    int least = 0, got = 0;
    int in = type == SOCK_DGRAM ? make_datagram(&port) : socket(family, type, protocol);
    int out = socket(family, type, protocol);
    union address address = address_of(own, port);
    setsockopt(in, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    for (int i = 0; i < 2; i++)
        sendto(out, data, length, 0, &address.any, address_length);
    settle();
    while (recv(in, data, sizeof data, MSG_DONTWAIT) >= 0)
        got++;
    outcome("longer than SO_RCVBUF", name, "%d", got);
    close(in);
    close(out);
}

/* What a datagram that has come brings with it. */
static const char *told_with(int fd) {
    static char text[200];
    char data[16], control[256];
    struct iovec piece = {data, sizeof data};
    struct msghdr header = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    sprintf(text, "%s", result((int)recvmsg(fd, &header, MSG_DONTWAIT)));
    for (struct cmsghdr *told = CMSG_FIRSTHDR(&header); told; told = CMSG_NXTHDR(&header, told)) {
        int64_t times[6] = {0};
        memcpy(times, CMSG_DATA(told), told->cmsg_len - CMSG_LEN(0));
        bool late = labs(times[0] - time(NULL)) > 2;
        sprintf(text + strlen(text), "; %d of %zu, %s, %d %d", told->cmsg_type, told->cmsg_len - CMSG_LEN(0),
                late ? "another time" : "now", times[2] != 0, times[4] != 0);
    }
    return text;
}

/* SO_TIMESTAMP, SO_TIMESTAMPNS and SO_TIMESTAMPING side by side. Whether times are told that nobody asked to be taken
 * depends on other programs, and is not looked at. */
static void times_of_arrival(void) {
    static const int kinds[] = {0, SO_TIMESTAMP, SO_TIMESTAMPNS};
    static const int flags[] = {SOF_TIMESTAMPING_SOFTWARE, SOF_TIMESTAMPING_RX_SOFTWARE,
                                SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE};
    for (int i = 0; i < 9; i++) {
        int kind = kinds[i / 3], on = 1, how = flags[i % 3];
        uint16_t port = 0;
        char name[40];
        if (!kind && how == SOF_TIMESTAMPING_SOFTWARE)
            continue;
        int in = make_datagram(&port), out = socket(family, SOCK_DGRAM, 0);
        union address address = address_of(own, port);
        if (kind)
            setsockopt(in, SOL_SOCKET, kind, &on, sizeof on);
        setsockopt(in, SOL_SOCKET, SO_TIMESTAMPING, &how, sizeof how);
        sendto(out, "hello", 5, 0, &address.any, address_length);
        settle();
        sprintf(name, "option %d, flags %d", kind, how);
        outcome("time of arrival", name, "%s", told_with(in));
        close(in);
        close(out);
    }
}

static void names_of_raw_sockets(void) {
    int fd = socket(family, SOCK_RAW, 99);
    union address address = address_of(own, 0), told;
    socklen_t length = sizeof told;
    outcome("raw", "connect", "%s", result(connect(fd, &address.any, address_length)));
    const char *first = result(getsockname(fd, &told.any, &length));
    outcome("raw", "getsockname", "%s, port %d", first, ntohs(told.in.sin_port));
    length = sizeof told;
    outcome("raw", "getpeername", "%s", result(getpeername(fd, &told.any, &length)));
    outcome("raw", "shutdown", "%s", result(shutdown(fd, SHUT_RDWR)));
    outcome("raw", "send after it", "%s", result(send(fd, "hello", 5, MSG_NOSIGNAL)));
    close(fd);
}

static void bound_by_ipv4(void) {
    union address address = {.in = {.sin_family = AF_INET}};
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        int fd = socket(AF_INET6, type, 0);
        outcome("AF_INET6 bound to an AF_INET address", type == SOCK_STREAM ? "tcp" : "udp", "%s",
                result(bind(fd, &address.any, sizeof address.in)));
        outcome("AF_INET6 bound to an AF_INET address", type == SOCK_STREAM ? "tcp, long" : "udp, long", "%s",
                result(bind(fd, &address.any, sizeof address.in6)));
        close(fd);
    }
}

void test_ways(void) {
    overfull(SOCK_DGRAM, 0, "udp", 5000);
    overfull(SOCK_RAW, 99, "raw", 5000);
    if (!is_mapped()) /* Linux's raw sockets of AF_INET6 send no IPv4 */
        names_of_raw_sockets();
    bound_by_ipv4();
    times_of_arrival();
    aio_one_by_one();
    aio_queue();
    aio_told();
    aio_lists();
    numbers_of_waits();
    numbers_of_others();
    peek_offsets();
}
