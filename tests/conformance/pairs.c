/* SPDX-License-Identifier: MIT */
/*
 * pairs.c - splice(2), sendfile(2), tee(2), vmsplice(2) and copy_file_range(2) from every kind of descriptor
 * to every other; and read(2), write(2) and their kin on what is none of theirs.
 */
#include "tests/conformance/conformance.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define DATA "abcdefgh"
#define LENGTH 8

struct end {
    int fd;    /* what the call is about */
    int other; /* what is written there comes from fd; what fd gets is read there; or -1 */
    int third;
};

static volatile sig_atomic_t broken_pipes;

static void count_signal(int signal) {
    (void)signal;
    broken_pipes++;
}

static void pipe_with_data(struct end *end) {
    int fds[2];
    pipe(fds);
    write(fds[1], DATA, LENGTH);
    *end = (struct end){fds[0], -1, fds[1]};
}

static void pipe_empty(struct end *end) {
    int fds[2];
    pipe(fds);
    *end = (struct end){fds[0], -1, fds[1]};
}

static void pipe_ended(struct end *end) {
    int fds[2];
    pipe(fds);
    close(fds[1]);
    *end = (struct end){fds[0], -1, -1};
}

static void pipe_to_write(struct end *end) {
    int fds[2];
    pipe(fds);
    *end = (struct end){fds[1], fds[0], -1};
}

static void pipe_full(struct end *end) {
    int fds[2];
    static char data[65536];
    pipe(fds);
    write(fds[1], data, sizeof data);
    *end = (struct end){fds[1], -1, fds[0]};
}

static void pipe_broken(struct end *end) {
    int fds[2];
    pipe(fds);
    close(fds[0]);
    *end = (struct end){fds[1], -1, -1};
}

static int make_file(int flags) {
    char name[] = "/tmp/barewire-pairs-XXXXXX", path[40];
    int made = mkstemp(name);
    write(made, DATA, LENGTH);
    snprintf(path, sizeof path, "/proc/self/fd/%d", made);
    int fd = open(path, flags);
    unlink(name);
    close(made);
    return fd;
}

static void file_to_read(struct end *end) {
    *end = (struct end){make_file(O_RDONLY), -1, -1};
}

static void file_to_write(struct end *end) {
    *end = (struct end){make_file(O_RDWR | O_TRUNC), -1, -1};
}

static void file_to_append(struct end *end) {
    *end = (struct end){make_file(O_RDWR | O_APPEND), -1, -1};
}

static void device_null(struct end *end) {
    *end = (struct end){open("/dev/null", O_RDWR), -1, -1};
}

static void device_zero(struct end *end) {
    *end = (struct end){open("/dev/zero", O_RDWR), -1, -1};
}

