/* SPDX-License-Identifier: MIT */
/*
 * program.c - what runs on barewire in the model: threads and children that talk to the far host's echo, in
 * all ways of waiting, and do what is hard for the library at the same time. What it says of itself
 * (model_at) lets the director see who waits for what.
 */
#include "tests/model/program.h"
#include "nic/splitmix.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES_MAX 6000

__thread uint64_t random_state;
__thread struct model_thread *me;
static __thread sigjmp_buf jump;
static __thread volatile sig_atomic_t may_jump;
static const struct model_plan *plan;
bool tolerant;

struct model_thread *self(void) {
    return &world->threads[world->running];
}

uint64_t below(uint64_t limit) {
    return splitmix64(&random_state) % limit;
}

bool one_in(uint64_t n) {
    return below(n) == 0;
}

void at(const char *what, int fd, uint32_t events) {
    struct stat status;
    me->socket = fd >= 0 && fstat(fd, &status) == 0 ? status.st_ino : 0;
    me->events = events;
    me->since_ns = world->now_ns;
    snprintf(me->at, sizeof me->at, "%s", what);
}

void done(void) {
    me->events = 0;
    me->socket = 0;
    me->since_ns = NEVER;
}

void give_up(const char *what) {
    fprintf(stderr, "program: %s: %s\n", what, strerror(errno));
    abort();
}

bool forgiven(const char *what) {
    if (errno == EINTR || errno == EAGAIN)
        return true;
    if (tolerant && (errno == ECONNRESET || errno == EPIPE || errno == ETIMEDOUT || errno == EMFILE ||
                     errno == EBADF || errno == ENOMEM || errno == ENOTCONN || errno == ECONNREFUSED ||
                     errno == ENOBUFS || errno == EHOSTUNREACH))
        return false;
    give_up(what);
}

static void on_signal(int signal) {
    char nothing;
    int saved = errno;
    (void)signal;
    recv(-1, &nothing, 1, MSG_DONTWAIT);
    errno = saved;
}

static void on_jump(int signal) {
    (void)signal;
    if (may_jump)
        siglongjmp(jump, 1);
}

int connect_to(uint16_t port, uint32_t address) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 && !forgiven("socket"))
        return -1;
    at("connect", -1, 0);
    int result = connect(fd, (struct sockaddr *)&to, sizeof to);
    if (result < 0 && errno == EINTR) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        int error;
        socklen_t length = sizeof error;
        while (poll(&wait, 1, -1) < 0 && forgiven("poll for connect"))
            continue;
        result = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
        errno = error;
        result = error ? -1 : result;
    }
    done();
    if (result == 0 || errno == EISCONN)
        return fd;
    forgiven("connect");
    close(fd);
    return -1;
}

/* Waits until there is something to read. */
static bool await(enum way way, int fd, int epoll) {
    struct epoll_event event;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    fd_set set;
    int result = 1;
    switch (way) {
    case BY_POLL:
        at("poll", fd, POLLIN);
        result = poll(&wait, 1, -1);
        break;
    case BY_EPOLL:
        at("epoll_wait", fd, POLLIN);
        result = epoll_wait(epoll, &event, 1, -1);
        break;
    case BY_SELECT:
        FD_ZERO(&set);
        FD_SET(fd, &set);
        at("select", fd, POLLIN);
        result = select(fd + 1, &set, NULL, NULL, NULL);
        break;
    case BY_LOOKING:
        usleep((useconds_t)below(300));
        break;
    default:
        break;
    }
    done();
    return result > 0 || (result < 0 && forgiven("wait"));
}

bool echo(int fd, enum way way) {
    uint8_t out[BYTES_MAX], in[BYTES_MAX];
    size_t total = 1 + below(one_in(4) ? BYTES_MAX : 200), sent = 0, got = 0;
    int epoll = way == BY_EPOLL ? epoll_create1(0) : -1;
    struct epoll_event event = {.events = EPOLLIN};
    bool good = true;
    for (size_t i = 0; i < total; i++)
        out[i] = (uint8_t)below(256);
    if (way == BY_EPOLL && (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)) {
        if (epoll >= 0)
            close(epoll);
        if (!forgiven("epoll"))
            return false;
        return true;
    }
    while (good && sent < total) {
        at("write", fd, POLLOUT);
        ssize_t result = send(fd, out + sent, total - sent, MSG_NOSIGNAL);
        done();
        if (result > 0)
            sent += (size_t)result;
        else if (result < 0)
            good = forgiven("write");
    }
    while (good && got < sent) {
        if (way != BY_READ && !await(way, fd, epoll)) {
            good = false;
            break;
        }
        if (way == BY_READ)
            at("read", fd, POLLIN);
        ssize_t result = recv(fd, in + got, total - got, way == BY_READ ? 0 : MSG_DONTWAIT);
        done();
        if (result > 0)
            got += (size_t)result;
        else if (result == 0) {
            errno = ECONNRESET;
            good = forgiven("end of file");
        } else
            good = forgiven("read");
    }
    if (good && memcmp(out, in, got) != 0)
        give_up("the echo is not what was sent");
    if (epoll >= 0)
        close(epoll);
    return good;
}

/* A datagram and its echo; it may be lost when somebody is killed, or where the interface's queue is short.
 */
