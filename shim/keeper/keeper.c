/* SPDX-License-Identifier: MIT */
/*
 * keeper.c - the keeper: one small process a stack. See README.md.
 */
#include "shim/keeper/keeper.h"
#include "nic/guard.h"
#include "shim/keeper/boot_key.h"
#include "shim/keeper/landlock.h"
#include "shim/keeper/pidfd.h"
#include "shim/keeper/privileges.h"
#include "shim/keeper/recording.h"
#include "shim/keeper/tools/tool.h"
#include "shim/region/frames.h"
#include "shim/region/inflight.h"
#include "shim/region/ipc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "shim/region/region_begin.h"
#include "shim/region/wake.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORD_CHECK_MS 50
#define LEASE_CHECK_MS ((int)(RECEIVING_LEASE_NS / 1000000) + 5)
#define DESCRIPTORS_MAX 65536
#define DHCP_PATIENCE_MS 20000
#define STARTER_MS 10000 /* how long the keeper waits for the process that started it */

/* What jemalloc(3) reads when the keeper or a tool begins, if it is linked in: one arena, nothing kept for each
 * thread, no thread of its own. */
const char *malloc_conf = "narenas:1,tcache:false,background_thread:false";

struct keeper keeper = {.lock = -1, .listeners = {[0 ... KEEPER_LISTENERS - 1] = -1}, .region = -1};

void keeper_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vdprintf(2, format, arguments);
    va_end(arguments);
    if (keeper.lock >= 0)
        unlink(keeper.lock_path);
    rmdir(keeper.directory); /* if it is empty */
    _exit(1);
}

void keeper_watch(int descriptor, enum keeper_event kind) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)kind << 32 | (uint32_t)descriptor};
    epoll_ctl(keeper.events, EPOLL_CTL_ADD, descriptor, &event);
}

void keeper_call_main(void) {
    LOCK_EXCEPTION;
    eventfd_write(keeper.leave, 1);
}

void keeper_watch_nic_not(void) {
    epoll_ctl(keeper.events, EPOLL_CTL_DEL, keeper.nic->descriptor, NULL);
}

void keeper_watch_nic(void) {
    int nic = keeper.nic->descriptor;
    bool alone = !(keeper.nic->facts.features & NIC_SHARED);
    struct epoll_event event = {.events = EPOLLIN | (alone ? 0 : EPOLLEXCLUSIVE | EPOLLET),
                                .data.u64 = (uint64_t)KEEPER_NIC << 32 | (uint32_t)nic};
    keeper_watch_nic_not();
    region_enter();
    bool polled = receiving_watch(&shared->receiving);
    region_leave();
    if (polled)
        wake_keeper(); /* the transmitter, to look what is due */
    epoll_ctl(keeper.events, EPOLL_CTL_ADD, nic, &event);
}

/* Makes sure that nobody else keeps a stack of this name. The file is unlinked by its last owner, so that
 * what we locked may not be what has the name any more. */
static void take_name(void) {
    char error[CONFIG_ERROR_BYTES];
    struct stat ours, there;
    for (int attempt = 0; attempt < 100; attempt++) {
        if (!config_directory(keeper.directory, error))
            keeper_fail("%s", error);
        if (snprintf(keeper.ipc_path, sizeof keeper.ipc_path, "%s/%s", keeper.directory,
                     keeper.config.name) >= (int)sizeof keeper.ipc_path)
            keeper_fail("the path of stack '%s' is too long; give a shorter --name", keeper.config.name);
        snprintf(keeper.lock_path, sizeof keeper.lock_path, "%s.lock", keeper.ipc_path);
        int lock = open(keeper.lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (lock < 0 && errno == ENOENT)
            continue; /* the last keeper to leave took the directory with it */
        if (lock < 0)
            keeper_fail("can't make %s: %s", keeper.lock_path, strerror(errno));
        if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
            close(lock);
            keeper_fail("taken");
        }
        if (fstat(lock, &ours) == 0 && stat(keeper.lock_path, &there) == 0 && ours.st_ino == there.st_ino) {
            keeper.lock = lock;
            return;
        }
        close(lock);
    }
    keeper_fail("taken");
}

