/* SPDX-License-Identifier: MIT */
/*
 * attach.c - see attach.h.
 */
#include "shim/library/process/attach.h"
#include "nic/direct/packet.h"
#include "shim/library/calls/call.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/memory.h"
#include "shim/library/output/messages.h"
#include "shim/library/output/tracing.h"
#include "shim/library/process/address_space.h"
#include "shim/library/process/sandbox.h"
#include "shim/library/process/signals.h"
#include "shim/library/process/start.h"
#include "shim/library/syscalls/syscall_sites.h"
#include "shim/library/syscalls/user_dispatch.h"
#include "shim/library/wait/epoll_set.h"
#include "shim/library/wait/remote_eventfd.h"
#include "shim/region/frames.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/region_begin.h"
#include "shim/region/wake.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ATTEMPTS_MAX 2000 /* a millisecond apart, while another process starts the keeper */

struct config attach_config;
static _Atomic bool is_attached;
static pthread_mutex_t attaching = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static _Atomic bool step_underway; /* on some thread */
#define PLACES_MAX 15
static struct place {
    struct ipc_address door;
    struct ip_address address; /* that it is the door of; "::": of a name */
} places[PLACES_MAX];          /* where the stack's door may be, the surest first */
static int place_count;
static unsigned stranger;           /* who has the address, when it is none of ours */
static struct ip_address strangers; /* ... that address */
static int ipc = -1; /* stays open, for what is to be told later, when this process may be another user's */

static void say_line(const char *format, va_list arguments) {
    char line[512] = "barewire: ";
    int length = vsnprintf(line + 10, sizeof line - 11, format, arguments);
    if (length < 0)
        return;
    if (length > (int)sizeof line - 12)
        length = sizeof line - 12;
    line[10 + length] = '\n';
    messages_write(line, (size_t)length + 11);
}

void attach_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say_line(format, arguments);
    va_end(arguments);
}

void attach_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say_line(format, arguments);
    va_end(arguments);
    LIBC(_exit)(2);
    __builtin_unreachable();
}

bool attached(void) {
    return is_attached;
}

__attribute__((no_sanitize("address", "thread"))) bool attached_unwatched(void) {
    return is_attached;
}

#define STEP_PATIENCE_S \
    5 /* a handler of another's, which ran before ours, may have locked what the first step wants */

static __thread struct {
    unsigned depth; /* a signal handler that runs in fork(2) may fork */
    bool held;
} forking __attribute__((tls_model("initial-exec")));

void attach_fork_begin(void) {
    struct timespec limit;
    if (forking.depth++ > 0 || is_attached || address_space_by_caller())
        return;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += STEP_PATIENCE_S;
    forking.held = pthread_mutex_clocklock(&attaching, CLOCK_MONOTONIC, &limit) == 0;
}

void attach_fork_end(void) {
    if (--forking.depth > 0 || !forking.held)
        return;
    forking.held = false;
    pthread_mutex_unlock(&attaching);
}

void attach_forked(void) {
    attaching =
        (pthread_mutex_t)PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP; /* another thread of the parent's may
                                                                              have had it */
    step_underway = false;
    forking.depth = 0;
    forking.held = false;
}

void attach_await(void) {
    struct timespec limit;
    if (!step_underway)
        return;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += STEP_PATIENCE_S;
    if (pthread_mutex_clocklock(&attaching, CLOCK_MONOTONIC, &limit) == 0)
        pthread_mutex_unlock(&attaching);
}

bool attach_broken(void) {
    static _Atomic bool said;
    if (!shared->broken)
        return false;
    if (shared->refused)
        attach_fail("%s", shared->message);
    if (!atomic_exchange(&said, true))
        attach_say("%s", shared->message);
    return true;
}

/* The users that this process may be: a program may have changed one of them, and be a member of the stack
 * still. */
static int own_users(unsigned users[4]) {
    uid_t real = 0, effective = 0, saved = 0;
    getresuid(&real, &effective, &saved);
    const unsigned all[] = {effective, real, saved, 0};
    int count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int known = 0;
        while (known < count && users[known] != all[i])
            known++;
        if (known == count)
            users[count++] = all[i];
    }
    return count;
}

