/* SPDX-License-Identifier: MIT */
/*
 * fuzz_door.c - the keeper's door, as a client may use it, also where the region's memory runs out: the input
 * is a list of steps, each a byte for what and on which of its connections, a byte for how, two for how long,
 * and so many bytes: the end of the request, and then what is before it, from behind the header on.
 */
#include "shim/keeper/keeper.h"
#include "shim/keeper/privileges.h"
#include "shim/region/frames.h"
#include "shim/region/inflight.h"
#include "shim/region/ipc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include "tests/fuzz/region.h"
#include "tests/fuzz/target.h"
#include "tests/unit/failing.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONNECTIONS 4
#define KINDS 16u /* of requests: more than there are */

#define STEP_MEMORY (KINDS - 1)

enum how {
    HOW_SHORT = 1,    /* no longer than the bytes that there are */
    HOW_STRANGE = 2,  /* magic and version are of the input */
    HOW_POINTERS = 4, /* the pointers in it are to something that there is */
    HOW_EVENTFD = 8,  /* beside it: one of these, or two */
    HOW_PIDFD = 16,
    HOW_SOCKET = 32,
    HOW_CLOSE = 64, /* the client hangs up after it */
    HOW_FULL = 128, /* texts in it have no end */
};

struct keeper keeper = {.lock = -1, .listeners = {-1, -1, -1}, .region = -1};
struct process *wake_self;
static struct nic nic;
static int ipc = -1, clients[CONNECTIONS], connections[CONNECTIONS], accepted;

/* What the keeper's other parts would do. */
uint64_t clock_now(void) {
    return target_now;
}

uint64_t clock_realtime_offset(void) {
    return 0;
}

void keeper_watch(int descriptor, enum keeper_event kind) {
    if (kind == KEEPER_CONNECTION)
        accepted = descriptor;
}

void keeper_watch_children(void) {
    target_expect(target_locked, "the lock");
}

void keeper_release_waiters(struct process *process) {
    struct list *link;
    while ((link = list_first(&process->waiters)))
        waiter_release(container_of(link, struct waiter, link));
}

void keeper_take_down(const char *why) {
    (void)why;
}

void keeper_watch_nic(void) {
}

void keeper_frames_receive(void) {
}

bool keeper_frames_waiting(void) {
    return false;
}

bool rights_borrowed(void) {
    return false;
}

void frames_reap(struct process *process) {
    (void)process;
}

void wake_keeper_on_leave(void) {
}

void keeper_call_main(void) {
}

void wake_keeper(void) {
}

void wake_everybody(void) {
}

void wake_one(struct waiter *waiter) {
    (void)waiter;
}

static void begin(void) {
    target_region();
    if (ipc >= 0)
        return;
    struct sockaddr_un nameless = {.sun_family = AF_UNIX};
    ipc = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    target_expect(ipc >= 0 && bind(ipc, (struct sockaddr *)&nameless, sizeof nameless.sun_family) == 0 &&
                      setsockopt(ipc, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) == 0 &&
                      listen(ipc, 256) == 0,
                  "a door");
    keeper.user = geteuid();
    keeper.leave = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    keeper.region = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* something to be given away */
    keeper.nic = &nic;
    inflight_watch_take(0, eventfd(0, EFD_CLOEXEC)); /* it keeps a set from then on */
    strcpy(keeper.config.nic, "packet:bw0");
    strcpy(keeper.config.name, "fuzz");
    keeper.config.address = TARGET_ADDRESS;
    keeper.config.prefix_length = 24;
}

static void hang_up(int number) {
    if (clients[number] < 0)
        return;
    close(clients[number]);
    clients[number] = -1;
}

/* A client at the door; the keeper takes it in. */
static bool knock(int number) {
    struct sockaddr_un place;
    socklen_t length = sizeof place;
    if (clients[number] >= 0)
        return true;
    getsockname(ipc, (struct sockaddr *)&place, &length);
    int client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    target_expect(client >= 0 && connect(client, (struct sockaddr *)&place, length) == 0, "a client");
    accepted = -1;
    ipc_server_accept(ipc);
    target_expect(accepted >= 0, "a connection");
    clients[number] = client;
    connections[number] = accepted;
    return true;
}

