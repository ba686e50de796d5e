/* SPDX-License-Identifier: MIT */
/*
 * seam.c - the system calls that the library and the keeper make, as the model has them: preloaded behind
 * libbarewire.so, whose LIBC(name) finds them, and before the keeper's libc.
 *
 * What a descriptor is stays the machine's own (an eventfd, a UNIX socket, an epoll set), and so do memory,
 * files and mutexes: only sleeping, waking, time, signals and the NIC are the model's. A call that would
 * sleep is made without waiting, again and again, whenever something has happened that may concern it.
 * Watching the NIC alone, edge-triggered and by one of many (EPOLLEXCLUSIVE), is done as the kernel does it,
 * since who is woken there is what is to be tested.
 */
#include "tests/model/world.h"
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))real_of(#name))
#define EXPORT __attribute__((visibility("default")))
#define NS_PER_S UINT64_C(1000000000)
#define REALTIME_NS (UINT64_C(1700000000) * NS_PER_S)

/* dlsym takes locks of the loader's: a name is looked up once a call site. */
#define real_of(name)                                     \
    ({                                                    \
        static void *found;                               \
        found ? found : (found = dlsym(RTLD_NEXT, name)); \
    })

static __thread uint32_t countdown __attribute__((tls_model("initial-exec")));
static struct sigaction actions[NSIG];
static pthread_key_t last_key;

static struct model_process *own(void) {
    return &world->processes[model_self->process];
}

/* Of more than thirty years: never. */
static uint64_t to_ns(const struct timespec *time) {
    return time->tv_sec >= 1 << 30 ? NEVER : (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_nsec;
}

static uint64_t after(uint64_t ns) {
    return ns > NEVER - world->now_ns ? NEVER : world->now_ns + ns;
}

/* --- signals --- */

static uint64_t bit_of(int signal) {
    return UINT64_C(1) << (signal - 1);
}

static uint64_t bits_of(const sigset_t *set) {
    uint64_t bits;
    memcpy(&bits, set, sizeof bits);
    return bits & ~(bit_of(SIGKILL) | bit_of(SIGSTOP));
}

static _Noreturn void end_process(void) {
    own()->state = PROCESS_LEAVING;
    model_ask_director();
    model_self = NULL;
    for (;;)
        REAL(_exit)(0);
}

static void deliver(void) {
    struct model_thread *self = model_self;
    uint64_t ready;
    while ((ready = (self->pending | own()->pending) & ~self->mask)) {
        int signal = __builtin_ctzll(ready) + 1;
        struct sigaction action = actions[signal];
        siginfo_t info = {.si_signo = signal};
        ucontext_t context = {0};
        if (self->pending & bit_of(signal))
            self->pending &= ~bit_of(signal);
        else
            own()->pending &= ~bit_of(signal);
        if (action.sa_handler == SIG_IGN || (action.sa_handler == SIG_DFL && signal == SIGCHLD))
            continue;
        model_tell("signal %d", signal);
        if (action.sa_handler == SIG_DFL)
            end_process();
        memcpy(&context.uc_sigmask, &self->mask, sizeof self->mask);
        self->mask |= bits_of(&action.sa_mask) | (action.sa_flags & (int)SA_NODEFER ? 0 : bit_of(signal));
        if (action.sa_flags & SA_SIGINFO)
            action.sa_sigaction(signal, &info, &context);
        else
            action.sa_handler(signal);
        self->mask = bits_of(&context.uc_sigmask);
    }
}

/* Between any two of these others may run. */
static void point(void) {
    int saved = errno;
    model_schedule();
    deliver();
    errno = saved;
}

static bool restarts(void) {
    uint64_t ready = (model_self->pending | own()->pending) & ~model_self->mask;
    return ready && actions[__builtin_ctzll(ready) + 1].sa_flags & (int)SA_RESTART;
}

EXPORT int sigaction(int signal, const struct sigaction *action, struct sigaction *old) {
    if (!model_self || signal <= 0 || signal >= NSIG)
        return REAL(sigaction)(signal, action, old);
    struct sigaction before = actions[signal];
    if (action)
        actions[signal] = *action;
    if (old)
        *old = before;
    return 0;
}

static void set_mask(int how, const sigset_t *set, sigset_t *old) {
    uint64_t before = model_self->mask;
    if (set)
        model_self->mask = how == SIG_BLOCK     ? before | bits_of(set)
                           : how == SIG_UNBLOCK ? before & ~bits_of(set)
                                                : bits_of(set);
    if (old) {
        memset(old, 0, sizeof *old);
        memcpy(old, &before, sizeof before);
    }
    deliver();
}

EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
    if (!model_self)
        return REAL(pthread_sigmask)(how, set, old);
    set_mask(how, set, old);
    return 0;
}

EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
    if (!model_self)
        return REAL(sigprocmask)(how, set, old);
    set_mask(how, set, old);
    return 0;
}