/* Whoever answers must be one of us, or root, whose program this may have been. */
static bool is_trusted(unsigned user) {
    unsigned users[4];
    int count = own_users(users);
    while (count > 0 && users[count - 1] != user)
        count--;
    return count > 0;
}

union credentials_control {
    char bytes[CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
};

/* The kernel tells a receiver the sender's real user (SO_PASSCRED) unless the sender names the effective one,
 * which its rights are those of. */
static void name_effective_user(struct msghdr *message, union credentials_control *control) {
    const struct ucred sender = {.pid = getpid(), .uid = geteuid(), .gid = getegid()};
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof sender);
    memcpy(CMSG_DATA(header), &sender, sizeof sender);
}

static int send_request(int ipc, const struct ipc_request *request, int descriptor, int flags) {
    union ipc_control control = {0};
    union credentials_control credentials = {0};
    struct iovec piece = {(void *)request, sizeof *request};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    ssize_t result;
    ipc_put_ancillary(&message, &control, (struct ipc_ancillary){descriptor, -1});
    if (descriptor < 0 && getuid() != geteuid())
        name_effective_user(&message, &credentials);
    do
        result = KERNEL(sendmsg)(ipc, &message, MSG_NOSIGNAL | flags);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

static int receive_reply(int ipc, struct ipc_reply *reply, struct ipc_ancillary *ancillary, int flags) {
    union ipc_control control = {0};
    struct iovec piece = {reply, sizeof *reply};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t result;
    do
        result = KERNEL(recvmsg)(ipc, &message, MSG_CMSG_CLOEXEC | flags);
    while (result < 0 && errno == EINTR);
    if (result < (ssize_t)sizeof reply->header)
        return result < 0 ? -errno : -ECONNRESET;
    *ancillary = ipc_taken_ancillary(&message);
    const struct ipc_header *header = &reply->header;
    bool understood =
        header->magic == SHARED_MAGIC && header->version == SHARED_VERSION && result == sizeof *reply;
    return understood ? 0 : -EPROTO;
}

/* Asks at one door. Fills *connection after a welcome. -EACCES: it is another user's, who does not let us in.
 */
static int ask_at(const struct ipc_address *place, const struct ipc_request *request, struct ipc_reply *reply,
                  struct ipc_ancillary *ancillary, int *connection) {
    *ancillary = IPC_NOTHING;
    unsigned user;
    int asked = ipc_connect(place, &user);
    if (asked < 0)
        return asked;
    bool trusted = is_trusted(user);
    int error = trusted ? send_request(asked, request, -1, 0) : -EACCES;
    if (!error)
        error = receive_reply(asked, reply, ancillary, 0);
    if (trusted && (error == -ECONNRESET || error == -EPIPE) && user != geteuid())
        error = -EACCES;
    if (error == -EACCES)
        stranger = user;
    if (error || reply->header.kind != IPC_WELCOME)
        LIBC(close)(asked);
    else
        *connection = asked;
    return error;
}

static int ask_any_keeper(const struct ipc_request *request, struct ipc_reply *reply,
                          struct ipc_ancillary *ancillary, int *connection) {
    int error = -ENOENT;
    for (int i = 0; i < place_count; i++) {
        error = ask_at(&places[i].door, request, reply, ancillary, connection);
        bool nobody = error == -ECONNREFUSED || error == -ENOENT || error == -EACCES;
        strangers = places[i].address;
        if (!nobody || (error == -EACCES && !ip_is_any(strangers)))
            break; /* a name that is another's is no obstacle, an address is */
    }
    return error;
}

int attach_ask(const struct ipc_request *request, struct ipc_reply *reply, struct ipc_ancillary *ancillary) {
    int connection = -1;
    uint64_t asked_ns = clock_now();
    int error = ask_any_keeper(request, reply, ancillary, &connection);
    if (!error && reply->header.kind == IPC_WELCOME)
        clock_join(asked_ns, clock_now(), reply->clock_ns, reply->realtime_offset);
    if (connection >= 0)
        ipc = descriptor_make_private(connection);
    return error;
}

int attach_connection(void) {
    return ipc;
}

int attach_ask_later(const struct ipc_request *request) {
    return send_request(ipc, request, -1, MSG_DONTWAIT);
}

bool attach_hear(struct ipc_reply *reply, struct ipc_ancillary *ancillary) {
    return receive_reply(ipc, reply, ancillary, MSG_DONTWAIT) == 0;
}

int attach_tell(const struct ipc_request *request, int ancillary) {
    return send_request(ipc, request, ancillary, 0);
}

static void map_region(int region, uint64_t bytes) {
    void *mapped = MAP_FAILED;
    int error = 0; /* making room has errors of its own */
    do
        mapped = mmap((void *)SHARED_BASE, bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, region, 0);
    while (mapped == MAP_FAILED && (error = errno) == ENOMEM && sandbox_make_room());
    LIBC(close)(region);
    if (mapped != (void *)SHARED_BASE) {
        char reason[REGION_REASON_BYTES];
        region_unmapped(mapped == MAP_FAILED && bytes ? error : 0, reason);
        attach_fail("%s", reason);
    }
    madvise(mapped, bytes,
            MADV_DONTDUMP); /* it is not the program's, has others' data, and is 1 GB in a core dump */
}

static void adopt_nic(int descriptor) {
    const struct nic_packet_calls calls = {LIBC(recvmmsg), LIBC(sendmmsg)};
    void *memory = descriptor >= 0 ? memory_take(nic_packet_bytes()) : NULL;
    if (memory)
        frames_nic = nic_packet_adopt(memory, descriptor_make_private(descriptor), &calls);
    else if (descriptor >= 0)
        LIBC(close)(descriptor);
}

void attach_adopt(const struct ipc_reply *reply, struct ipc_ancillary ancillary) {
    map_region(ancillary.first, reply->region_bytes);
    adopt_nic(ancillary.second);
    wake_self = reply->process;
    wake_self->in_child_pid_namespace = wake_self->pid != getpid();
}

static void add_place(struct ipc_address door) {
    if (door.length > 0 && place_count < PLACES_MAX)
        places[place_count++] = (struct place){.door = door};
}

static void add_address(struct ip_address address) {
    const char *interface = config_interface(attach_config.nic);
    unsigned index = interface ? LIBC(if_nametoindex)(interface) : 0;
    struct ipc_address door = ipc_of_address(attach_config.nic, index, address);
    if (door.length > 0 && place_count < PLACES_MAX)
        places[place_count++] = (struct place){door, address};
}

void attach_find_keepers(void) {
    char directory[108];
    unsigned users[4];
    int count = own_users(users);
    place_count = 0;
    for (uint32_t i = 0; i <= attach_config.more_count; i++)
        add_address(ip_from_v4(config_address4(&attach_config, i).address));
    for (int i = 0; i < attach_config.count6; i++)
        add_address(attach_config.addresses6[i].address);
    for (int i = 0; i < count; i++)
        add_place(ipc_of_name(users[i], attach_config.name));
    if (attach_config.name_given && config_find_directory(directory))
        add_place(ipc_of_path(directory, attach_config.name));
}

/* Why this process is not on its stack. */
static char trouble[SHARED_MESSAGE_BYTES];

static bool cannot(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool cannot(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (!trouble[0]) /* what was in the way first counts: after that this process has fewer rights */
        vsnprintf(trouble, sizeof trouble, format, arguments);
    va_end(arguments);
    return false;
}

/* What the keeper has said last. */
static struct ipc_reply reply;

/* One try. Returns 0, or a negative errno when nobody is at the door; -EPERM: it is said why not; -EAGAIN:
 * the stack is about to end. */
static int join(void) {
    static struct ipc_request request;
    struct ipc_ancillary ancillary;
    request =
        (struct ipc_request){.header = {SHARED_MAGIC, SHARED_VERSION, IPC_ATTACH}, .config = attach_config};
    int error = attach_ask(&request, &reply, &ancillary);
    if (error)
        return error;
    if (reply.header.kind == IPC_YIELDS || reply.header.kind == IPC_CLOSING)
        return -EAGAIN;
    if (reply.header.kind != IPC_WELCOME) {
        cannot("%s", reply.message);
        return -EPERM;
    }
    attach_adopt(&reply, ancillary);
    if (reply.message[0])
        attach_say("%s", reply.message);
    return 0;
}

/* A stack of another version that nobody uses gives way as well. */
static bool asks_to_yield(void) {
    const struct ipc_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, IPC_YIELD}};
    struct ipc_reply answer = {.header.kind = IPC_REFUSED};
    struct ipc_ancillary ancillary;
    int connection = -1;
    ask_any_keeper(&request, &answer, &ancillary, &connection);
    if (connection >= 0)
        LIBC(close)(connection);
    return answer.header.kind == IPC_YIELDS || answer.header.kind == IPC_CLOSING;
}