static void terminal(struct end *end) {
    struct termios raw;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(master);
    unlockpt(master);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    tcgetattr(slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    write(master, DATA, LENGTH);
    *end = (struct end){slave, master, -1};
}

static void counter(struct end *end) {
    *end = (struct end){eventfd(1, 0), -1, -1};
}

static void unix_stream(struct end *end) {
    int fds[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    write(fds[1], DATA, LENGTH);
    *end = (struct end){fds[0], fds[1], -1};
}

static void set_timeouts(int fd) {
    struct timeval limit = {.tv_usec = 50000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static void tcp_with_data(struct end *end) {
    int pair[2];
    make_pair(pair);
    write(pair[1], DATA, LENGTH);
    settle();
    set_timeouts(pair[0]);
    *end = (struct end){pair[0], pair[1], -1};
}

static void tcp_empty(struct end *end) {
    int pair[2];
    make_pair(pair);
    set_timeouts(pair[0]);
    *end = (struct end){pair[0], pair[1], -1};
}

static void tcp_full(struct end *end) {
    static char data[65536];
    tcp_empty(end);
    nonblocking(end->fd, true);
    for (int refused = 0; refused < 4;)
        if (write(end->fd, data, sizeof data) > 0)
            refused = 0;
        else
            settle(), refused++;
    nonblocking(end->fd, false);
    end->third = end->other;
    end->other = -1;
}

static void tcp_ended(struct end *end) {
    tcp_empty(end);
    shutdown(end->other, SHUT_WR);
    settle();
}

static void tcp_shut(struct end *end) {
    tcp_empty(end);
    shutdown(end->fd, SHUT_WR);
}

static void tcp_fresh(struct end *end) {
    *end = (struct end){socket(family, SOCK_STREAM, 0), -1, -1};
    set_timeouts(end->fd);
}

static void tcp_listening(struct end *end) {
    uint16_t port;
    *end = (struct end){make_listener(&port), -1, -1};
}

static void udp_with_data(struct end *end) {
    uint16_t port, other_port;
    union address address;
    *end = (struct end){make_datagram(&port), make_datagram(&other_port), -1};
    address = address_of(own, port);
    connect(end->other, &address.any, address_length);
    address = address_of(own, other_port);
    connect(end->fd, &address.any, address_length);
    write(end->other, DATA, LENGTH);
    settle();
    set_timeouts(end->fd);
}

static void udp_fresh(struct end *end) {
    *end = (struct end){socket(family, SOCK_DGRAM, 0), -1, -1};
    set_timeouts(end->fd);
}

static void empty_set(struct end *end) {
    *end = (struct end){epoll_create1(0), -1, -1};
}

static void set_of_sockets(struct end *end) {
    struct epoll_event event = {.events = EPOLLIN};
    tcp_with_data(end);
    *end = (struct end){epoll_create1(0), -1, end->fd};
    epoll_ctl(end->fd, EPOLL_CTL_ADD, end->third, &event);
}

static void nothing(struct end *end) {
    *end = (struct end){987, -1, -1};
}

static const struct {
    const char *name;
    void (*make)(struct end *);
} kinds[] = {{"a pipe with data", pipe_with_data},
             {"an empty pipe", pipe_empty},
             {"a pipe that has ended", pipe_ended},
             {"a pipe to write", pipe_to_write},
             {"a full pipe", pipe_full},
             {"a pipe that nobody reads", pipe_broken},
             {"a file", file_to_read},
             {"a file to write", file_to_write},
             {"a file to append to", file_to_append},
             {"/dev/null", device_null},
             {"/dev/zero", device_zero},
             {"a terminal", terminal},
             {"an eventfd", counter},
             {"a unix stream", unix_stream},
             {"tcp with data", tcp_with_data},
             {"tcp without data", tcp_empty},
             {"tcp whose peer has finished", tcp_ended},
             {"tcp shut for writing", tcp_shut},
             {"tcp not connected", tcp_fresh},
             {"tcp listening", tcp_listening},
             {"udp with data", udp_with_data},
             {"udp not connected", udp_fresh},
             {"an empty set", empty_set},
             {"a set of sockets", set_of_sockets},
             {"nothing", nothing}};
#define KINDS (sizeof kinds / sizeof *kinds)
#define FIRST_SOCKET 14

static long by_splice(int in, int out) {
    return splice(in, NULL, out, NULL, 5, SPLICE_F_NONBLOCK);
}
static long by_splice_waiting(int in, int out) {
    return splice(in, NULL, out, NULL, 5, SPLICE_F_MORE);
}
static long by_splice_none(int in, int out) {
    return splice(in, NULL, out, NULL, 0, 0);
}
static long by_splice_offsets(int in, int out) {
    off64_t at = 1, to = 0;
    return splice(in, &at, out, &to, 5, SPLICE_F_NONBLOCK);
}
static long by_splice_in_offset(int in, int out) {
    off64_t at = 1;
    long got = splice(in, &at, out, NULL, 5, SPLICE_F_NONBLOCK);
    return got < 0 ? got : got * 100 + at;
}
static long by_splice_flags(int in, int out) {
    return splice(in, NULL, out, NULL, 5, 0x100 | SPLICE_F_NONBLOCK);
}
static long by_sendfile(int in, int out) {
    return sendfile(out, in, NULL, 5);
}
static long by_sendfile_offset(int in, int out) {
    off_t at = 2;
    long got = sendfile(out, in, &at, 20);
    return got < 0 ? got : got * 100 + at;
}
static long by_sendfile_none(int in, int out) {
    return sendfile(out, in, NULL, 0);
}
static long by_tee(int in, int out) {
    return tee(in, out, 5, SPLICE_F_NONBLOCK);
}
static long by_copy_file_range(int in, int out) {
    return copy_file_range(in, NULL, out, NULL, 5, 0);
}

static const struct {
    const char *name;
    long (*call)(int in, int out);
    bool waits;
} calls[] = {{"splice", by_splice, false},
             {"splice that waits", by_splice_waiting, true},
             {"splice of nothing", by_splice_none, false},
             {"splice with offsets", by_splice_offsets, false},
             {"splice from an offset", by_splice_in_offset, false},
             {"splice with wrong flags", by_splice_flags, false},
             {"sendfile", by_sendfile, true},
             {"sendfile from an offset", by_sendfile_offset, true},
             {"sendfile of nothing", by_sendfile_none, false},
             {"tee", by_tee, false},
             {"copy_file_range", by_copy_file_range, false}};

/* What a descriptor has, of which a call may have taken a part, or brought one. */
static void read_rest(int fd, char *text) {
    char data[64];
    int flags = fcntl(fd, F_GETFL);
    off_t place = lseek(fd, 0, SEEK_CUR);
    ssize_t got = -1;
    if (place >= 0)
        got = pread(fd, data, sizeof data, 0);
    else if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        got = read(fd, data, sizeof data);
    sprintf(text, got > 0 && data[0] ? "%zd %.*s" : "%zd", got, (int)(got > 20 ? 20 : got), data);
    if (place >= 0)
        sprintf(text + strlen(text), " at %lld", (long long)place);
}

static void close_end(struct end *end) {
    if (end->fd != 987)
        close(end->fd);
    if (end->other >= 0)
        close(end->other);
    if (end->third >= 0)
        close(end->third);
}

/* A wait for ever ends by this. */
static void arm(int milliseconds) {
    struct itimerspec later = {.it_value = {.tv_nsec = milliseconds * 1000000}};
    static timer_t timer;
    static bool made;
    if (!made)
        made = timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0;
    timer_settime(timer, 0, &later, NULL);
}

static bool is_socket(size_t kind) {
    return kind >= FIRST_SOCKET;
}

static void one(size_t call, size_t in, size_t out, bool nonblock) {
    struct end from, to;
    char name[160], left[80], arrived[80] = "";
    kinds[in].make(&from);
    kinds[out].make(&to);
    if (nonblock) {
        nonblocking(from.fd, true);
        nonblocking(to.fd, true);
    }
    broken_pipes = 0;
    arm(100);
    errno = 0;
    long value = calls[call].call(from.fd, to.fd);
    const char *said = result(value);
    arm(0);
    if (value > 0 && is_socket(out))
        settle();
    read_rest(from.fd, left);
    read_rest(to.other >= 0 ? to.other : to.fd, arrived);
    snprintf(name, sizeof name, "%s, %s to %s%s", calls[call].name, kinds[in].name, kinds[out].name,
             nonblock ? ", nonblocking" : "");
    outcome("pairs", name, "%s, left %s, there %s%s", said, left, arrived, broken_pipes ? ", SIGPIPE" : "");
    close_end(&from);
    close_end(&to);
}

static void plain_calls(size_t kind) {
    static const char *const names[] = {
        "read",     "write",     "send",      "recv",       "readv",    "writev",   "sendto",      "recvmsg",
        "recvmmsg", "sendmmsg",  "lseek",     "getsockopt", "listen",   "shutdown", "getsockname", "vmsplice",
        "pread",    "ftruncate", "read of 0", "write of 0", "fionread", "preadv2"};
    char data[16] = DATA;
    struct iovec piece = {data, 5};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    struct mmsghdr messages = {.msg_hdr = message};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct end end;
        int number = 0;
        char name[100];
        socklen_t length = sizeof number;
        struct sockaddr_storage address;
        kinds[kind].make(&end);
        nonblocking(end.fd, true);
        broken_pipes = 0;
        errno = 0;
        long value =
            i == 0    ? read(end.fd, data, 5)
            : i == 1  ? write(end.fd, data, 8)
            : i == 2  ? send(end.fd, data, 5, 0)
            : i == 3  ? recv(end.fd, data, 5, 0)
            : i == 4  ? readv(end.fd, &piece, 1)
            : i == 5  ? writev(end.fd, &piece, 1)
            : i == 6  ? sendto(end.fd, data, 5, 0, NULL, 0)
            : i == 7  ? recvmsg(end.fd, &message, 0)
            : i == 8  ? recvmmsg(end.fd, &messages, 1, 0, NULL)
            : i == 9  ? sendmmsg(end.fd, &messages, 1, 0)
            : i == 10 ? lseek(end.fd, 0, SEEK_CUR)
            : i == 11 ? getsockopt(end.fd, SOL_SOCKET, SO_ERROR, &number, &length)
            : i == 12 ? listen(end.fd, 1)
            : i == 13 ? shutdown(end.fd, SHUT_RD)
            : i == 14 ? getsockname(end.fd, (struct sockaddr *)&address, (length = sizeof address, &length))
            : i == 15 ? vmsplice(end.fd, &piece, 1, SPLICE_F_NONBLOCK)
            : i == 16 ? pread(end.fd, data, 5, 0)
            : i == 17 ? ftruncate(end.fd, 3)
            : i == 18 ? read(end.fd, data, 0)
            : i == 19 ? write(end.fd, data, 0)
            : i == 20 ? ioctl(end.fd, FIONREAD, &number)
                      : preadv2(end.fd, &piece, 1, -1, 0);
        const char *said = result(value);
        snprintf(name, sizeof name, "%s, %s", names[i], kinds[kind].name);
        outcome("pairs", name, "%s%s", said, broken_pipes ? ", SIGPIPE" : "");
        close_end(&end);
    }
}

/* A signal cuts a splice short that has taken more from the pipe than the socket takes: what it has not sent
 * is still in the pipe. */
static void cut_short(const char *name, bool time_limit) {
    static char data[1 << 16];
    struct end to;
    int pipes[2];
    long total = 0, taken, more;
    int left = 0;
    tcp_full(&to);
    pipe(pipes);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)i;
    write(pipes[1], data, sizeof data);
    nonblocking(to.third, true);
    /* Room for a part of it. */
    for (int i = 0; i < 50; i++, usleep(1000))
        while (total < 40000 && (taken = read(to.third, data, 4000)) > 0)
            total += taken;
    if (!time_limit) {
        set_timeouts(to.fd);
        struct timeval none = {0};
        setsockopt(to.fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
    }
    arm(100);
    long spliced = splice(pipes[0], NULL, to.fd, NULL, sizeof data, 0);
    arm(0);
    ioctl(pipes[0], FIONREAD, &left);
    more = spliced > 0 ? spliced : 0;
    outcome("pairs", name, "%d", more + left == (long)sizeof data);
    close(pipes[0]);
    close(pipes[1]);
    close_end(&to);
}

static volatile sig_atomic_t had_to_wait;

static void note_waiting(int signal) {
    (void)signal;
    had_to_wait = 1;
}

/* A pipe holds pages: one that was read in part is a whole one. What does not go in stays in the socket, and
 * nobody waits for room. The signal comes to who waits nevertheless, and only then. */
static void into_part_of_a_pipe(const char *name, int write_first, int read_first) {
    static char data[1 << 16];
    struct sigaction note = {.sa_handler = note_waiting}, before;
    struct end from;
    int pipes[2], left = 0, held = 0;
    tcp_empty(&from);
    pipe(pipes);
    write(pipes[1], data, (size_t)write_first);
    read(pipes[0], data, (size_t)read_first);
    write(from.other, data, 20000);
    for (int i = 0; i < 1000 && left < 20000; i++, usleep(1000))
        ioctl(from.fd, FIONREAD, &left);
    had_to_wait = 0;
    sigaction(SIGALRM, &note, &before);
    alarm(5);
    long spliced = splice(from.fd, NULL, pipes[1], NULL, sizeof data, 0);
    alarm(0);
    sigaction(SIGALRM, &before, NULL);
    ioctl(from.fd, FIONREAD, &left);
    ioctl(pipes[0], FIONREAD, &held);
    outcome("pairs", name, "%ld%s, %d left, %d in the pipe", spliced,
            had_to_wait ? " when it had waited" : "", left, held);
    close(pipes[0]);
    close(pipes[1]);
    close_end(&from);
}

void test_pairs(void) {
    struct sigaction count = {.sa_handler = count_signal}, end_wait = {.sa_handler = (void (*)(int))settle},
                     before;
    sigaction(SIGPIPE, &count, &before);
    sigaction(SIGALRM, &end_wait, NULL);
    for (size_t call = 0; call < sizeof calls / sizeof *calls; call++)
        for (size_t in = 0; in < KINDS; in++)
            for (size_t out = 0; out < KINDS; out++) {
                bool sockets = is_socket(in) || is_socket(out);
                bool full = kinds[in].make == tcp_full || kinds[out].make == tcp_full;
                if (sockets &&
                    (!full || call < 2 || calls[call].call == by_sendfile)) /* it takes long to fill */
                    one(call, in, out, calls[call].waits);
            }
    for (size_t kind = 0; kind < KINDS; kind++)
        plain_calls(kind);
    cut_short("splice cut short by a signal", false);
    cut_short("splice cut short by a time limit", true);
    into_part_of_a_pipe("splice into a pipe that has room for a page", 61440, 100);
    into_part_of_a_pipe("splice into a pipe with a page in part", 100, 0);
    into_part_of_a_pipe("splice into an empty pipe", 0, 0);
    sigaction(SIGPIPE, &before, NULL);
}