EXPORT int kill(pid_t pid, int signal) {
    if (!model_self || signal == 0)
        return REAL(kill)(pid, signal);
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (world->processes[i].state == PROCESS_ALIVE && world->processes[i].pid == pid) {
            world->processes[i].pending |= bit_of(signal);
            point();
            return 0;
        }
    errno = ESRCH;
    return -1;
}

static long signal_thread(int tid, int signal) {
    for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
        if (thread->tid == tid && thread->state != THREAD_FREE)
            thread->pending |= bit_of(signal);
    deliver();
    return 0;
}

EXPORT int raise(int signal) {
    if (!model_self || signal == SIGABRT)
        return REAL(raise)(signal);
    return (int)signal_thread(model_self->tid, signal);
}

/* --- time --- */

EXPORT int clock_gettime(clockid_t clock, struct timespec *time) {
    bool of_process = clock < 0; /* its processor time: clock_getcpuclockid(3) */
    if (!model_self || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME && !of_process))
        return REAL(clock_gettime)(clock, time);
    uint64_t ns = (world->now_ns += 20) + (clock == CLOCK_REALTIME ? REALTIME_NS : 0);
    if (of_process)
        ns = ns / 100 * world->plan.busy_percent;
    *time = (struct timespec){(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
    return 0;
}

EXPORT int nanosleep(const struct timespec *time, struct timespec *left) {
    if (!model_self)
        return REAL(nanosleep)(time, left);
    enum wakened how = model_block(ON_TIME, after(to_ns(time)), true);
    if (left)
        *left = (struct timespec){0};
    deliver();
    errno = EINTR;
    return how == INTERRUPTED ? -1 : 0;
}

EXPORT int sched_yield(void) {
    if (model_self)
        point();
    return model_self ? 0 : REAL(sched_yield)();
}

EXPORT int usleep(useconds_t us) {
    struct timespec time = {us / 1000000, (long)(us % 1000000) * 1000};
    return nanosleep(&time, NULL);
}

EXPORT ssize_t getrandom(void *bytes, size_t length, unsigned flags) {
    if (!model_self)
        return REAL(getrandom)(bytes, length, flags);
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)model_random(256);
    return (ssize_t)length;
}

/* --- locks --- */

static uintptr_t key_of(const void *object) {
    return (uintptr_t)object;
}

/* A word of memory that processes share is the same word in all of them. */
static int whose(const void *object) {
    uintptr_t address = (uintptr_t)object;
    bool shared =
        address >= UINT64_C(0x7e9000000000) && address < UINT64_C(0x7e9000000000) + (UINT64_C(1) << 36);
    return shared ? -1 : model_self->process;
}

EXPORT int pthread_mutex_trylock(pthread_mutex_t *mutex) {
    if (model_self)
        point();
    return REAL(pthread_mutex_trylock)(mutex);
}

static int lock_until(pthread_mutex_t *mutex, uint64_t deadline_ns) {
    int result;
    point();
    while ((result = REAL(pthread_mutex_trylock)(mutex)) == EBUSY) {
        model_self->words[0] = key_of(mutex);
        model_self->words[1] = 0;
        if (model_block(ON_MUTEX, deadline_ns, false) == TIMED_OUT &&
            (result = REAL(pthread_mutex_trylock)(mutex)) == EBUSY)
            return ETIMEDOUT;
        else if (result != EBUSY)
            return result;
        deliver();
    }
    return result;
}

EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex) {
    return model_self ? lock_until(mutex, NEVER) : REAL(pthread_mutex_lock)(mutex);
}

EXPORT int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *deadline) {
    if (!model_self)
        return REAL(pthread_mutex_timedlock)(mutex, deadline);
    uint64_t ns = to_ns(deadline);
    return lock_until(mutex, ns > REALTIME_NS ? ns - REALTIME_NS : 0);
}

EXPORT int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    if (!model_self)
        return REAL(pthread_mutex_unlock)(mutex);
    int process = whose(mutex);
    int result = REAL(pthread_mutex_unlock)(mutex);
    model_wake(ON_MUTEX, key_of(mutex), 1, process);
    point();
    return result;
}

EXPORT int pthread_once(pthread_once_t *once, void (*routine)(void)) {
    if (!model_self)
        return REAL(pthread_once)(once, routine);
    while (*once == 1) {
        model_self->words[0] = key_of(once);
        model_block(ON_MUTEX, NEVER, false);
    }
    if (*once == 0) {
        *once = 1;
        routine();
        *once = 2;
        model_wake(ON_MUTEX, key_of(once), THREADS_MAX, model_self->process);
    }
    return 0;
}

static long futex_wait(uintptr_t first, uintptr_t second, uint64_t deadline_ns) {
    model_self->words[0] = first;
    model_self->words[1] = second;
    enum wakened how = model_block(ON_WORD, deadline_ns, true);
    bool again = how == INTERRUPTED && deadline_ns == NEVER && restarts();
    deliver();
    if (again)
        return -EAGAIN; /* the caller looks at the word again */
    return how == TIMED_OUT ? -ETIMEDOUT : how == INTERRUPTED ? -EINTR : 0;
}