/* The same, for a process that will only join once it runs another program: it gets an account, and nothing
 * else. */
static int enrol(void) {
    struct ipc_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, IPC_ATTACH},
                                  .config = attach_config};
    struct ipc_reply answer; /* on this stack: the memory may be a parent's, which vfork has put to sleep */
    struct ipc_ancillary ancillary;
    int connection = -1, error = ask_any_keeper(&request, &answer, &ancillary, &connection);
    const int got[] = {connection, ancillary.first, ancillary.second};
    for (int i = 0; i < 3; i++)
        if (got[i] >= 0)
            LIBC(close)(got[i]);
    bool ends = !error && (answer.header.kind == IPC_YIELDS || answer.header.kind == IPC_CLOSING);
    return ends ? -EAGAIN : error;
}

/* Enters the stack, which is started if there is none. */
static bool start_or_enter(int (*enter)(void)) {
    char error[CONFIG_ERROR_BYTES], address[IP_ADDRESS_TEXT];
    struct timespec pause = {0, 1000000};
    attach_find_keepers();
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        int result = enter();
        if (result == 0)
            return true;
        if (result == -EPERM)
            return false;
        if (result == -EAGAIN || (result == -EPROTO && attach_config.nic[0] && asks_to_yield())) {
            nanosleep(&pause, NULL);
            continue;
        }
        if (result == -EPROTO)
            return cannot(
                "stack '%s' is kept by another version of barewire; 'barewire down --name %s' ends it",
                attach_config.name, attach_config.name);
        if (result == -EACCES && !ip_is_any(strangers))
            return cannot("address %s on %s is that of a stack of user %u's; give another --address",
                          ip_text(strangers, address), attach_config.nic, stranger);
        if (!attach_config.nic[0])
            return cannot("no stack named '%s' is running; give --nic to start one", attach_config.name);
        result = start_keeper(error);
        if (result < 0)
            return cannot("%s", error);
        if (result > 0)
            nanosleep(&pause, NULL);
    }
    if (reply.header.kind == IPC_CLOSING && reply.message[0])
        return cannot("%s", reply.message);
    return cannot("stack '%s' has a keeper that does not answer", attach_config.name);
}

