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

enum { DOOR_OF_ADDRESS, DOOR_OF_NAME, DOOR_OF_PATH };

/* Returns 0 or a negative errno. */
static int take_door(int which, const struct door_place *place) {
    int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0177);
    int error =
        door < 0 || bind(door, (const struct sockaddr *)&place->address, place->length) < 0 ? -errno : 0;
    umask(before);
    if (error && door >= 0)
        close(door);
    keeper.doors[which] = error ? -1 : door;
    return error;
}

static int open_door(int which) {
    int one = 1; /* connections have it from there */
    if (setsockopt(keeper.doors[which], SOL_SOCKET, SO_PASSCRED, &one, sizeof one) < 0 ||
        listen(keeper.doors[which], 256) < 0)
        return -errno;
    keeper_watch(keeper.doors[which], KEEPER_DOOR);
    return 0;
}

bool keeper_door_take_address(uint32_t address) {
    const char *interface = door_interface(keeper.config.nic);
    struct door_place place =
        door_of_address(keeper.config.nic, interface ? if_nametoindex(interface) : 0, address);
    return place.length == 0 || take_door(DOOR_OF_ADDRESS, &place) == 0;
}

bool keeper_door_take_name(void) {
    struct door_place place = door_of_name(keeper.user, keeper.config.name);
    return place.length == 0 || take_door(DOOR_OF_NAME, &place) == 0;
}

bool keeper_door_take_mac(const uint8_t mac[6]) {
    struct door_place place = door_of_mac(keeper.nic->facts.index, mac);
    int held = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return keeper.nic->facts.index == 0 || memcmp(mac, keeper.nic->facts.mac, 6) == 0 ||
           bind(held, (const struct sockaddr *)&place.address, place.length) == 0;
}

int keeper_door_open(void) {
    struct door_place place = door_of_path(keeper.directory, keeper.config.name);
    unlink(keeper.door_path); /* stale: we hold the lock of this name */
    int error = take_door(DOOR_OF_PATH, &place);
    for (int i = 0; i < KEEPER_DOORS && !error; i++)
        error = keeper.doors[i] >= 0 ? open_door(i) : 0;
    return error;
}

void keeper_door_close(void) {
    for (int i = 0; i < KEEPER_DOORS; i++)
        if (keeper.doors[i] >= 0)
            close(keeper.doors[i]);
    for (int i = 0; i < KEEPER_DOORS; i++)
        keeper.doors[i] = -1;
    unlink(keeper.door_path);
}

bool keeper_door_open_leased(uint32_t address) {
    return keeper_door_take_address(address) &&
           (keeper.doors[DOOR_OF_ADDRESS] < 0 || open_door(DOOR_OF_ADDRESS) == 0);
}

void keeper_door_leave_address(void) {
    if (keeper.doors[DOOR_OF_ADDRESS] >= 0)
        close(keeper.doors[DOOR_OF_ADDRESS]);
    keeper.doors[DOOR_OF_ADDRESS] = -1;
}

/* Whether a process has an account already: it may have become another user's, and another program, since. */
static bool is_member(int pid) {
    struct list *link, *next;
    bool found = false;
    shared_lock();
    keeper_watch_children();
    list_for_each(link, next, &shared->process_list) {
        const struct process *process = container_of(link, struct process, link);
        if (pid > 0 && process->pid == pid && keeper_lives(process))
            found = true;
    }
    shared_unlock();
    return found;
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
    bool own = sender->uid == keeper.user, joins = kind == DOOR_ATTACH || kind == DOOR_RESUME;
    bool tells = kind == DOOR_CHILD || kind == DOOR_POLLER || kind == DOOR_PEER || kind == DOOR_WAITER ||
                 kind == DOOR_FLIGHT;
    if (stands[connection] == MEMBER)
        return tells;
    return stands[connection] == KNOCKS && !tells && (own || (joins && is_member(sender->pid)));
}

/* Doors that nobody is let in at until descriptors are free again: who knocks waits. */
static int shut[8], shut_count;