/* Killed when it is about to wake another process's thread, which is to hear of it nevertheless. */
static void die_maybe(void) {
    if (world->deaths == 0 || own()->keeper || !model_one_in(3))
        return;
    world->deaths--;
    own()->doomed = true;
    world->threads[DIRECTOR].retry = true;
    model_block(ON_TIME, NEVER, false);
}

static bool another_sleeps_on(uintptr_t word) {
    for (const struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
        if (thread->state == THREAD_BLOCKED && thread->reason == ON_WORD && thread->words[0] == word &&
            thread->process != model_self->process && !world->processes[thread->process].keeper)
            return true;
    return false;
}

static long futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *time) {
    int command = operation & FUTEX_CMD_MASK;
    point();
    if (command == FUTEX_WAKE && another_sleeps_on(key_of((void *)word)))
        die_maybe();
    if (command == FUTEX_WAKE)
        return model_wake(ON_WORD, key_of((void *)word), (int)(value > INT_MAX ? INT_MAX : value),
                          whose((void *)word));
    uint64_t deadline_ns = !time ? NEVER : command == FUTEX_WAIT ? after(to_ns(time)) : to_ns(time);
    for (;;) {
        if (*word != value)
            return -EAGAIN;
        long result = futex_wait(key_of((void *)word), 0, deadline_ns);
        if (result != -EAGAIN)
            return result;
    }
}

static long futex_waitv(const struct futex_waitv *waits, const struct timespec *limit) {
    point();
    uint64_t deadline_ns = !limit ? NEVER : to_ns(limit);
    for (;;) {
        for (int i = 0; i < 2; i++)
            if (*(_Atomic uint32_t *)(uintptr_t)waits[i].uaddr != (uint32_t)waits[i].val)
                return -EAGAIN;
        long result = futex_wait((uintptr_t)waits[0].uaddr, (uintptr_t)waits[1].uaddr, deadline_ns);
        if (result == -EAGAIN)
            continue;
        bool second = *(_Atomic uint32_t *)(uintptr_t)waits[1].uaddr != (uint32_t)waits[1].val;
        return result < 0 ? result : second;
    }
}

/* --- the NIC --- */

static bool is_nic(int fd) {
    return fd >= 0 && fd < NUMBERS_MAX && own()->nic_of[fd];
}

EXPORT int socket(int family, int type, int protocol) {
    if (!model_self || family != AF_PACKET) {
        if (model_self && world->plan.no_descriptors && !own()->keeper && model_one_in(20)) {
            errno = EMFILE;
            return -1;
        }
        return REAL(socket)(family, type, protocol);
    }
    /* The director holds the other end of what is readable when frames wait. */
    int fd = REAL(fcntl)(NIC_FD, F_DUPFD_CLOEXEC, 3);
    own()->nic_of[fd] = true;
    return fd;
}

EXPORT int bind(int fd, const struct sockaddr *address, socklen_t length) {
    return model_self && is_nic(fd) ? 0 : REAL(bind)(fd, address, length);
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    return model_self && is_nic(fd) ? 0 : REAL(setsockopt)(fd, level, name, value, length);
}

EXPORT int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    struct ifreq *interface = va_arg(arguments, void *);
    va_end(arguments);
    if (model_self && own()->keeper)
        switch (request) {
        case SIOCGIFFLAGS:
            interface->ifr_flags = IFF_UP;
            return 0;
        case SIOCGIFMTU:
            interface->ifr_mtu = 1500;
            return 0;
        case SIOCGIFHWADDR:
            interface->ifr_hwaddr.sa_family = ARPHRD_ETHER;
            memcpy(interface->ifr_hwaddr.sa_data, "\2\0\0\0\0\x11", 6);
            return 0;
        }
    return REAL(ioctl)(fd, request, interface);
}