static bool start_or_join(void) {
    if (!start_or_enter(join))
        return false;
    if (attach_config.verbose)
        attach_say("stack %s, kept by process %d", attach_config.name, shared->keeper_pid);
    return true;
}

bool attach_once(bool (*join)(void)) {
    if (is_attached || address_space_by_caller())
        return is_attached; /* a child of vfork can't join: the memory is its parent's */
    if (!*shared_unforked)
        shared_forked(); /* in a handler of pthread_atfork(3) that runs before ours */
    int error = pthread_mutex_lock(&attaching);
    if (error && !forking.held)
        return cannot("a signal handler made a socket while the process was making its first");
    step_underway = true;
    signals_hold();
    if (!is_attached && join()) {
        remote_eventfds_begin();
        is_attached = true;
        verbose_begin();
        syscall_sites_complete();
        user_dispatch_complete();
        epolls_attached();
        signals_start();
        tracing_start();
    }
    step_underway = false;
    if (!error)
        pthread_mutex_unlock(&attaching);
    return is_attached;
}

void attach(void) {
    if (!attach_once(start_or_join) && !address_space_by_caller())
        attach_fail("%s", trouble);
}

void attach_early(void) {
    int saved = errno;
    if (address_space_by_caller()) {
        pthread_mutex_lock(&attaching);
        signals_hold();
        start_or_enter(enrol);
        pthread_mutex_unlock(&attaching);
    } else {
        attach_once(start_or_join);
    }
    errno = saved;
}

bool attach_is_wanted(void) {
    return attached() || attach_config.nic[0] || attach_config.name_given;
}

bool attach_has_inet6(void) {
    return attached() ? shared->stack.config.ip6.on : config_inet6(&attach_config);
}