static uint64_t network_namespace(void) {
    struct stat status = {0};
    stat("/proc/self/ns/net", &status);
    return status.st_ino;
}

/* A MAC address of our own, the same for the same interface and address, so that neighbours' caches stay
 * right. Of two hosts on a LAN that take the same address, each finds the other by its MAC address: so it is
 * made of the network namespace where the NIC has no address of its own (lan:, vde:), and of the user where a
 * DHCP server gives one. */
static void choose_mac(struct stack_config *config) {
    const struct nic_facts *facts = &keeper.nic->facts;
    if (keeper.config.mac_of_nic) {
        memcpy(config->mac, facts->mac, 6);
        return;
    }
    if (keeper.config.mac_given) {
        memcpy(config->mac, keeper.config.mac, 6);
        return;
    }
    static const uint64_t key[2] = {UINT64_C(0x6261726577697265), UINT64_C(0x6d6163)};
    static const uint8_t none[6];
    struct {
        uint64_t name, place;
        uint32_t address, user;
        uint8_t mac[8];
    } material = {.address = config->address};
    memcpy(material.mac, facts->mac, 6);
    if (memcmp(facts->mac, none, 6) == 0)
        material.place = network_namespace();
    if (!config->address) { /* DHCP: a host for each name */
        material.name = siphash(key, keeper.config.name, strlen(keeper.config.name));
        material.user = geteuid();
    }
    uint64_t hash = siphash(key, &material, sizeof material);
    memcpy(config->mac, &hash, 6);
    config->mac[0] = (uint8_t)((config->mac[0] & 0xfc) | 2); /* locally administered, one host's */
}