EXPORT unsigned if_nametoindex(const char *name) {
    return model_self ? 2 : REAL(if_nametoindex)(name);
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
    struct ring *ring = &world->received;
    unsigned got = 0;
    char rung[64];
    if (!model_self || !is_nic(fd))
        return REAL(recvmmsg)(fd, messages, count, flags, timeout);
    point();
    for (; got < count && ring->count > 0; got++) {
        struct msghdr *header = &messages[got].msg_hdr;
        uint32_t length = ring->length[ring->first], at = 0;
        for (size_t i = 0; i < header->msg_iovlen && at < length; i++) {
            size_t part = header->msg_iov[i].iov_len < length - at ? header->msg_iov[i].iov_len : length - at;
            memcpy(header->msg_iov[i].iov_base, ring->frames[ring->first] + at, part);
            at += (uint32_t)part;
        }
        messages[got].msg_len = at;
        header->msg_flags = at < length ? MSG_TRUNC : 0;
        ring->first = (ring->first + 1) % RING_MAX;
        ring->count--;
    }
    if (!ring->count)
        while (REAL(recv)(fd, rung, sizeof rung, MSG_DONTWAIT) > 0)
            continue;
    point(); /* killed here, frames are lost, as on the machine */
    errno = EAGAIN;
    return got ? (int)got : -1;
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    struct ring *ring = &world->sent;
    unsigned done = 0;
    if (!model_self || !is_nic(fd))
        return REAL(sendmmsg)(fd, messages, count, flags);
    point();
    for (; done < count && ring->count < world->plan.send_room; done++) {
        const struct msghdr *header = &messages[done].msg_hdr;
        uint32_t place = (ring->first + ring->count) % RING_MAX, at = 0;
        for (size_t i = 0; i < header->msg_iovlen && at + header->msg_iov[i].iov_len <= FRAME_ROOM; i++) {
            memcpy(ring->frames[place] + at, header->msg_iov[i].iov_base, header->msg_iov[i].iov_len);
            at += (uint32_t)header->msg_iov[i].iov_len;
        }
        messages[done].msg_len = ring->length[place] = at;
        ring->count++;
    }
    if (done > 0)
        world->threads[DIRECTOR].retry = true;
    point();
    errno = ENOBUFS;
    return done ? (int)done : -1;
}

/* --- descriptors --- */

/* The machine numbers inodes as others make some, too, and tables are hashed by them: here a socket's is how many
 * were asked for before. */
static ino_t inode_of(ino_t inode) {
    uint32_t place = (uint32_t)inode % INODES_MAX;
    for (; world->inodes[place].machines && world->inodes[place].machines != inode;
         place = (place + 1) % INODES_MAX)
        continue;
    if (!world->inodes[place].machines) {
        if (++world->inode_count == INODES_MAX)
            model_fail("the model has no room for so many inodes");
        world->inodes[place].machines = inode;
        world->inodes[place].models = world->inode_count;
    }
    return world->inodes[place].models;
}

static int tell_status(int result, struct stat *status) {
    if (model_self && result == 0 && S_ISSOCK(status->st_mode))
        status->st_ino = inode_of(status->st_ino);
    return result;
}

