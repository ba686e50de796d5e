/* SPDX-License-Identifier: MIT */
/*
 * ipc_server.c - the door: processes join the stack there.
 *
 * UNIX sockets (ipc.h), at which the sender's user is checked. A connection brings one question, and what
 * may be said over it after that is what the answer made it; who sent a message is what the kernel says of
 * that moment, since a program may have become another user's in between. Nothing here waits for a client.
 */
#include "shim/keeper/keeper.h"
#include "shim/keeper/pidfd.h"
#include "shim/keeper/privileges.h"
#include "shim/region/ipc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { IPC_OF_ADDRESS, IPC_OF_NAME, IPC_OF_PATH, IPC_OF_MORE };

/* Returns 0 or a negative errno. */
static int take_listener(int which, const struct ipc_address *place) {
    int ipc = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0177);
    int error =
        ipc < 0 || bind(ipc, (const struct sockaddr *)&place->address, place->length) < 0 ? -errno : 0;
    umask(before);
    if (error && ipc >= 0)
        close(ipc);
    keeper.listeners[which] = error ? -1 : ipc;
    return error;
}

static int open_listener(int which) {
    int one = 1; /* connections have it from there */
    if (setsockopt(keeper.listeners[which], SOL_SOCKET, SO_PASSCRED, &one, sizeof one) < 0 ||
        listen(keeper.listeners[which], 256) < 0)
        return -errno;
    keeper_watch(keeper.listeners[which], KEEPER_LISTENER);
    return 0;
}

static bool take_address(int which, struct ip_address address) {
    const char *interface = config_interface(keeper.config.nic);
    struct ipc_address place =
        ipc_of_address(keeper.config.nic, interface ? if_nametoindex(interface) : 0, address);
    return place.length == 0 || take_listener(which, &place) == 0;
}

bool ipc_server_take_addresses(void) {
    const struct config *config = &keeper.config;
    int which = IPC_OF_MORE;
    bool free = take_address(IPC_OF_ADDRESS, ip_from_v4(config->address));
    for (uint32_t i = 0; i < config->more_count && free; i++)
        free = take_address(which++, ip_from_v4(config->more[i].address));
    for (uint32_t i = 0; i < config->count6 && free; i++)
        free = take_address(which++, config->addresses6[i].address);
    return free;
}

bool ipc_server_take_name(void) {
    struct ipc_address place = ipc_of_name(keeper.user, keeper.config.name);
    return place.length == 0 || take_listener(IPC_OF_NAME, &place) == 0;
}

bool ipc_server_take_mac(const uint8_t mac[6]) {
    struct ipc_address place = ipc_of_mac(keeper.nic->facts.index, mac);
    int held = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return keeper.nic->facts.index == 0 || memcmp(mac, keeper.nic->facts.mac, 6) == 0 ||
           bind(held, (const struct sockaddr *)&place.address, place.length) == 0;
}

int ipc_server_open(void) {
    struct ipc_address place = ipc_of_path(keeper.directory, keeper.config.name);
    unlink(keeper.ipc_path); /* stale: we hold the lock of this name */
    int error = take_listener(IPC_OF_PATH, &place);
    for (int i = 0; i < KEEPER_LISTENERS && !error; i++)
        error = keeper.listeners[i] >= 0 ? open_listener(i) : 0;
    return error;
}

void ipc_server_close(void) {
    for (int i = 0; i < KEEPER_LISTENERS; i++)
        if (keeper.listeners[i] >= 0)
            close(keeper.listeners[i]);
    for (int i = 0; i < KEEPER_LISTENERS; i++)
        keeper.listeners[i] = -1;
    unlink(keeper.ipc_path);
}

bool ipc_server_open_leased(uint32_t address) {
    return take_address(IPC_OF_ADDRESS, ip_from_v4(address)) &&
           (keeper.listeners[IPC_OF_ADDRESS] < 0 || open_listener(IPC_OF_ADDRESS) == 0);
}