static void shut_door(int door) {
    if (shut_count == sizeof shut / sizeof *shut)
        return;
    shut[shut_count++] = door;
    epoll_ctl(keeper.events, EPOLL_CTL_DEL, door, NULL);
    keeper.unsettled = true; /* looks again after a while */
}

void keeper_door_again(void) {
    while (shut_count > 0)
        keeper_watch(shut[--shut_count], KEEPER_DOOR);
}

void keeper_door_accept(int door) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    int connection = accept4(door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
        shut_door(door);
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
static ssize_t read_request(int connection, struct door_request *request, struct ucred *sender,
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

static bool understood(const struct door_request *request, ssize_t length) {
    const struct door_header *header = &request->header;
    if (length < (ssize_t)sizeof *header || header->magic != SHARED_MAGIC)
        return false;
    if (header->version != SHARED_VERSION || header->kind == DOOR_DOWN || header->kind == DOOR_YIELD)
        return true; /* more of it is not looked at */
    return length == sizeof *request && config_is_whole(&request->config) &&
           *(const uint8_t *)&request->inherited <= 1;
}

static void reply(int connection, struct door_reply *reply, struct door_beside beside) {
    union door_control control = {0};
    struct iovec piece = {reply, sizeof *reply};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    reply->header.magic = SHARED_MAGIC;
    reply->header.version = SHARED_VERSION;
    door_put_beside(&message, &control, beside);
    sendmsg(connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The account of a process that begins with a new program: by exec, when what belonged to the old one's
 * threads is gone; or one that its parent made for it. The lock is held. NULL when it has none. */
static struct process *find_account(int pid, struct account given) {
    struct list *link, *next;
    struct process *made = account_find(given);
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
static bool welcome(const struct ucred *sender, const struct door_request *request,
                    struct door_reply *answer) {
    bool resumes = request->header.kind == DOOR_RESUME;
    answer->header.kind = keeper_terms(&request->config, resumes, answer->message);
    if (answer->header.kind != DOOR_WELCOME)
        return false;
    int pidfd = sender->pid > 0 ? keeper_pidfd(sender->pid) : -ESRCH;
    if (pidfd < 0 && pidfd != -ENOSYS) {
        snprintf(answer->message, sizeof answer->message,
                 "the keeper of stack '%s' can't see this process: %s", keeper.config.name,
                 sender->pid > 0 ? strerror(-pidfd) : "it is in another PID namespace");
        answer->header.kind = DOOR_REFUSED;
        return false;
    }
    shared_lock();
    struct process *process = resumes && !shared->broken ? find_account(sender->pid, request->account) : NULL;
    bool known = process;
    if (!process && (!resumes || request->inherited) && (process = process_create(sender->pid)))
        process->pidfd = pidfd >= 0 ? pidfd : -1;
    if (process && !process->estate)
        process->estate = estate_create();
    shared_unlock();
    answer->process = process;
    if (known || !process) {
        if (pidfd >= 0)
            close(pidfd);
        if (!known && !resumes)
            snprintf(answer->message, sizeof answer->message, "stack '%s' is out of memory",
                     keeper.config.name);
        answer->header.kind = known ? DOOR_WELCOME : DOOR_REFUSED;
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

static bool take_child(struct account account, int pidfd) {
    int pid = pidfd >= 0 ? pid_of(pidfd) : -1;
    if (pid < 0)
        return false;
    shared_lock();
    struct process *process = account_find(account);
    bool there = process && process->pid == 0;
    if (there) {
        process->pid = pid;
        process->pidfd = pidfd;
        if (process->pid == 0)
            process->unborn_until_ns = 0; /* ended already: settled at the next look */
        else
            keeper_watch(pidfd, KEEPER_PROCESS);
    }
    shared_unlock();
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
    shared_lock();
    bool there =
        pool_has(&shared->waiters, waiter) && waiter->number == number && waiter->keeper_descriptor < 0;
    if (there)
        waiter->keeper_descriptor = descriptor;
    bool woken = there && waiter->word;
    shared_unlock();
    if (woken)
        eventfd_write(descriptor, 1);
    return there;
}

/* The keeper's copy of a waiter's eventfd, or -1. */
static int eventfd_of(const struct waiter *waiter, uint32_t number) {
    shared_lock();
    bool there = pool_has(&shared->waiters, waiter) && waiter->number == number;
    int descriptor = there ? waiter->keeper_descriptor : -1;
    shared_unlock();
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

/* Connections of those who want to see what happens (DOOR_TRACE), or how long the lock is held (DOOR_LOCK).
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
    shared_lock();
    if (is_wanted(DOOR_TRACE))
        shared->stack.trace.wanted |= TRACE_FRAMES | TRACE_SAMPLES;
    else
        shared->stack.trace.wanted &= ~(unsigned)TRACE_SAMPLES; /* frames may be wanted by --trace, too */
    shared->lock_profile.wanted = is_wanted(DOOR_LOCK);
    shared_unlock();
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
static bool answer(int connection, struct door_request *request, const struct ucred *sender,
                   int *descriptor) {
    static struct door_reply answer;
    uint32_t kind = request->header.kind;
    answer = (struct door_reply){.header.kind = DOOR_REFUSED,
                                 .region_bytes = SHARED_BYTES,
                                 .clock_ns = clock_now(),
                                 .realtime_offset = clock_realtime_offset()};
    if (kind == DOOR_DOWN) {
        answer.header.kind = DOOR_WELCOME;
        keeper_take_down("the stack was taken down");
        reply(connection, &answer, DOOR_NOTHING);
        eventfd_write(keeper.leave, 1);
        stand_at(connection, WATCHES);
        return false; /* hangs up when the keeper has ended */
    } else if (kind == DOOR_YIELD) {
        answer.header.kind = keeper_yields();
        reply(connection, &answer, DOOR_NOTHING);
    } else if (request->header.version != SHARED_VERSION) {
        reply(connection, &answer, DOOR_NOTHING); /* the version in it says what is wrong */
    } else if (kind == DOOR_ATTACH || kind == DOOR_RESUME) {
        bool in = welcome(sender, request, &answer);
        reply(connection, &answer,
              in ? (struct door_beside){keeper.region, shared_nic(sender)} : DOOR_NOTHING);
        stand_at(connection, MEMBER);
        return !in;
    } else if (kind == DOOR_LOOK || kind == DOOR_TRACE || kind == DOOR_LOCK) {
        answer.header.kind = kind != DOOR_LOOK && !watch(connection, kind) ? DOOR_REFUSED : DOOR_WELCOME;
        reply(connection, &answer, (struct door_beside){keeper.region, -1});
        stand_at(connection, WATCHES);
        return kind == DOOR_LOOK;
    } else if (kind == DOOR_CHILD) {
        if (take_child(request->account, *descriptor))
            *descriptor = -1; /* kept */
        return false;
    } else if (kind == DOOR_POLLER) {
        keeper_watch_nic();
        keeper_frames_receive();
        return false;
    } else if (kind == DOOR_PEER) {
        int eventfd = eventfd_of(request->waiter, request->waiter_number);
        answer.header.kind = eventfd >= 0 ? DOOR_WELCOME : DOOR_REFUSED;
        answer.waiter_number = request->waiter_number;
        reply(connection, &answer, (struct door_beside){eventfd, -1});
        return false;
    } else if (kind == DOOR_FLIGHT) {
        if (*descriptor >= 0)
            keeper_flights_take(request->flight, *descriptor);
        *descriptor = -1;
        return false;
    } else if (kind == DOOR_WAITER) {
        if (take_eventfd(request->waiter, request->waiter_number, *descriptor))
            *descriptor = -1; /* kept */
        return false;
    }
    return true;
}

void keeper_door_request(int connection) {
    static struct door_request request;
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