EXPORT int fstat(int fd, struct stat *status) {
    return tell_status(REAL(fstat)(fd, status), status);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The kernel lists the members of an epoll set by their addresses in its memory, and tells inodes: here the list is in the
 * order of the descriptors, and has what the library reads. */
static void put_in_order(int fd) {
    static char text[32768], *lines[512];
    size_t length = 0, count = 0;
    ssize_t got;
    while ((got = REAL(read)(fd, text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && count < 512;)
        if (strncmp(line, "tfd:", 4) == 0) {
            line[strcspn(line, "p")] = 0; /* "pos:" */
            lines[count++] = line;
        }
    qsort(lines, count, sizeof *lines, by_text);
    int copy = REAL(memfd_create)("list", MFD_CLOEXEC);
    for (size_t i = 0; i < count; i++)
        dprintf(copy, "%s\n", lines[i]);
    if (length == sizeof text - 1 || count == 512 || lseek(copy, 0, SEEK_SET) < 0 ||
        REAL(dup3)(copy, fd, O_CLOEXEC) < 0)
        model_fail("the model has no room for what is in an epoll set");
    REAL(close)(copy);
}

EXPORT int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    int fd = REAL(open)(path, flags, va_arg(arguments, int));
    va_end(arguments);
    if (model_self && fd >= 0 && strncmp(path, "/proc/self/fdinfo/", 18) == 0)
        put_in_order(fd);
    return fd;
}

static void forget(int fd) {
    if (fd < 0 || fd >= NUMBERS_MAX)
        return;
    if (own()->epoll_of[fd])
        model_epoll_drop(own()->epoll_of[fd] - 1);
    own()->epoll_of[fd] = 0;
    own()->nic_of[fd] = own()->foreign[fd] = false;
}

static int same(int from, int to) {
    if (to < 0 || to >= NUMBERS_MAX || from < 0 || from >= NUMBERS_MAX || from == to)
        return to;
    forget(to);
    own()->nic_of[to] = own()->nic_of[from];
    own()->foreign[to] = own()->foreign[from];
    own()->epoll_of[to] = own()->epoll_of[from];
    if (own()->epoll_of[to])
        model_epoll_hold(own()->epoll_of[to] - 1);
    return to;
}

EXPORT int close(int fd) {
    if (!model_self)
        return REAL(close)(fd);
    if (fd >= WORLD_FD && fd <= TRACE_FD)
        return 0;
    point();
    forget(fd);
    int result = REAL(close)(fd);
    model_descriptors_changed();
    return result;
}

EXPORT int dup(int fd) {
    int made = REAL(dup)(fd);
    return model_self ? same(fd, made) : made;
}

EXPORT int dup2(int from, int to) {
    int made = REAL(dup2)(from, to);
    return model_self ? same(from, made) : made;
}

EXPORT int dup3(int from, int to, int flags) {
    int made = REAL(dup3)(from, to, flags);
    return model_self ? same(from, made) : made;
}

static int fcntl_any(int fd, int command, long argument) {
    if (model_self && (command == F_DUPFD_CLOEXEC || command == F_DUPFD)) {
        if (world->plan.no_descriptors && !own()->keeper && model_one_in(20)) {
            errno = EMFILE;
            return -1;
        }
        return same(fd, REAL(fcntl)(fd, command, argument));
    }
    return REAL(fcntl)(fd, command, argument);
}

EXPORT int fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    return fcntl_any(fd, command, argument);
}

EXPORT int fcntl64(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    return fcntl_any(fd, command, argument);
}

EXPORT int eventfd(unsigned value, int flags) {
    if (model_self && world->plan.no_descriptors && !own()->keeper && model_one_in(4)) {
        errno = EMFILE;
        return -1;
    }
    return REAL(eventfd)(value, flags);
}

EXPORT ssize_t read(int fd, void *bytes, size_t length) {
    if (model_self)
        point();
    return REAL(read)(fd, bytes, length);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t length) {
    if (!model_self || fd == 2)
        return REAL(write)(fd, bytes, length);
    point();
    ssize_t result = REAL(write)(fd, bytes, length);
    model_descriptors_changed();
    return result;
}

EXPORT int eventfd_write(int fd, eventfd_t value) {
    return write(fd, &value, sizeof value) < 0 ? -1 : 0;
}

EXPORT int eventfd_read(int fd, eventfd_t *value) {
    return read(fd, value, sizeof *value) < 0 ? -1 : 0;
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length) {
    if (!model_self)
        return REAL(connect)(fd, address, length);
    point();
    int result = REAL(connect)(fd, address, length);
    model_descriptors_changed();
    return result;
}

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    if (model_self)
        point();
    return REAL(accept4)(fd, address, length, flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    if (!model_self)
        return REAL(sendmsg)(fd, message, flags);
    point();
    ssize_t result = REAL(sendmsg)(fd, message, flags);
    model_descriptors_changed();
    return result;
}

/* Descriptors that came beside a message: is the NIC among them? */
static void learn(const struct msghdr *message) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR((struct msghdr *)message, header)) {
        int fds[8];
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || count > 8)
            continue;
        memcpy(fds, CMSG_DATA(header), count * sizeof *fds);
        for (size_t i = 0; i < count; i++) {
            struct stat status;
            if (fds[i] >= 0 && fds[i] < NUMBERS_MAX && REAL(fstat)(fds[i], &status) == 0) {
                own()->nic_of[fds[i]] = status.st_ino == world->nic_inode;
                own()->foreign[fds[i]] = true;
            }
        }
    }
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    if (!model_self)
        return REAL(recvmsg)(fd, message, flags);
    point();
    size_t room = message->msg_controllen;
    for (;;) {
        ssize_t result = REAL(recvmsg)(fd, message, flags | MSG_DONTWAIT);
        if (result >= 0 && message->msg_control)
            learn(message);
        if (result >= 0 || errno != EAGAIN || flags & MSG_DONTWAIT || REAL(fcntl)(fd, F_GETFL) & O_NONBLOCK)
            return result;
        message->msg_controllen = room;
        model_self->epoll = -1;
        enum wakened how = model_block(ON_DESCRIPTORS, NEVER, true);
        bool again = how != INTERRUPTED || restarts();
        deliver();
        errno = EINTR;
        if (!again)
            return -1;
    }
}

/* --- waiting for descriptors --- */

EXPORT int epoll_create1(int flags) {
    if (model_self && world->plan.no_descriptors && !own()->keeper && model_one_in(4)) {
        errno = EMFILE;
        return -1;
    }
    int fd = REAL(epoll_create1)(flags);
    if (model_self && fd >= 0 && fd < NUMBERS_MAX && world->epolls < 1000) {
        own()->epoll_of[fd] = (int16_t)(++world->epolls);
        model_epoll_hold(own()->epoll_of[fd] - 1);
    }
    return fd;
}

static int epoll_number(int fd) {
    return fd >= 0 && fd < NUMBERS_MAX ? own()->epoll_of[fd] - 1 : -1;
}

static struct watcher *watcher_of(int epoll) {
    for (int i = 0; i < world->watcher_count; i++)
        if (world->watchers[i].epoll == epoll)
            return &world->watchers[i];
    return NULL;
}

static int watch_nic(int epoll, int operation, const struct epoll_event *event) {
    struct watcher *watcher = watcher_of(epoll);
    errno = operation == EPOLL_CTL_ADD ? EEXIST : ENOENT;
    if (operation == EPOLL_CTL_ADD ? watcher != NULL : !watcher)
        return -1;
    if (operation == EPOLL_CTL_DEL) {
        size_t behind = (size_t)(world->watchers + world->watcher_count - watcher - 1);
        memmove(watcher, watcher + 1, behind * sizeof *watcher);
        world->watcher_count--;
        return 0;
    }
    if (world->watcher_count == WATCHERS_MAX) {
        model_fail("the model has no room for so many who watch the NIC");
        return -1;
    }
    world->watchers[world->watcher_count++] =
        (struct watcher){epoll, event->events, event->data.u64, world->received.count > 0, world->now_ns};
    if (world->received.count > 0)
        model_descriptors_changed();
    return 0;
}