static void make_region(void) {
    keeper.region = (int)memfd_create("barewire", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (keeper.region < 0 || ftruncate(keeper.region, SHARED_BYTES) < 0 ||
        fcntl(keeper.region, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        keeper_fail("can't make the stack's memory: %s", strerror(errno));
    void *mapped = mmap((void *)SHARED_BASE, SHARED_BYTES, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, keeper.region, 0);
    if (mapped == (void *)SHARED_BASE)
        return;
    char reason[REGION_REASON_BYTES];
    region_unmapped(errno, reason);
    keeper_fail("%s", reason);
}

static int own_copy(const struct waiter *waiter) {
    return waiter->keeper_descriptor;
}

static void make_stack(void) {
    uint8_t seed[RANDOM_SEED_BYTES];
    char reason[CONFIG_ERROR_BYTES] = "another stack here has that --mac";
    struct stack_config config = {
        .address = keeper.config.address,
        .prefix_length = keeper.config.prefix_length,
        .gateway = keeper.config.gateway,
        .loopback = true,
        .ip6 = {.on = config_inet6(&keeper.config),
                .at_once = true,
                .autoconf = keeper.config.autoconf,
                .gateway = keeper.config.gateway6},
        .offload = keeper.nic->facts.features & NIC_OFFLOAD,
        .offload_datagrams = keeper.nic->facts.features & NIC_OFFLOAD_DATAGRAMS,
        .interface_index = keeper.nic->facts.index ? keeper.nic->facts.index : 2, /* 1 is loopback's */
    };
    uint32_t mtu = keeper.config.mtu ? keeper.config.mtu : keeper.nic->facts.mtu;
    if (mtu > keeper.nic->facts.mtu)
        keeper_fail("--mtu %u is more than the interface's %u", mtu, keeper.nic->facts.mtu);
    config.mtu = (uint16_t)(mtu > STACK_MTU_MAX ? STACK_MTU_MAX : mtu);
    if (config.mtu < IP6_MTU_MIN && keeper.config.count6 > 0)
        keeper_fail("--mtu %u is less than IPv6 needs: %u", config.mtu, IP6_MTU_MIN);
    config.ip6.on &= config.mtu >= IP6_MTU_MIN;
    for (; config.ip6.more_count < keeper.config.count6; config.ip6.more_count++)
        config.ip6.more[config.ip6.more_count] =
            (struct ip6_own){keeper.config.addresses6[config.ip6.more_count].address,
                             keeper.config.addresses6[config.ip6.more_count].prefix_length};
    for (; config.more_count < keeper.config.more_count; config.more_count++)
        config.more[config.more_count] = keeper.config.more[config.more_count];
    choose_mac(&config);
    if (!rights_allow(&keeper.config, config.mac, reason) ||
        (!ipc_server_take_mac(config.mac) && rights_borrowed()))
        keeper_fail("%s", reason);
    keeper_key(keeper.directory, config.key);
    if (nic_set_address(keeper.nic, config.mac))
        keeper_fail("can't set the filter of --nic %s", keeper.config.nic);
    if (getrandom(seed, sizeof seed, 0) != sizeof seed ||
        getrandom(&shared->waiters_made, sizeof shared->waiters_made, 0) != sizeof shared->waiters_made)
        keeper_fail("can't get random numbers: %s", strerror(errno));
    shared->kernel_loopback = !keeper.config.loopback;
    lock_create();
    uint64_t bytes = SHARED_BYTES - recording_begin();
    int error = stack_create(&shared->stack, (void *)SHARED_BASE, bytes, sizeof(struct shared), &config, seed,
                             clock_now());
    if (error)
        keeper_fail("can't make a stack of --address and --mac: %s", strerror(-error));
    shared->stack.sysctl.ip6_rtr_solicitation_delay = 0;
    sysctl_set_all(&shared->stack.sysctl, keeper.config.sysctl, NULL);
    record_sysctl(&shared->stack);
    ip6_begin(&shared->stack);
    if (keeper.config.dhcp)
        dhcp_start(&shared->stack);
    region_begin();
    snprintf(shared->nic, sizeof shared->nic, "%s", keeper.config.nic);
    shared->keeper_pid = getpid();
    keeper.self.pid = getpid();
    list_init(&keeper.self.link);
    list_init(&keeper.self.waiters);
    wake_self = &keeper.self;
    wake_by_remote_eventfd = own_copy;
}

static void watch_signals(void) {
    sigset_t mask;
    sigfillset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    keeper_watch(signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK), KEEPER_SIGNAL);
}

void keeper_release_waiters(struct process *process) {
    struct list *link;
    while ((link = list_first(&process->waiters)))
        waiter_release(container_of(link, struct waiter, link));
    wake_undelivered(); /* by its threads, which are gone */
}

/* Closes the copies of eventfds of waiters that are gone, unless the transmitter may be about to write to
 * one. */
static void close_ended(void) {
    int descriptors[ENDED_AT_ONCE * 2], count = 0;
    struct list *link;
    if (shared->ended_count == 0)
        return;
    region_enter();
    while (count < ENDED_AT_ONCE * 2 && wake_delivering == 0 && !shared->broken &&
           (link = list_first(&shared->ended))) {
        struct waiter *waiter = container_of(link, struct waiter, link);
        list_remove(link);
        descriptors[count++] = waiter->keeper_descriptor;
        pool_return(&shared->waiters, waiter);
    }
    if (list_empty(&shared->ended))
        shared->ended_count = 0;
    region_leave();
    while (count > 0)
        close(descriptors[--count]);
}

static void reap_process(struct process *process) {
    struct list *link, *next;
    list_for_each(link, next, &shared->process_list) {
        struct process *child = container_of(link, struct process, link);
        if (child->maker == process)
            child->maker = NULL; /* it may have been killed in fork(2) */
    }
    keeper_release_waiters(process);
    if (!shared->broken)
        process_reap(process);
    else
        list_remove(&process->link);
}

void keeper_watch_children(void) {
    LOCK_EXCEPTION;
    struct list *link, *next;
    list_for_each(link, next, &shared->process_list) {
        struct process *process = container_of(link, struct process, link);
        keeper.unsettled |= process->pid == 0 || process->leaving;
        if (process->pid == 0 || process->pidfd >= 0)
            continue;
        int pidfd = keeper_pidfd(process->pid);
        if (pidfd >= 0) {
            process->pidfd = pidfd;
            keeper_watch(process->pidfd, KEEPER_PROCESS);
        } else if (pidfd == -ESRCH) {
            reap_process(process); /* it has ended already */
            keeper_call_main();
        } else {
            keeper.unsettled = true; /* no descriptor is to be had: it is looked at again, then */
        }
    }
}

static void process_ended(int pidfd) {
    struct list *link, *next;
    epoll_ctl(keeper.events, EPOLL_CTL_DEL, pidfd, NULL);
    region_enter();
    keeper_watch_children();
    list_for_each(link, next, &shared->process_list) {
        struct process *process = container_of(link, struct process, link);
        if (process->pidfd == pidfd)
            reap_process(process);
    }
    region_leave();
    close(pidfd);
    keeper_frames_receive(); /* what may have woken it last */
}

/* Whether a process has the region no longer: exec has put another program there. */
static bool has_left(int pid) {
    LOCK_EXCEPTION;
    char path[40], line[512];
    bool mapped = false;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return true; /* another user's now, or gone */
    while (!mapped && fgets(line, sizeof line, maps))
        mapped = strstr(line, "memfd:barewire");
    fclose(maps);
    return !mapped;
}

/* Gives up what a process has that can't use it any more; the process is there still. */
static void give_up_file_refs(struct process *process) {
    keeper_release_waiters(process);
    if (!shared->broken)
        file_table_leave(process);
    process->leaving = false;
}

/* Looks at the accounts of children that may never be made, since their parent was killed in fork(2), and of
 * processes that are about to run a program that can't be taken over. */
static void check_records(void) {
    struct list *link, *next;
    region_enter();
    keeper.unsettled = shared->unwatched = false;
    keeper_watch_children();
    list_for_each(link, next, &shared->process_list) {
        struct process *process = container_of(link, struct process, link);
        if (process->pid == 0 && !process->maker && shared->stack.now_ns > process->fork_deadline_ns)
            reap_process(process);
        else if (process->leaving && has_left(process->pid))
            give_up_file_refs(process);
        else
            keeper.unsettled |= process->pid == 0 || process->leaving;
    }
    region_leave();
    ipc_server_again();
}

/* When flights and such accounts are to be looked at again; 0: there are none. Events in between do not put
 * it off. */
static uint64_t check_due_ns;

static uint64_t check_delay_ms(void) {
    uint64_t inflight_ms = list_empty(&shared->inflights) ? RECORD_CHECK_MS : inflight_watch_delay_ms();
    return keeper.unsettled && inflight_ms > RECORD_CHECK_MS ? RECORD_CHECK_MS : inflight_ms;
}

#define TRIM_AT_ONCE 64u   /* blocks that nobody else gets meanwhile: 4 MiB */
#define TRIM_EARLY 256u    /* blocks: so many do not wait until a process ends */
#define TRIM_EARLY_MS 1000 /* ... but so long for whoever may want them again */

static uint64_t trimmed_ns;

/* How long the keeper may sleep: for ever, but while somebody has yet to come, or sockets are on their way.
 */
static int patience_ms(void) {
    uint64_t now_ns = clock_now();
    if (!keeper.joined)
        return STARTER_MS;
    if (list_empty(&shared->inflights) && !keeper.unsettled) {
        check_due_ns = 0;
        if (shared->receiving.lease.awaited)
            return LEASE_CHECK_MS; /* whose turn it is may be stopped */
        return shared->stack.arena.dirty_count >= TRIM_EARLY ? TRIM_EARLY_MS : -1;
    }
    if (!check_due_ns)
        check_due_ns = now_ns + check_delay_ms() * UINT64_C(1000000);
    else if (shared->inflight_changed && check_due_ns > now_ns + INFLIGHT_CHECK_MS * UINT64_C(1000000))
        check_due_ns = now_ns + inflight_watch_delay_ms() * UINT64_C(1000000);
    return check_due_ns > now_ns ? (int)((check_due_ns - now_ns) / 1000000) + 1 : 0;
}

static void punch(const void *first, size_t bytes) {
    fallocate(keeper.region, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              (const char *)first - (char *)SHARED_BASE, (off_t)bytes);
}

/* Gives memory that the stack no longer uses back to the machine. The lock is not held meanwhile. */
static void trim_memory(void) {
    void *blocks[TRIM_AT_ONCE];
    uint32_t count;
    trimmed_ns = clock_now();
    do {
        region_enter();
        count = shared->broken ? 0 : arena_trim(&shared->stack.arena, blocks, TRIM_AT_ONCE);
        region_leave();
        for (uint32_t i = 0, end; i < count; i = end) {
            for (end = i + 1;
                 end < count && (char *)blocks[end] == (char *)blocks[end - 1] + ARENA_BLOCK_BYTES; end++)
                continue;
            punch(blocks[i], (end - i) * (size_t)ARENA_BLOCK_BYTES);
        }
        region_enter();
        if (!shared->broken)
            arena_trimmed(&shared->stack.arena, blocks, count);
        region_leave();
    } while (count == TRIM_AT_ONCE);
}

static bool nobody_left(void) {
    region_enter();
    bool left = shared->broken || (list_empty(&shared->process_list) && list_empty(&shared->inflights) &&
                                   !stack_busy(&shared->stack) && !keeper_frames_waiting());
    region_leave();
    return left;
}

void keeper_take_down(const char *why) {
    keeper_frames_farewell();
    region_enter();
    shared_break(why);
    region_leave();
}

static void leave(void) {
    keeper_frames_farewell();
    unlink(keeper.ipc_path);
    if (!keeper.leaves_lock)
        unlink(keeper.lock_path);
    rmdir(keeper.directory); /* if it is empty */
    nic_close(keeper.nic);
    recording_finish();
    _exit(0);
}

/* Between two ticks nothing else can be due. */
static int wait_for_events(struct epoll_event *events, int limit) {
    static const struct timespec tick = {0, (long)FRAMES_POLL_NS};
    if (shared->receiving.state == RECEIVING_POLLED) {
        int count =
            (int)syscall(SYS_epoll_pwait2, keeper.events, events, limit, &tick, NULL, (size_t)_NSIG / 8);
        return count < 0 && errno == ENOSYS ? epoll_wait(keeper.events, events, limit, 1) : count;
    }
    return epoll_wait(keeper.events, events, limit, patience_ms());
}

/* For the guard: what a DHCP server has given. */
static uint32_t own_address(void) {
    return rights_own(shared->stack.config.address);
}

/* The same of IPv6: what the stack has, and no interface of this host. The count is the user's to write. */
static bool is_own6(const uint8_t address[16]) {
    const struct ip6_addresses *addresses = &shared->stack.ip6.addresses;
    uint32_t count = addresses->count < IP6_ADDRESSES_MAX ? addresses->count : IP6_ADDRESSES_MAX;
    for (uint32_t i = 0; i < count; i++)
        if (memcmp(addresses->entries[i].address.bytes, address, 16) == 0)
            return rights_own6(address);
    return false;
}

/* The server has given another address, or taken it back. */
static void note_address(void) {
    uint32_t address = shared->stack.config.address;
    if (address == keeper.address)
        return;
    keeper.address = address;
    ipc_server_leave_address();
}

static void run(void) {
    struct epoll_event events[64];
    for (;;) {
        bool ticking = shared->receiving.state == RECEIVING_POLLED;
        int count = wait_for_events(events, 64);
        bool ended = count == 0 && !ticking;
        if (ticking)
            polling_step();
        offload_control();
        keeper.joined |= ended; /* who started us is gone */
        if (ended && shared->receiving.lease.awaited)
            keeper_frames_receive();
        if (check_due_ns && clock_now() >= check_due_ns) {
            if (!list_empty(&shared->inflights))
                inflight_watch_check();
            check_records();
            check_due_ns = 0;
            ended = true;
        }
        for (int i = 0; i < count; i++) {
            int descriptor = (int)(uint32_t)events[i].data.u64;
            uint64_t number;
            switch ((enum keeper_event)(events[i].data.u64 >> 32)) {
            case KEEPER_NIC:
                keeper_frames_receive();
                polling_begin();
                ended |= list_empty(&shared->process_list); /* it may have been the last connection's last */
                break;
            case KEEPER_LISTENER:
                ipc_server_accept(descriptor);
                break;
            case KEEPER_CONNECTION:
                ipc_server_request(descriptor);
                break;
            case KEEPER_PROCESS:
                process_ended(descriptor);
                ended = true;
                break;
            case KEEPER_LEAVE:
                eventfd_read(descriptor, &number);
                keeper_frames_receive(); /* what may have woken last what has ended */
                ended = true;
                break;
            case KEEPER_SIGNAL:
                keeper_take_down("the keeper was told to end");
                ended = true;
                break;
            }
        }
        close_ended();
        note_address();
        if (shared->stack.arena.dirty_count >= TRIM_EARLY &&
            clock_now() - trimmed_ns >= TRIM_EARLY_MS * UINT64_C(1000000))
            trim_memory();
        if (!ended || !keeper.joined)
            continue;
        if (nobody_left())
            leave();
        trim_memory();
    }
}

/* The program's limit to its address space is not meant for the stack's memory. */
static void raise_memory_limit(void) {
    struct rlimit limit, none = {RLIM_INFINITY, RLIM_INFINITY};
    if (getrlimit(RLIMIT_AS, &limit) < 0 || setrlimit(RLIMIT_AS, &none) == 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
}

/* As far as whoever starts the keeper may: a process that joins takes some. */
static void raise_descriptor_limit(void) {
    struct rlimit limit, most = {DESCRIPTORS_MAX, DESCRIPTORS_MAX};
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS_MAX ||
        setrlimit(RLIMIT_NOFILE, &most) == 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* The door's path is unlinked by now, or never used. */
static _Noreturn void no_address(void) {
    uint32_t declined = shared->stack.dhcp.declined;
    unlink(keeper.ipc_path);
    if (shared->broken)
        keeper_fail("%s", shared->message);
    if (declined)
        keeper_fail("the DHCP server on %s gave addresses that are in use (%u); give --address A.B.C.D/N",
                    keeper.config.nic, declined);
    keeper_fail("no DHCP server on %s gave an address within %d s; give --address A.B.C.D/N",
                keeper.config.nic, DHCP_PATIENCE_MS / 1000);
}

static int run_tool(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "--ls") == 0)
        return tool_ls();
    if (count == 2 && strcmp(arguments[1], "--down") == 0)
        return tool_down();
    if (count == 2 && strcmp(arguments[1], "--doctor") == 0)
        return tool_doctor(arguments[0]);
    if (count > 2 && strcmp(arguments[1], "--explain") == 0)
        return tool_explain(count - 2, arguments + 2);
    if (strcmp(arguments[1], "--ss") == 0)
        return tool_ss(count - 2, arguments + 2);
    if (strcmp(arguments[1], "--lan") == 0)
        return tool_lan(count - 2, arguments + 2);
    if (strcmp(arguments[1], "--router") == 0)
        return tool_router(count - 2, arguments + 2);
    if (strcmp(arguments[1], "--net") == 0)
        return tool_net(count - 2, arguments + 2);
    if (strcmp(arguments[1], "--report") == 0)
        return tool_report(count - 2, arguments + 2);
    if (strcmp(arguments[1], "--replay") == 0)
        return tool_replay(count - 2, arguments + 2);
    if (strcmp(arguments[1], "--stats") == 0)
        return tool_stats(count - 2, arguments + 2);
    keeper_fail("usage: barewire-keeper is started by libbarewire.so; see 'barewire --help'\n");
}

/* Opens the NIC; with a borrowed right before the user's configuration is read. */
static void open_nic(void) {
    char error[CONFIG_ERROR_BYTES], early[CONFIG_TEXT_BYTES], nic[2 * CONFIG_TEXT_BYTES];
    const char *named = getenv("BAREWIRE_NIC");
    if (rights_borrowed() && named && config_nic(named, early) &&
        !(keeper.nic = rights_open_nic(early, error)))
        keeper_fail("%s", error);
    if (!config_read(&keeper.config, error))
        keeper_fail("%s", error);
    if (!keeper.config.nic[0])
        keeper_fail("give --nic to start a stack");
    if (chdir("/") < 0)
        keeper_fail("can't change to /: %s", strerror(errno));
    keeper.user = geteuid();
    if (!ipc_server_take_addresses() || !ipc_server_take_name())
        keeper_fail("taken");
    take_name();
    snprintf(nic, sizeof nic, "%s%s%s", keeper.config.nic, keeper.config.publish[0] ? ":" : "",
             keeper.config.publish);
    if (!keeper.nic && !(keeper.nic = rights_open_nic(nic, error)))
        keeper_fail("%s", error);
    keeper.guard = rights_borrowed() && config_interface(keeper.config.nic) ? keeper.nic : NULL;
    if (keeper.guard)
        for (uint32_t i = 0; i <= keeper.config.more_count; i++)
            guard_allow(keeper.guard, config_address4(&keeper.config, i).address);
    if (keeper.guard)
        guard_ask6(keeper.guard, is_own6, clock_now);
    if (keeper.guard && !keeper.config.address)
        guard_ask(keeper.guard, own_address);
    if (keeper.config.impair[0] &&
        !(keeper.impaired = keeper.nic = nic_impair(keeper.nic, keeper.config.impair, error)))
        keeper_fail("%s", error);
    if (keeper.config.pcap[0] && !(keeper.nic = nic_capture(keeper.nic, keeper.config.pcap, keeper.config.nic,
                                                            keeper_describe, error)))
        keeper_fail("%s", error);
    if (keeper.config.record[0] && !recording_open(keeper.config.record))
        keeper_fail("can't write --record %s: %s", keeper.config.record, strerror(errno));
    frames_nic = keeper.nic;
    rights_drop();
}

int main(int count, char **arguments) {
    const char *tool = count > 1 ? arguments[1] : "";
    if (count == 1) { /* while it has the rights of whoever starts it */
        raise_descriptor_limit();
        raise_memory_limit();
    }
    rights_begin(!*tool                          ? JOB_KEEPER
                 : strcmp(tool, "--doctor") == 0 ? JOB_DOCTOR
                 : strcmp(tool, "--lan") == 0 || strcmp(tool, "--router") == 0 || strcmp(tool, "--net") == 0
                     ? JOB_LAN
                     : JOB_TOOL);
    clock_begin();
    if (count != 1)
        return run_tool(count, arguments);
    open_nic();
    make_region();
    make_stack();
    if (keeper.user == 0 && strncmp(keeper.config.nic, "vde:", 4) != 0)
        landlock_restrict(
            keeper.directory); /* else it has root's files, as far as rights_confine leaves them */
    shared->impaired = keeper.impaired;
    if (keeper.impaired)
        nic_impair_count(keeper.impaired, shared->impairment);
    keeper.events = epoll_create1(EPOLL_CLOEXEC);
    keeper.leave = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    watch_signals();
    keeper_watch_nic();
    keeper_watch(keeper.leave, KEEPER_LEAVE);
    int failed = keeper_frames_start();
    if (!failed)
        failed = recording_start();
    if (!failed)
        failed = ipc_server_open();
    if (failed)
        keeper_fail("can't open the stack's door: %s", strerror(-failed));
    if (keeper.config.dhcp && !keeper_frames_await_address(DHCP_PATIENCE_MS))
        no_address();
    uint32_t leased = shared->stack.config.address;
    if (keeper.config.dhcp && !ipc_server_open_leased(leased)) {
        keeper_frames_farewell();
        unlink(keeper.ipc_path);
        keeper_fail("the DHCP server on %s gave %u.%u.%u.%u, which another stack here has", keeper.config.nic,
                    leased >> 24, leased >> 16 & 255, leased >> 8 & 255, leased & 255);
    }
    if (rights_own(leased) != leased) {
        keeper_frames_farewell();
        unlink(keeper.ipc_path);
        keeper_fail("the DHCP server on %s gave %u.%u.%u.%u, which is this host's own", keeper.config.nic,
                    leased >> 24, leased >> 16 & 255, leased >> 8 & 255, leased & 255);
    }
    keeper.address = leased;
    keeper_take_over();
    if (strncmp(keeper.config.nic, "vde:", 4) != 0) /* whose plug-ins may do anything */
        rights_confine();
    if (write(2, "ready", 5) != 5)
        leave();
    dup2(0, 2); /* /dev/null: start.c */
    run();
}