/* Takes what the keeper has said, and gives back what came beside it. Returns how many replies there were. */
static int hear(int client) {
    int replies = 0;
    struct ipc_reply reply;
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec piece = {&reply, sizeof reply};
    for (;;) {
        struct msghdr message = {
            .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        if (recvmsg(client, &message, MSG_CMSG_CLOEXEC) < (ssize_t)sizeof reply)
            return replies;
        replies++;
        target_expect(memchr(reply.message, 0, sizeof reply.message) != NULL, "an end of the message");
        struct ipc_ancillary ancillary = ipc_taken_ancillary(&message);
        if (ancillary.first >= 0)
            close(ancillary.first);
        if (ancillary.second >= 0)
            close(ancillary.second);
    }
}

/* Something that there is, of the pool that a pointer should be of. */
static void *known(struct list *list, size_t offset, const void *given) {
    struct list *first = list_first(list);
    return first ? (char *)first - offset + ((uintptr_t)given & 7) : NULL;
}

static int beside_of(int how, int *descriptors) {
    int count = 0;
    if (how & HOW_EVENTFD)
        descriptors[count++] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (how & HOW_PIDFD)
        descriptors[count++] = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (how & HOW_SOCKET)
        descriptors[count++] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return count;
}

/* Gives the request's bytes, which end where they end. */
static void say(int client, int how, const struct ipc_request *request, size_t length) {
    union {
        char bytes[CMSG_SPACE(3 * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    int descriptors[3], count = beside_of(how, descriptors);
    struct iovec piece = {(void *)request, length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                   .cmsg_type = SCM_RIGHTS,
                                   .cmsg_len = CMSG_LEN((size_t)count * sizeof(int))};
        memcpy(CMSG_DATA(header), descriptors, (size_t)count * sizeof(int));
    }
    sendmsg(client, &message, MSG_NOSIGNAL);
    for (int i = 0; i < count; i++)
        close(descriptors[i]);
}

static void step(uint8_t what, uint8_t how, const uint8_t *data, uint32_t length) {
    struct ipc_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, what % KINDS}};
    int number = what / KINDS % CONNECTIONS;
    size_t header = how & HOW_STRANGE ? 0 : sizeof request.header, room = sizeof request - header;
    size_t end = offsetof(struct ipc_request, waiter), behind = sizeof request - end;
    struct waiter *waiter = NULL;
    struct process *child = NULL;
    if (how & HOW_FULL)
        memset(&request.config, 'a', sizeof request.config);
    memcpy((char *)&request + end, data, length < behind ? length : behind);
    if (length > behind)
        memcpy((char *)&request + header, data + behind,
               length - behind < end - header ? length - behind : end - header);
    if (how & HOW_POINTERS) {
        struct list *first = list_first(&shared->process_list);
        struct process *process = first ? container_of(first, struct process, link) : NULL;
        struct list *last = first ? shared->process_list.previous : NULL;
        child = last ? container_of(last, struct process, link) : NULL;
        request.record.process = child;
        if (child && request.record.made_ns & 1)
            request.record.made_ns = child->made_ns;
        request.waiter =
            process ? known(&process->waiters, offsetof(struct waiter, link), request.waiter) : NULL;
        first = process ? list_first(&process->waiters) : NULL;
        waiter = first ? container_of(first, struct waiter, link) : NULL;
        if (waiter && request.waiter_number & 1)
            request.waiter_number = waiter->number;
    }
    if (what % KINDS == STEP_MEMORY) { /* is out, from one take on, for so many */
        failing_begin(1 + how % 8u, length > 0 ? data[0] : 1);
        return;
    }
    if (!knock(number))
        return;
    say(clients[number], how, &request, how & HOW_SHORT && length < room ? header + length : sizeof request);
    int connection = connections[number];
    bool stranger = waiter && waiter->keeper_descriptor < 0 && request.waiter_number != waiter->number;
    bool foreign_child = child && child->pid == 0 && request.record.made_ns != child->made_ns;
    ipc_server_request(connection);
    foreign_child &= child && pool_has(&shared->processes, child); /* the request may have ended either */
    stranger &= waiter && pool_has(&shared->waiters, waiter);
    target_expect(!foreign_child || child->pid == 0, "no account of one that had its place before");
    target_expect(!stranger || waiter->keeper_descriptor < 0, "no eventfd of one that had its place before");
    int replies = hear(clients[number]);
    bool endless = how == HOW_FULL && length <= behind && request.header.kind != IPC_DOWN &&
                   request.header.kind != IPC_YIELD;
    target_expect(!endless || replies == 0, "no answer to a request whose texts have no end");
    if (how & HOW_CLOSE)
        hang_up(number);
    char nothing;
    if (clients[number] >= 0 && recv(clients[number], &nothing, 1, MSG_PEEK) == 0)
        hang_up(number); /* the keeper has */
    else if (clients[number] < 0)
        ipc_server_request(connection); /* and hears of that, unless it was the first */
}

/* A child and a waiter of the first who joined, as programs make them. */
static void make_records(void) {
    struct list *first = list_first(&shared->process_list);
    struct process *process = first ? container_of(first, struct process, link) : NULL;
    struct waiter *waiter;
    if (!process || list_first(&process->waiters) || !(waiter = pool_take_zeroed(&shared->waiters)))
        return;
    waiter->process = process;
    waiter->descriptor = waiter->keeper_descriptor = -1;
    waiter_enter(waiter);
    process_create(0);
}

static void end(void) {
    struct list *link;
    failing_end();
    for (int i = 0; i < CONNECTIONS; i++) {
        bool there = clients[i] >= 0;
        hang_up(i);
        if (there)
            ipc_server_request(connections[i]);
    }
    while ((link = list_first(&shared->process_list))) {
        struct process *process = container_of(link, struct process, link);
        if (process->pidfd >= 0)
            close(process->pidfd);
        process_reap(process);
    }
    while ((link = list_first(&shared->ended))) {
        struct waiter *waiter = container_of(link, struct waiter, link);
        list_remove(link);
        close(waiter->keeper_descriptor);
        pool_return(&shared->waiters, waiter);
    }
    inflight_expire(NULL, 0);
    target_expect(shared->processes.used == 0 && shared->file_tables.used == 0 && shared->waiters.used == 0,
                  "no account left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    begin();
    for (int i = 0; i < CONNECTIONS; i++)
        clients[i] = -1;
    int free_before = dup(0);
    close(free_before);
    for (int steps = 0; size >= 4 && steps < 64; steps++) {
        uint8_t what = data[0], how = data[1];
        uint32_t length = wire_get16(data + 2);
        data += 4;
        size -= 4;
        length = length < size ? length : (uint32_t)size;
        step(what, how, data, length);
        make_records();
        data += length;
        size -= length;
    }
    end();
    int free_after = dup(0);
    close(free_after);
    target_expect(free_before == free_after, "no descriptor left");
    return 0;
}