EXPORT int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
    if (!model_self)
        return REAL(epoll_ctl)(epoll, operation, fd, event);
    point();
    if (is_nic(fd))
        return watch_nic(epoll_number(epoll), operation, event);
    int result = REAL(epoll_ctl)(epoll, operation, fd, event), error = errno;
    model_descriptors_changed();
    errno = error;
    return result;
}

static int look(int epoll, struct epoll_event *events, int limit) {
    struct watcher *watcher = watcher_of(epoll_number(epoll));
    int count = 0;
    if (watcher && (watcher->pending || !(watcher->events & EPOLLET)) && limit > 0) {
        watcher->pending = false;
        if (world->received.count > 0)
            events[count++] = (struct epoll_event){.events = EPOLLIN, .data.u64 = watcher->data};
    }
    if (count == limit)
        return count;
    int more = REAL(epoll_wait)(epoll, events + count, limit - count, 0);
    return more < 0 ? (count ? count : -1) : count + more;
}

/* A handler may change the time limit until the kernel reads it. */
static uint64_t read_limit(const struct timespec *timeout) {
    return !timeout ? NEVER : to_ns(timeout) == 0 ? 0 : after(to_ns(timeout));
}

static int wait_epoll(int epoll, struct epoll_event *events, int limit, const struct timespec *timeout,
                      const sigset_t *mask) {
    uint64_t before = model_self->mask;
    int count;
    point();
    uint64_t deadline_ns = read_limit(timeout);
    if (mask)
        model_self->mask = bits_of(mask);
    while ((count = look(epoll, events, limit)) == 0 && deadline_ns > 0) {
        model_self->epoll = epoll_number(epoll);
        enum wakened how = model_block(ON_DESCRIPTORS, deadline_ns, true);
        if (how == INTERRUPTED) {
            count = -1;
            break;
        }
        if (how == TIMED_OUT) {
            count = look(epoll, events, limit);
            break;
        }
    }
    int error = count < 0 && errno == EBADF ? EBADF : EINTR;
    deliver();
    model_self->mask = before;
    deliver();
    errno = error;
    return count;
}

EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int limit, int timeout_ms,
                       const sigset_t *mask) {
    if (!model_self)
        return REAL(epoll_pwait)(epoll, events, limit, timeout_ms, mask);
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    return wait_epoll(epoll, events, limit, timeout_ms < 0 ? NULL : &timeout, mask);
}

EXPORT int epoll_wait(int epoll, struct epoll_event *events, int limit, int timeout_ms) {
    return epoll_pwait(epoll, events, limit, timeout_ms, NULL);
}

EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
    static const struct timespec no_time;
    if (!model_self)
        return REAL(ppoll)(fds, count, timeout, mask);
    uint64_t before = model_self->mask;
    int result;
    point();
    uint64_t deadline_ns = read_limit(timeout);
    if (mask)
        model_self->mask = bits_of(mask);
    while ((result = REAL(ppoll)(fds, count, &no_time, NULL)) == 0 && deadline_ns > 0) {
        model_self->epoll = -1;
        enum wakened how = model_block(ON_DESCRIPTORS, deadline_ns, true);
        if (how == INTERRUPTED) {
            result = -1;
            break;
        }
        if (how == TIMED_OUT) {
            result = REAL(ppoll)(fds, count, &no_time, NULL);
            break;
        }
    }
    int error = errno == EINVAL ? EINVAL : EINTR;
    deliver();
    model_self->mask = before;
    deliver();
    errno = error;
    return result;
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

/* --- processes and threads --- */

static void become(struct model_thread *thread) {
    model_self = thread;
    model_wait_for_token(thread);
    thread->tid = (int)REAL(syscall)(SYS_gettid);
    countdown = 0;
}

/* By their handles; a process has few. */
static struct {
    pthread_t handle;
    int thread;
} handles[64];
static int handle_count;

/* That this thread is making. It can run once it is there: what has to be done before (pthread_atfork(3))
 * lets others run. */
static __thread struct model_thread *child __attribute__((tls_model("initial-exec")));

static bool plan_child(void) {
    int number = 0;
    while (number < PROCESSES_MAX && world->processes[number].state != PROCESS_FREE)
        number++;
    if (number == PROCESSES_MAX) {
        errno = EAGAIN;
        return false;
    }
    struct model_process *process = &world->processes[number];
    *process = *own();
    process->state = PROCESS_PLANNED;
    process->pending = 0;
    process->parent = model_self->process;
    for (int fd = 0; fd < NUMBERS_MAX; fd++)
        if (process->epoll_of[fd])
            model_epoll_hold(process->epoll_of[fd] - 1);
    child = model_new_thread(number);
    if (!child) {
        errno = EAGAIN;
        return false;
    }
    child->mask = model_self->mask;
    child->state = THREAD_ENDED;
    return true;
}