static void datagram(void) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(ECHO_PORT), .sin_addr.s_addr = htonl(FAR_ADDRESS)};
    uint8_t bytes[1200] = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) {
        forgiven("socket");
        return;
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        give_up("connect of datagrams");
    uint64_t count = 1 + below(40);
    for (uint64_t i = 0; i < count; i++) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        at("poll to send datagrams", fd, POLLOUT);
        if (poll(&wait, 1, -1) < 0)
            forgiven("poll");
        done();
        if (send(fd, bytes, 1 + below(sizeof bytes), MSG_DONTWAIT) < 0 && errno != ENOBUFS)
            forgiven("send");
    }
    for (uint64_t i = 0; i < count; i++) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 3) <= 0)
            break;
        recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    }
    close(fd);
}

/* A connection within the stack itself. */
static void to_oneself(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(NEAR_ADDRESS)};
    socklen_t length = sizeof here;
    char byte = 'x';
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0) {
        forgiven("socket");
        return;
    }
    if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0 || listen(listener, 5) < 0 ||
        getsockname(listener, (struct sockaddr *)&here, &length) < 0) {
        forgiven("listen");
        close(listener);
        return;
    }
    int client = connect_to(ntohs(here.sin_port), NEAR_ADDRESS), server = -1;
    while (client >= 0 && server < 0) {
        at("accept", listener, POLLIN);
        server = accept(listener, NULL, NULL);
        done();
        if (server < 0 && !forgiven("accept"))
            break;
    }
    if (server >= 0 && write(client, &byte, 1) == 1) {
        ssize_t result;
        do {
            at("read of own", server, POLLIN);
            result = read(server, &byte, 1);
            done();
        } while (result < 0 && forgiven("read of own"));
    }
    if (server >= 0)
        close(server);
    if (client >= 0)
        close(client);
    close(listener);
}

static void rounds(int connection);

void begin_child(void) {
    sigset_t mask;
    me = self();
    done();
    random_state ^= world->plan.seed * 31 + (uint64_t)me->process;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int signal = 1; signal < 32; signal++)
        if (sigismember(&mask, signal)) {
            errno = 0;
            give_up("a child begins with signals blocked");
        }
}

static int children; /* of this process, so far */

static void make_child(int connection) {
    if (children >= (int)plan->children)
        return;
    children++;
    at("fork", -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        begin_child();
        children = (int)plan->children;
        if (one_in(3))
            _exit(0);
        if (connection >= 0 && one_in(2)) {
            int duplicate = dup(connection);
            if (duplicate >= 0)
                close(duplicate);
        }
        if (one_in(2))
            rounds(-1);
        if (one_in(2))
            _exit(0);
        exit(0);
    }
    done();
    if (pid < 0) {
        if (errno != EAGAIN)
            give_up("fork");
        return;
    }
    if (one_in(2)) {
        at("waitpid", -1, 0);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        done();
    }
}

static void rounds(int given) {
    volatile int connection = given, left = 1 + (int)below(plan->rounds);
    while (left-- > 0) {
        if (connection < 0)
            connection = connect_to(ECHO_PORT, FAR_ADDRESS);
        if (plan->jumps && sigsetjmp(jump, 0)) {
            sigset_t none;
            may_jump = 0;
            sigemptyset(&none);
            pthread_sigmask(SIG_SETMASK, &none, NULL);
            done();
            close(connection); /* who knows how far it was */
            connection = -1;
            continue;
        }
        switch (below(14)) {
        case 0:
            datagram();
            break;
        case 1:
            make_child(connection);
            break;
        case 2:
            pull_away();
            break;
        case 3:
            herd_of_threads();
            break;
        case 4:
            to_oneself();
            break;
        case 5:
            usleep((useconds_t)below(2000));
            break;
        case 6:
            full_queue();
            break;
        case 7:
            first_waits();
            break;
        case 8:
            shared_set();
            break;
        case 9:
            across_processes();
            break;
        case 10:
            crowd_of_readers();
            break;
        default:
            may_jump = plan->jumps && one_in(2);
            if (connection >= 0 && !echo(connection, may_jump ? BY_READ : (enum way)below(WAYS))) {
                close(connection);
                connection = -1;
            }
            may_jump = 0;
        }
    }
    if (connection >= 0)
        close(connection);
}

static void *thread(void *number) {
    me = self();
    done();
    random_state = plan->seed * 1000003 + (uintptr_t)number;
    rounds(-1);
    return NULL;
}

int main(void) {
    pthread_t threads[8];
    plan = &world->plan;
    tolerant = plan->kills || plan->no_descriptors || plan->no_memory || plan->jumps;
    me = self();
    done();
    random_state = plan->seed * 77;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = one_in(2) ? SA_RESTART : 0};
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = on_jump;
    sigaction(SIGUSR2, &action, NULL);
    world->ready = true;
    for (uint32_t i = 1; i < plan->threads; i++)
        if (pthread_create(&threads[i], NULL, thread, (void *)(uintptr_t)i))
            give_up("pthread_create");
    rounds(-1);
    for (uint32_t i = 1; i < plan->threads; i++) {
        at("join", -1, 0);
        pthread_join(threads[i], NULL);
    }
    done();
    return 0;
}