void ipc_server_leave_address(void) {
    if (keeper.listeners[IPC_OF_ADDRESS] >= 0)
        close(keeper.listeners[IPC_OF_ADDRESS]);
    keeper.listeners[IPC_OF_ADDRESS] = -1;
}

/* Whether a process has an account. */
static bool has_record(int pid) {
    struct list *link, *next;
    bool found = false;
    region_enter();
    keeper_watch_children();
    list_for_each(link, next, &shared->process_list) {
        const struct process *process = container_of(link, struct process, link);
        if (process->pid == pid && keeper_lives(process))
            found = true;
    }
    region_leave();
    return found;
}

static int parent_of(int pid) {
    char path[40], line[200];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "PPid: %d", &parent) == 1)
            break;
    if (status)
        fclose(status);
    return parent;
}

#define GENERATIONS 3 /* a program, the shell of system(3), and what that runs */

/* Whether a process has an account already, or one of the two has that it descends from: it may have become
 * another user's, and another program, since. A child of vfork(2), which libc makes for system(3), too, gets an
 * account beforehand only when there are sockets that it inherits. */
static bool is_member(int pid) {
    for (int i = 0; i < GENERATIONS && pid > 0; i++, pid = parent_of(pid))
        if (has_record(pid))
            return true;
    return false;
}

/* What a connection may say next: one question, and then what its answer makes it. */
enum stand {
    KNOCKS,
    MEMBER,  /* of the stack: tells of its waiters and children */
    WATCHES, /* the stack's events, and hangs up in the end */
};

static uint8_t *stands; /* by descriptor */
static int stand_count;

static bool stand_at(int connection, enum stand stand) {
    if (connection >= stand_count) {
        int count = connection + 64;
        uint8_t *more = realloc(stands, (size_t)count);
        if (!more)
            return false;
        memset(more + stand_count, KNOCKS, (size_t)(count - stand_count));
        stands = more;
        stand_count = count;
    }
    stands[connection] = (uint8_t)stand;
    return true;
}

/* Who sent a request: as the kernel says of that moment, not of when the connection was made. Who has become
 * another user since may go on with what he has, and no more. */
static bool may_say(int connection, uint32_t kind, const struct ucred *sender) {
    bool own = sender->uid == keeper.user, joins = kind == IPC_ATTACH || kind == IPC_RESUME;
    bool tells = kind == IPC_CHILD || kind == IPC_POLLER || kind == IPC_REMOTE_EVENTFD ||
                 kind == IPC_WAITER || kind == IPC_INFLIGHT || kind == IPC_MONITOR;
    if (stands[connection] == MEMBER)
        return tells;
    return stands[connection] == KNOCKS && !tells && (own || (joins && is_member(sender->pid)));
}

/* Doors that nobody is let in at until descriptors are free again: who knocks waits. */
static int shut[8], shut_count;

static void close_listener(int ipc) {
    if (shut_count == sizeof shut / sizeof *shut)
        return;
    shut[shut_count++] = ipc;
    epoll_ctl(keeper.events, EPOLL_CTL_DEL, ipc, NULL);
    keeper.unsettled = true; /* looks again after a while */
}

void ipc_server_again(void) {
    while (shut_count > 0)
        keeper_watch(shut[--shut_count], KEEPER_LISTENER);
}

void ipc_server_accept(int ipc) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    int connection = accept4(ipc, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
        close_listener(ipc);
    if (connection < 0)
        return;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ||
        (peer.uid != keeper.user && !is_member(peer.pid))) {
        close(connection);
        return;
    }
    if (!stand_at(connection, KNOCKS)) {
        close(connection);
        return;
    }
    keeper_watch(connection, KEEPER_CONNECTION);
}

/* Takes what came beside a message: the sender, and the first descriptor, or -1; others are not wanted. */
static void take_beside(struct msghdr *message, struct ucred *sender, int *descriptor) {
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        if (at->cmsg_level != SOL_SOCKET)
            continue;
        if (at->cmsg_type == SCM_CREDENTIALS && at->cmsg_len >= CMSG_LEN(sizeof *sender))
            memcpy(sender, CMSG_DATA(at), sizeof *sender);
        if (at->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= at->cmsg_len; i++) {
            int got;
            memcpy(&got, CMSG_DATA(at) + i * sizeof got, sizeof got);
            if (*descriptor < 0)
                *descriptor = got;
            else
                close(got);
        }
    }
}

