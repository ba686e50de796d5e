/* SPDX-License-Identifier: MIT */
/*
 * errno.c - a call that succeeds leaves errno alone, whatever it does on the way: some programs look at it.
 */
#include "tests/conformance/conformance.h"
#include <aio.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *name_of(int error) {
    return error == ERRNO_KEPT ? "kept" : strerrorname_np(error) ? strerrorname_np(error) : "?";
}

/* A call that returns a number, or a pointer. */
#define NUMBER(call)                                                                           \
    do {                                                                                       \
        errno = ERRNO_KEPT;                                                                    \
        long value = (long)(call);                                                             \
        outcome("errno", #call, "%s, %s", value == -1 ? "fails" : "succeeds", name_of(errno)); \
    } while (0)
#define POINTER(call)                                                                    \
    do {                                                                                 \
        errno = ERRNO_KEPT;                                                              \
        const void *value = (call);                                                      \
        outcome("errno", #call, "%s, %s", value ? "succeeds" : "fails", name_of(errno)); \
    } while (0)

static int s, u, l, c, set, early, pipes[2], unix_pair[2], pair[2], fd, on = 1, value, file;
static char data[4096];
static socklen_t length;
static union address address, name;
static struct epoll_event event = {.events = EPOLLIN};
static struct iovec piece = {data, 5};
static uint16_t port;

static void name_again(void) {
    length = sizeof name;
    name = (union address){.any = {.sa_family = AF_INET}};
}

static void making(void) {
    early = epoll_create1(0);
    NUMBER(s = socket(family, SOCK_STREAM, 0));
    NUMBER(u = socket(family, SOCK_DGRAM, 0));
    NUMBER(l = socket(AF_INET6, SOCK_STREAM, 0));
    NUMBER(c = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    NUMBER(fd = socket(AF_UNIX, SOCK_STREAM, 0));
    NUMBER(close(fd));
    NUMBER(fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    NUMBER(bind(fd, (struct sockaddr *)&any, sizeof any));
    struct {
        struct nlmsghdr header;
        struct rtgenmsg message;
    } request = {{sizeof request, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
    NUMBER(send(fd, &request, sizeof request, 0));
    NUMBER(recv(fd, data, sizeof data, 0));
    NUMBER(close(fd));
    NUMBER(set = epoll_create1(0));
    NUMBER(fd = epoll_create(1));
    NUMBER(close(fd));
    NUMBER(fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
    NUMBER(syscall(SYS_close, fd));
}

static void options(void) {
    NUMBER(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    NUMBER(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    NUMBER(setsockopt(s, SOL_SOCKET, SO_PRIORITY, &on, sizeof on));
    NUMBER(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &(int){65536}, sizeof on));
    NUMBER(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof on));
    NUMBER(setsockopt(u, IPPROTO_IP, IP_RECVERR, &on, sizeof on));
    length = sizeof value;
    NUMBER(getsockopt(s, SOL_SOCKET, SO_TYPE, &value, &length));
    NUMBER(getsockopt(s, SOL_SOCKET, SO_ERROR, &value, &length));
    NUMBER(getsockopt(l, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &value, &length));
    NUMBER(getsockopt(s, IPPROTO_TCP, TCP_MAXSEG, &value, &length));
    NUMBER(fcntl(s, F_GETFL));
    NUMBER(fcntl(s, F_SETFL, O_RDWR));
    NUMBER(fcntl(s, F_GETFD));
    NUMBER(fcntl(s, F_SETFD, FD_CLOEXEC));
    NUMBER(fcntl(s, F_SETOWN, getpid()));
    NUMBER(ioctl(s, FIONBIO, &(int){0}));
    NUMBER(ioctl(s, FIOASYNC, &(int){0}));
    NUMBER(ioctl(s, FIOCLEX));
}

static void connecting(void) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    NUMBER(bind(l, (struct sockaddr *)&any, sizeof any));
    NUMBER(listen(l, 5));
    name_again();
    NUMBER(getsockname(l, &name.any, &length));
    close(l);
    l = make_listener(&port);
    address = address_of(own, port);
    NUMBER(connect(s, &address.any, address_length));
    name_again();
    NUMBER(pair[1] = accept(l, &name.any, &length));
    NUMBER(connect(c, &address.any, address_length));
    await(l, POLLIN);
    NUMBER(fd = accept4(l, NULL, NULL, SOCK_NONBLOCK));
    NUMBER(close(fd));
    name_again();
    NUMBER(getsockname(s, &name.any, &length));
    NUMBER(getpeername(s, &name.any, &length));
    pair[0] = make_datagram(&port);
    address = address_of(own, port);
    NUMBER(connect(u, &address.any, address_length));
    NUMBER(fd = socket(family, SOCK_DGRAM, 0));
    union address loopback = address_of(loopback_host(), htons(9));
    NUMBER(sendto(fd, "x", 1, 0, &loopback.any, address_length));
    NUMBER(close(fd));
    int heard = socket(family, SOCK_STREAM, 0);
    loopback.in.sin_port = 0;
    NUMBER(bind(heard, &loopback.any, address_length));
    listen(heard, 1);
    length = sizeof loopback;
    getsockname(heard, &loopback.any, &length);
    fd = socket(family, SOCK_STREAM, 0);
    NUMBER(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    NUMBER(connect(fd, &loopback.any, address_length));
    NUMBER(close(fd));
    close(heard);
}

static void readiness(void) {
    pipe(pipes);
    NUMBER(epoll_ctl(early, EPOLL_CTL_ADD, s, &event));
    NUMBER(epoll_ctl(early, EPOLL_CTL_ADD, u, &event));
    NUMBER(epoll_ctl(set, EPOLL_CTL_ADD, pipes[0], &event));
    NUMBER(epoll_ctl(set, EPOLL_CTL_ADD, s, &event));
    NUMBER(epoll_ctl(set, EPOLL_CTL_MOD, s, &event));
    NUMBER(epoll_ctl(set, EPOLL_CTL_ADD, early, &event));
    NUMBER(epoll_wait(set, &event, 1, 0));
    NUMBER(epoll_wait(set, &event, 1, 20));
    NUMBER(epoll_pwait(early, &event, 1, 20, NULL));
    NUMBER(epoll_pwait2(early, &event, 1, &(struct timespec){0, 20000000}, NULL));
    struct pollfd fds[] = {{s, POLLIN, 0}, {pipes[0], POLLIN, 0}, {set, POLLIN, 0}};
    NUMBER(poll(fds, 3, 0));
    NUMBER(poll(fds, 3, 20));
    NUMBER(ppoll(fds, 3, &(struct timespec){0, 20000000}, NULL));
    fd_set in;
    FD_ZERO(&in);
    FD_SET(s, &in);
    FD_SET(set, &in);
    NUMBER(select(set + 1, &in, NULL, NULL, &(struct timeval){0, 20000}));
    FD_SET(s, &in);
    NUMBER(pselect(s + 1, &in, NULL, NULL, &(struct timespec){0, 20000000}, NULL));
    write(pair[1], "hello", 5);
    NUMBER(epoll_wait(set, &event, 1, 1000));
    NUMBER(poll(fds, 3, 1000));
    NUMBER(recv(s, data, 5, MSG_PEEK));
    NUMBER(recv(s, data, 5, 0));
    NUMBER(epoll_ctl(set, EPOLL_CTL_DEL, early, NULL));
    NUMBER(epoll_ctl(early, EPOLL_CTL_DEL, s, NULL));
    NUMBER(fd = dup(early));
    NUMBER(dup2(early, 90));
    NUMBER(close(90));
    NUMBER(close(fd));
    NUMBER(close(early));
    NUMBER(close(set));
}

static void *write_later(void *unused) {
    usleep(50000);
    write(pair[1], "later", 5);
    return unused;
}

static void transfers(void) {
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    struct mmsghdr messages[3] = {{message, 0}, {message, 0}, {message, 0}};
    pthread_t thread;
    NUMBER(write(s, "hello", 5));
    NUMBER(read(pair[1], data, 5));
    NUMBER(writev(s, &piece, 1));
    NUMBER(readv(pair[1], &piece, 1));
    NUMBER(send(s, "hello", 5, MSG_MORE));
    NUMBER(recv(pair[1], data, 5, MSG_WAITALL));
    NUMBER(sendto(s, "hello", 5, 0, NULL, 0));
    NUMBER(recvfrom(pair[1], data, 5, 0, NULL, NULL));
    NUMBER(sendmsg(s, &message, 0));
    NUMBER(recvmsg(pair[1], &message, 0));
    NUMBER(pwritev2(s, &piece, 1, -1, 0));
    NUMBER(preadv2(pair[1], &piece, 1, -1, 0));
    NUMBER(dprintf(s, "%s", "hello"));
    NUMBER(ioctl(pair[1], FIONREAD, &value));
    settle();
    NUMBER(read(pair[1], data, 5));
    pthread_create(&thread, NULL, write_later, NULL);
    NUMBER(recv(s, data, 5, 0));
    pthread_join(thread, NULL);
    NUMBER(sendmmsg(u, messages, 2, 0));
    settle();
    NUMBER(recvmmsg(pair[0], messages, 3, MSG_DONTWAIT, NULL));
    NUMBER(recvmmsg(s, messages, 0, 0, NULL));
    NUMBER(read(s, data, 0));
    file = open("/etc/passwd", O_RDONLY);
    NUMBER(sendfile(s, file, NULL, 20));
    write(pipes[1], "hello", 5);
    NUMBER(splice(pipes[0], NULL, s, NULL, 5, 0));
    settle();
    NUMBER(splice(pair[1], NULL, pipes[1], NULL, 5, 0));
    NUMBER(read(pair[1], data, sizeof data));
    struct aiocb block = {.aio_fildes = s, .aio_buf = data, .aio_nbytes = 5};
    const struct aiocb *blocks[] = {&block};
    NUMBER(aio_write(&block));
    NUMBER(aio_suspend(blocks, 1, NULL));
    NUMBER(aio_return(&block));
}

static void send_right(int passed, int close_it) {
    char control[CMSG_SPACE(sizeof passed)] = {0};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(sizeof passed), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &passed, sizeof passed);
    NUMBER(sendmsg(unix_pair[0], &message, 0));
    message.msg_controllen = sizeof control;
    NUMBER(recvmsg(unix_pair[1], &message, 0));
    memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof passed);
    if (close_it)
        NUMBER(close(passed));
}

static void descriptors(void) {
    int status;
    pid_t child;
    NUMBER(fd = dup(s));
    NUMBER(close(fd));
    NUMBER(dup2(s, 60));
    NUMBER(dup2(pipes[0], 60));
    NUMBER(dup3(s, 60, O_CLOEXEC));
    NUMBER(close(60));
    NUMBER(fd = fcntl(s, F_DUPFD_CLOEXEC, 50));
    NUMBER(close(fd));
    NUMBER(fcntl(s, F_DUPFD, 55));
    NUMBER(close_range(55, 58, 0));
    socketpair(AF_UNIX, SOCK_STREAM, 0, unix_pair);
    send_right(s, 1);
    send_right(pipes[0], 1);
    send_right(epoll_create1(0), 1);
    int pidfd = pidfd_open(getpid(), 0);
    NUMBER(fd = pidfd_getfd(pidfd, s, 0));
    NUMBER(close(fd));
    NUMBER(fd = pidfd_getfd(pidfd, pipes[0], 0));
    close(fd);
    FILE *stream;
    fd = dup(s);
    POINTER(stream = fdopen(fd, "w"));
    NUMBER(fputs("hello", stream));
    NUMBER(fflush(stream));
    NUMBER(fclose(stream));
    POINTER(stream = popen("true", "r"));
    NUMBER(pclose(stream));
    fflush(stdout);
    errno = ERRNO_KEPT;
    child = fork();
    if (child == 0)
        _exit(errno != ERRNO_KEPT);
    outcome("errno", "fork", "%s", name_of(errno));
    waitpid(child, &status, 0);
    outcome("errno", "fork, in the child", "%d", status);
    char *arguments[] = {"true", NULL};
    NUMBER(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ));
    waitpid(child, &status, 0);
    NUMBER(posix_spawnp(&child, "true", NULL, NULL, arguments, environ));
    waitpid(child, &status, 0);
}

static void nothing(int signal) {
    (void)signal;
}

static void others(void) {
    struct sigaction action = {.sa_handler = nothing};
    struct rlimit limit;
    struct addrinfo *found, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct ifaddrs *interfaces;
    struct if_nameindex *names;
    char text[IF_NAMESIZE], host[100], service[40];
    NUMBER(sigaction(SIGUSR1, &action, NULL));
    POINTER(signal(SIGUSR1, nothing));
    NUMBER(raise(SIGUSR1));
    NUMBER(getrlimit(RLIMIT_NOFILE, &limit));
    NUMBER(setrlimit(RLIMIT_NOFILE, &limit));
    NUMBER(prlimit(0, RLIMIT_NOFILE, NULL, &limit));
    NUMBER(prctl(PR_GET_DUMPABLE));
    NUMBER(setuid(getuid()));
    NUMBER(getaddrinfo("10.77.0.2", "80", &hints, &found));
    NUMBER(getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, service, sizeof service,
                       NI_NUMERICHOST | NI_NUMERICSERV));
    POINTER(gethostbyname("10.77.0.2"));
    NUMBER(getifaddrs(&interfaces));
    freeifaddrs(interfaces);
    POINTER(names = if_nameindex());
    NUMBER(if_nametoindex(names->if_name));
    POINTER(if_indextoname(names->if_index, text));
    struct ifreq request = {0};
    strcpy(request.ifr_name, names->if_name);
    NUMBER(ioctl(s, SIOCGIFFLAGS, &request));
    NUMBER(shutdown(s, SHUT_WR));
    NUMBER(close(s));
    NUMBER(close(u));
    NUMBER(close(c));
    NUMBER(close(l));
    NUMBER(close(pair[1]));
    NUMBER(close_range(100, 120, 0));
}

void test_errno(void) {
    making();
    options();
    connecting();
    readiness();
    transfers();
    descriptors();
    others();
}