static void in_child(void) {
    if (!model_self || !child)
        return;
    struct model_thread *thread = child;
    child = NULL;
    become(thread);
    own()->pid = getpid();
    handle_count = 0;
}

static void in_parent(void) {
    if (!model_self || !child)
        return;
    child->state = THREAD_RUNNABLE;
    world->processes[child->process].state = PROCESS_ALIVE;
}

static pid_t made_child(pid_t pid) {
    struct model_thread *thread = child;
    child = NULL;
    if (thread->state == THREAD_ENDED)
        thread->state = THREAD_RUNNABLE;
    if (world->processes[thread->process].state == PROCESS_PLANNED)
        world->processes[thread->process].state = PROCESS_ALIVE;
    if (pid > 0) {
        world->processes[thread->process].pid = pid;
        model_tell("fork: process %d", thread->process);
    } else {
        world->processes[thread->process].state = PROCESS_FREE;
        thread->state = THREAD_FREE;
    }
    point();
    return pid;
}

EXPORT pid_t fork(void) {
    if (!model_self)
        return REAL(fork)();
    point();
    struct model_thread *before = model_self;
    if (!plan_child())
        return -1;
    pid_t pid = REAL(fork)();
    if (pid == 0 || model_self != before)
        return 0;
    return made_child(pid);
}

EXPORT pid_t _Fork(void) {
    if (!model_self)
        return REAL(_Fork)();
    point();
    if (!plan_child())
        return -1;
    pid_t pid = REAL(_Fork)();
    if (pid == 0) {
        in_child();
        return 0;
    }
    return made_child(pid);
}

EXPORT void _exit(int status) {
    if (model_self) {
        model_tell("ends with %d", status);
        if (status && !world->plan.no_memory) { /* else a child of fork may say that it has no account */
            own()->crashed = true;
            model_fail("process %d ended with status %d: %s", model_self->process, status, model_self->at);
        }
        end_process();
    }
    REAL(_exit)(status);
    __builtin_unreachable();
}

EXPORT pid_t waitpid(pid_t pid, int *status, int options) {
    if (!model_self || pid <= 0)
        return REAL(waitpid)(pid, status, options);
    for (int i = 0; i < PROCESSES_MAX; i++) {
        struct model_process *process = &world->processes[i];
        if (process->pid != pid || process->parent != model_self->process)
            continue;
        while (process->state != PROCESS_DEAD) {
            bool again = model_block(ON_PROCESS, NEVER, true) != INTERRUPTED || restarts();
            deliver();
            errno = EINTR;
            if (!again)
                return -1;
        }
        process->parent = -1;
    }
    return REAL(waitpid)(pid, status, options);
}

struct beginning {
    void *(*function)(void *);
    void *argument;
    struct model_thread *thread;
};

static void end_of_thread(void *round) {
    if ((uintptr_t)round < PTHREAD_DESTRUCTOR_ITERATIONS - 1) {
        pthread_setspecific(last_key, (char *)round + 1); /* after everybody else's */
        return;
    }
    struct model_thread *self = model_self;
    model_tell("thread ends");
    self->state = THREAD_ENDED;
    for (struct model_thread *thread = world->threads; thread < world->threads + THREADS_MAX; thread++)
        if (thread->state == THREAD_BLOCKED && thread->reason == ON_THREAD &&
            thread->awaited == self - world->threads)
            thread->retry = true;
    model_self = NULL;
    model_pass_on();
}

static void *begin_thread(void *context) {
    struct beginning beginning = *(struct beginning *)context;
    free(context);
    become(beginning.thread);
    pthread_setspecific(last_key, (void *)1);
    return beginning.function(beginning.argument);
}

EXPORT int pthread_create(pthread_t *handle, const pthread_attr_t *attributes, void *(*function)(void *),
                          void *argument) {
    if (!model_self)
        return REAL(pthread_create)(handle, attributes, function, argument);
    point();
    struct beginning *beginning = malloc(sizeof *beginning);
    struct model_thread *thread = model_new_thread(model_self->process);
    if (!thread || handle_count == 64)
        return EAGAIN;
    thread->mask = model_self->mask;
    *beginning = (struct beginning){function, argument, thread};
    int result = REAL(pthread_create)(handle, attributes, begin_thread, beginning);
    model_tell("makes thread %d", (int)(thread - world->threads));
    if (result)
        thread->state = THREAD_FREE;
    else {
        handles[handle_count].handle = *handle;
        handles[handle_count++].thread = (int)(thread - world->threads);
    }
    point();
    return result;
}

static int place_of(pthread_t handle) {
    int place = handle_count - 1;
    while (place >= 0 && handles[place].handle != handle)
        place--;
    return place;
}