/* Reads a request, and what came beside it. Returns its length, or 0 at the connection's end. */
static ssize_t read_request(int connection, struct ipc_request *request, struct ucred *sender,
                            int *descriptor) {
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec piece = {request, sizeof *request};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *sender = (struct ucred){.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
    *descriptor = -1;
    ssize_t length = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    if (length >= 0) /* an empty message may bring one, too */
        take_beside(&message, sender, descriptor);
    return length;
}

static bool understood(const struct ipc_request *request, ssize_t length) {
    const struct ipc_header *header = &request->header;
    if (length < (ssize_t)sizeof *header || header->magic != SHARED_MAGIC)
        return false;
    if (header->version != SHARED_VERSION || header->kind == IPC_DOWN || header->kind == IPC_YIELD)
        return true; /* more of it is not looked at */
    return length == sizeof *request && config_is_whole(&request->config) &&
           *(const uint8_t *)&request->inherited <= 1;
}

static void reply(int connection, struct ipc_reply *reply, struct ipc_ancillary ancillary) {
    union ipc_control control = {0};
    struct iovec piece = {reply, sizeof *reply};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    reply->header.magic = SHARED_MAGIC;
    reply->header.version = SHARED_VERSION;
    ipc_put_ancillary(&message, &control, ancillary);
    sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The account of a process that begins with a new program: by exec, when what belonged to the old one's
 * threads is gone; or one that its parent made for it. The lock is held. NULL when it has none. */
static struct process *find_record(int pid, struct process_record given) {
    struct list *link, *next;
    struct process *made = process_record_find(given);
    if (made && made->pid == 0)
        made->pid = pid;
    keeper_watch_children();
    list_for_each(link, next, &shared->process_list) {
        struct process *process = container_of(link, struct process, link);
        if (process->pid != pid)
            continue;
        keeper_release_waiters(process);
        process->leaving = false;
        return process;
    }
    return NULL;
}

/* Gives a process its account: a new one, watched from now on; or, after exec, the one that it has. */
static bool admit(const struct ucred *sender, const struct ipc_request *request, struct ipc_reply *answer) {
    bool resumes = request->header.kind == IPC_RESUME;
    answer->header.kind = keeper_terms(&request->config, resumes, answer->message);
    if (answer->header.kind != IPC_WELCOME)
        return false;
    int pidfd = sender->pid > 0 ? keeper_pidfd(sender->pid) : -ESRCH;
    if (pidfd < 0 && pidfd != -ENOSYS) {
        snprintf(answer->message, sizeof answer->message,
                 "the keeper of stack '%s' can't see this process: %s", keeper.config.name,
                 sender->pid > 0 ? strerror(-pidfd) : "it is in another PID namespace");
        answer->header.kind = IPC_REFUSED;
        return false;
    }
    region_enter();
    struct process *process = resumes && !shared->broken ? find_record(sender->pid, request->record) : NULL;
    bool known = process;
    if (!process && (!resumes || request->inherited) && (process = process_create(sender->pid)))
        process->pidfd = pidfd >= 0 ? pidfd : -1;
    if (process && !process->file_table)
        process->file_table = file_table_create();
    region_leave();
    answer->process = process;
    if (known || !process) {
        if (pidfd >= 0)
            close(pidfd);
        if (!known && !resumes)
            snprintf(answer->message, sizeof answer->message, "stack '%s' is out of memory",
                     keeper.config.name);
        answer->header.kind = known ? IPC_WELCOME : IPC_REFUSED;
        return known;
    }
    keeper.joined = true;
    if (pidfd >= 0)
        keeper_watch(pidfd, KEEPER_PROCESS);
    else
        keeper.unsettled = true; /* looked at now and then */
    return true;
}

/* The number of a pidfd's process in this namespace; 0 when it has ended, -1 if it is no pidfd. */
static int pid_of(int pidfd) {
    char path[40], line[80];
    int pid = 0;
    bool known = false;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    FILE *info = fopen(path, "re");
    while (info && fgets(line, sizeof line, info))
        if ((known = sscanf(line, "Pid: %d", &pid) == 1))
            break;
    if (info)
        fclose(info);
    return !known ? -1 : pid > 0 ? pid : 0;
}

static bool take_child(struct process_record record, int pidfd) {
    int pid = pidfd >= 0 ? pid_of(pidfd) : -1;
    if (pid < 0)
        return false;
    region_enter();
    struct process *process = process_record_find(record);
    bool there = process && process->pid == 0;
    if (there) {
        process->pid = pid;
        process->pidfd = pidfd;
        if (process->pid == 0)
            process->fork_deadline_ns = 0; /* ended already: settled at the next look */
        else
            keeper_watch(pidfd, KEEPER_PROCESS);
    }
    region_leave();
    return there;
}

/* Nothing else is written to: it could make the keeper wait. */
static bool is_eventfd(int descriptor) {
    char path[40], target[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    return strcmp(target, "anon_inode:[eventfd]") == 0;
}

/* Whoever had to be woken meanwhile is. */
static bool take_eventfd(struct waiter *waiter, uint32_t number, int descriptor) {
    if (descriptor < 0 || !is_eventfd(descriptor))
        return false;
    region_enter();
    bool there =
        pool_has(&shared->waiters, waiter) && waiter->number == number && waiter->keeper_descriptor < 0;
    if (there)
        waiter->keeper_descriptor = descriptor;
    bool woken = there && waiter->word;
    region_leave();
    if (woken)
        eventfd_write(descriptor, 1);
    return there;
}

/* The keeper's copy of a waiter's eventfd, or -1. */
static int eventfd_of(const struct waiter *waiter, uint32_t number) {
    region_enter();
    bool there = pool_has(&shared->waiters, waiter) && waiter->number == number;
    int descriptor = there ? waiter->keeper_descriptor : -1;
    region_leave();
    return descriptor; /* this thread alone closes it */
}

/* Whether a process could open the NIC itself, now. */
static bool may_open_nic(const struct ucred *process) {
    char path[40], line[200];
    unsigned long long permitted = 0;
    if (process->uid != keeper.user && process->uid != 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d/status", process->pid);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "CapPrm: %llx", &permitted) == 1)
            break;
    if (status)
        fclose(status);
    return permitted >> CAP_NET_RAW & 1;
}

/* The NIC for who joins, when any process can use it; but not for a user who could not open it himself, if it
 * was a file's capability that let the keeper, nor for a process that has given that right up. */
static int shared_nic(const struct ucred *sender) {
    bool may = keeper.nic->facts.features & NIC_SHARED && !rights_borrowed() && may_open_nic(sender);
    return may ? keeper.nic->descriptor : -1;
}

/* Connections of those who want to see what happens (IPC_TRACE), or how long the lock is held (IPC_LOCK).
 */
#define WATCHERS_MAX 8
static struct {
    int place; /* + 1 of the connection; 0: a free place */
    uint32_t kind;
} watchers[WATCHERS_MAX];

static bool is_wanted(uint32_t kind) {
    for (int i = 0; i < WATCHERS_MAX; i++)
        if (watchers[i].place && watchers[i].kind == kind)
            return true;
    return false;
}

static void note_what_is_wanted(void) {
    region_enter();
    if (is_wanted(IPC_TRACE))
        shared->stack.trace.wanted |= TRACE_FRAMES | TRACE_SAMPLES;
    else
        shared->stack.trace.wanted &= ~(unsigned)TRACE_SAMPLES; /* frames may be wanted by --trace, too */
    shared->lock_profile.wanted = is_wanted(IPC_LOCK);
    region_leave();
}

static bool watch(int connection, uint32_t kind) {
    for (int i = 0; i < WATCHERS_MAX; i++)
        if (!watchers[i].place) {
            watchers[i].place = connection + 1;
            watchers[i].kind = kind;
            note_what_is_wanted();
            return true;
        }
    return false;
}

static void watch_no_more(int connection) {
    for (int i = 0; i < WATCHERS_MAX; i++)
        if (watchers[i].place == connection + 1) {
            watchers[i].place = 0;
            note_what_is_wanted();
        }
}

/* Returns whether the connection is to be closed. */
static bool answer(int connection, struct ipc_request *request, const struct ucred *sender, int *descriptor) {
    static struct ipc_reply answer;
    uint32_t kind = request->header.kind;
    answer = (struct ipc_reply){.header.kind = IPC_REFUSED,
                                .region_bytes = SHARED_BYTES,
                                .clock_ns = clock_now(),
                                .realtime_offset = clock_realtime_offset()};
    if (kind == IPC_DOWN) {
        answer.header.kind = IPC_WELCOME;
        keeper_take_down("the stack was taken down");
        reply(connection, &answer, IPC_NOTHING);
        keeper_call_main();
        stand_at(connection, WATCHES);
        return false; /* hangs up when the keeper has ended */
    } else if (kind == IPC_YIELD) {
        answer.header.kind = keeper_yields();
        reply(connection, &answer, IPC_NOTHING);
    } else if (request->header.version != SHARED_VERSION) {
        reply(connection, &answer, IPC_NOTHING); /* the version in it says what is wrong */
    } else if (kind == IPC_ATTACH || kind == IPC_RESUME) {
        bool in = admit(sender, request, &answer);
        reply(connection, &answer,
              in ? (struct ipc_ancillary){keeper.region, shared_nic(sender)} : IPC_NOTHING);
        stand_at(connection, MEMBER);
        return !in;
    } else if (kind == IPC_LOOK || kind == IPC_TRACE || kind == IPC_LOCK) {
        answer.header.kind = kind != IPC_LOOK && !watch(connection, kind) ? IPC_REFUSED : IPC_WELCOME;
        reply(connection, &answer, (struct ipc_ancillary){keeper.region, -1});
        stand_at(connection, WATCHES);
        return kind == IPC_LOOK;
    } else if (kind == IPC_CHILD) {
        if (take_child(request->record, *descriptor))
            *descriptor = -1; /* kept */
        return false;
    } else if (kind == IPC_POLLER) {
        keeper_watch_nic();
        keeper_frames_receive();
        return false;
    } else if (kind == IPC_REMOTE_EVENTFD) {
        int eventfd = eventfd_of(request->waiter, request->waiter_number);
        answer.header.kind = eventfd >= 0 ? IPC_WELCOME : IPC_REFUSED;
        answer.waiter_number = request->waiter_number;
        reply(connection, &answer, (struct ipc_ancillary){eventfd, -1});
        return false;
    } else if (kind == IPC_INFLIGHT) {
        if (*descriptor >= 0)
            inflight_watch_take(request->inflight, *descriptor);
        *descriptor = -1;
        return false;
    } else if (kind == IPC_MONITOR) {
        if (netlink_monitor_take(&request->monitor, *descriptor))
            *descriptor = -1; /* kept */
        return false;
    } else if (kind == IPC_WAITER) {
        if (take_eventfd(request->waiter, request->waiter_number, *descriptor))
            *descriptor = -1; /* kept */
        return false;
    }
    return true;
}

void ipc_server_request(int connection) {
    static struct ipc_request request;
    struct ucred sender;
    int descriptor;
    ssize_t length = read_request(connection, &request, &sender, &descriptor);
    bool done = length < 0
                    ? errno != EAGAIN
                    : !understood(&request, length) || !may_say(connection, request.header.kind, &sender) ||
                          answer(connection, &request, &sender, &descriptor);
    if (descriptor >= 0)
        close(descriptor);
    if (!done)
        return;
    watch_no_more(connection);
    close(connection);
}