EXPORT int pthread_join(pthread_t handle, void **result) {
    int place = model_self ? place_of(handle) : -1;
    if (place >= 0) {
        int number = handles[place].thread;
        while (world->threads[number].state != THREAD_ENDED) {
            model_self->awaited = number;
            model_block(ON_THREAD, NEVER, true);
            deliver();
        }
        world->threads[number].state = THREAD_FREE;
        handles[place_of(handle)] = handles[handle_count - 1];
        handle_count--;
    }
    return REAL(pthread_join)(handle, result);
}

EXPORT int memfd_create(const char *name, unsigned flags) {
    int fd = REAL(memfd_create)(name, flags);
    if (model_self && own()->keeper)
        world->region = fd;
    return fd;
}

/* --- by number --- */

EXPORT long syscall(long number, ...) {
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    long result;
    if (model_self)
        switch (number) {
        case SYS_futex:
            result =
                futex((_Atomic uint32_t *)a[0], (int)a[1], (uint32_t)a[2], (const struct timespec *)a[3]);
            break;
        case SYS_futex_waitv:
            result = futex_waitv((const struct futex_waitv *)a[0], (const struct timespec *)a[3]);
            break;
        case SYS_epoll_pwait2:
            return wait_epoll((int)a[0], (struct epoll_event *)a[1], (int)a[2], (const struct timespec *)a[3],
                              (const sigset_t *)a[4]);
        case SYS_ppoll:
            return ppoll((struct pollfd *)a[0], (nfds_t)a[1], (const struct timespec *)a[2],
                         (const sigset_t *)a[3]);
        case SYS_write: /* of an eventfd */
            if (a[0] >= 0 && a[0] < NUMBERS_MAX && own()->foreign[a[0]])
                die_maybe();
            return write((int)a[0], (const void *)a[1], (size_t)a[2]);
        case SYS_fstat:
            return fstat((int)a[0], (struct stat *)a[1]);
        case SYS_read:
            return read((int)a[0], (void *)a[1], (size_t)a[2]);
        case SYS_close:
            return close((int)a[0]);
        case SYS_tgkill:
            return signal_thread((int)a[1], (int)a[2]);
        case SYS_rt_tgsigqueueinfo:
            return signal_thread((int)a[1], (int)a[2]);
        case SYS_clone: {
            point();
            if (!plan_child())
                return -1;
            result = REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
            if (result == 0) {
                in_child();
                return 0;
            }
            return made_child((pid_t)result);
        }
        default:
            return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        }
    else
        return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

/* Called between any two basic blocks of what is tested. */
void __sanitizer_cov_trace_pc(void);
EXPORT void __sanitizer_cov_trace_pc(void) {
    if (!model_self || !world->plan.preempt_every)
        return;
    if (countdown == 0) {
        countdown = 1 + (uint32_t)model_random(2 * world->plan.preempt_every);
        return;
    }
    if (--countdown == 0)
        point();
}

/* Called by whoever takes an object of a pool: a program may not get it. */

bool pool_runs_out(void); /* of stack/memory/pool_poison.h */
EXPORT bool pool_runs_out(void) {
    return model_self && world->ready && world->plan.no_memory && !own()->keeper && model_one_in(20);
}

/* exit(3), after everybody else's handlers: this one was registered first. */
static void end(int status, void *context) {
    (void)context;
    if (!model_self)
        return;
    model_tell("exit(%d)", status);
    if (status && !own()->keeper)
        model_fail("process %d ended with status %d: %s", model_self->process, status, model_self->at);
    own()->state = PROCESS_LEAVING;
    model_ask_director();
    model_self = NULL;
}

/* Says where a process dies: the addresses are the same each time, for addr2line(1). */
static void on_fault(int signal) {
    void *places[24];
    backtrace_symbols_fd(places, backtrace(places, 24), 2);
    REAL(raise)(signal);
}

static void watch_faults(void) {
    void *place;
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = (int)SA_RESETHAND};
    backtrace(&place, 1); /* loads what it needs */
    for (const int *signal = (const int[]){SIGSEGV, SIGABRT, SIGBUS, SIGFPE, 0}; *signal; signal++)
        REAL(sigaction)(*signal, &action, NULL);
}

__attribute__((constructor)) static void begin(void) {
    const char *thread = getenv("MODEL_THREAD");
    if (!thread)
        return;
    void *mapped = mmap((void *)WORLD_BASE, sizeof *world, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED_NOREPLACE, WORLD_FD, 0);
    if (mapped != (void *)WORLD_BASE)
        abort();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    watch_faults();
    pthread_key_create(&last_key, end_of_thread);
    pthread_atfork(NULL, in_parent, in_child);
    on_exit(end, NULL);
    become(&world->threads[atoi(thread)]);
    own()->pid = getpid();
}

/* As a library's that waits for its workers at exit(3). */
__attribute__((destructor)) static void end_slowly(void) {
    if (!model_self || !world->plan.exits_slowly || own()->keeper)
        return;
    model_self->since_ns = world->now_ns;
    model_block(ON_TIME, after(200000000), false);
}
