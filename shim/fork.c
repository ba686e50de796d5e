/*
 * fork.c - parent and child share each socket: the child gets an account of its own before it exists.
 *
 * In the parent, with the lock held, every holding gets a twin in the child's account, so that a socket which
 * the parent closes at once after fork is not thought abandoned. The child finds the twins in memory that it
 * has inherited, points its table at them, and tells the keeper its number; the keeper watches it from then
 * on.
 */
#include "fork.h"
#include "attach.h"
#include "descriptor.h"
#include "libc.h"
#include "lock.h"
#include "process.h"
#include "wait.h"
#include "wake.h"
#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct heir {
    int fd;
    struct holding *holding;
};

static struct {
    bool prepared;
    struct process *child;
    uint64_t made_ns; /* the account's, by which it is known */
    struct heir *heirs;
    size_t count, room;
} plan;

static __thread bool ours __attribute__((
    tls_model("initial-exec"))); /* this thread is in our fork, rather than one of libc's own */

static struct holding *twin_of(struct holding *holding) {
    if (holding->twin)
        return holding->twin;
    struct holding *twin = pool_take_zeroed(&shared->holdings);
    if (!twin)
        return NULL;
    *twin = *holding;
    twin->twin = NULL;
    twin->descriptors = 0;
    twin->process = plan.child;
    list_init(&twin->link);
    list_add_tail(&plan.child->holdings, &twin->link);
    if (twin->kind == HOLDING_SOCKET)
        twin->socket->holders++;
    else
        twin->epoll->holders++;
    holding->twin = twin;
    return twin;
}

static void bequeath(int fd, void *context) {
    (void)context;
    if (plan.count == plan.room) {
        size_t room = plan.room ? plan.room * 2 : 64;
        struct heir *grown =
            plan.heirs ? rallocx(plan.heirs, room * sizeof *grown, 0) : mallocx(room * sizeof *grown, 0);
        if (!grown)
            return;
        plan.heirs = grown;
        plan.room = room;
    }
    struct holding *twin = twin_of(descriptor_find(fd));
    if (!twin)
        return;
    twin->descriptors++;
    plan.heirs[plan.count++] = (struct heir){fd, twin};
}

/* An account for a child, with all that this process has. The lock is held. NULL when there can be none. */
static struct process *make_account(void) {
    struct list *link, *next;
    plan.count = 0;
    plan.child = shared->broken ? NULL : process_create(0);
    if (!plan.child)
        return NULL;
    plan.made_ns = plan.child->made_ns;
    plan.child->unborn_until_ns = plan.made_ns + UNBORN_NS;
    plan.child->nested = wake_self->nested;
    list_for_each(link, next, &wake_self->holdings) container_of(link, struct holding, link)->twin = NULL;
    descriptor_walk(0, UINT32_MAX, bequeath, NULL);
    return plan.child;
}

static void prepare(void) {
    plan.prepared = attached();
    if (!plan.prepared)
        return;
    shared_lock();
    make_account();
}

/* Of a fork that libc does for itself, as in daemon(3), only the child tells its number. */
static void in_parent(void) {
    if (plan.prepared && !ours)
        shared_unlock();
}

static void forget(int fd, void *context) {
    (void)context;
    descriptor_pages[fd / DESCRIPTOR_PAGE][fd % DESCRIPTOR_PAGE] = NULL;
}

/* A number means nothing to a keeper outside of our PID namespace; a descriptor does. */
static void tell_keeper(struct process *child, pid_t pid) {
    struct door_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, DOOR_CHILD}, .account = child};
    int pidfd = (int)LIBC(syscall)(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return;
    attach_tell(&request, pidfd);
    LIBC(close)(pidfd);
}

static void in_child(void) {
    bool told = ours; /* by the parent */
    ours = false;
    if (!plan.prepared)
        return;
    lock_forked();
    descriptor_walk(0, UINT32_MAX, forget, NULL);
    wait_forked();
    if (!plan.child)
        return; /* out of memory: the descriptors are not ours in the child */
    shared_lock();
    if (pool_has(&shared->processes, plan.child) && plan.child->made_ns == plan.made_ns) {
        wake_self = plan.child;
        if (!wake_self->pid && !wake_self->nested)
            wake_self->pid = getpid();
        wake_self->nested |= wake_self->pid && wake_self->pid != getpid();
        for (size_t i = 0; i < plan.count; i++)
            descriptor_pages[plan.heirs[i].fd / DESCRIPTOR_PAGE][plan.heirs[i].fd % DESCRIPTOR_PAGE] =
                plan.heirs[i].holding;
    }
    shared_unlock();
    if (wake_self->nested && !told)
        tell_keeper(wake_self, getpid());
    wake_keeper();
}

/* The end of a fork of ours, in the parent. */
static pid_t forked(pid_t pid) {
    int error = errno;
    if (!plan.prepared)
        return pid;
    struct process *child = plan.child;
    bool nested = child && wake_self->nested;
    if (child && pid > 0 && !nested)
        child->pid = pid; /* the child may be killed before it can say so itself */
    else if (child && pid < 0)
        process_settle(child);
    shared_unlock();
    if (nested && pid > 0)
        tell_keeper(child, pid);
    wake_keeper();
    errno = error;
    return pid;
}

EXPORT pid_t fork(void) {
    ours = true;
    pid_t pid = LIBC(fork)();
    if (pid == 0)
        return 0;
    ours = false;
    return forked(pid);
}

/* Without what pthread_atfork(3) has registered. */
EXPORT pid_t _Fork(void) {
    if (!attached())
        return LIBC(_Fork)();
    ours = true;
    prepare();
    pid_t pid = LIBC(_Fork)();
    if (pid == 0) {
        in_child();
        return 0;
    }
    ours = false;
    return forked(pid);
}

/* The system call itself leaves the child's thread with its parent's number, and without the list by which
 * the kernel finds a dead thread's locks. */
long fork_by_syscall(long number, const long arguments[6]) {
    struct robust_list_head *head;
    size_t length;
    int *tid;
    if (LIBC(syscall)(SYS_get_robust_list, 0, &head, &length) < 0 || prctl(PR_GET_TID_ADDRESS, &tid) < 0 ||
        !tid) {
        errno = ENOSYS;
        return -1;
    }
    ours = true;
    prepare();
    long pid = LIBC(syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                             arguments[5]);
    if (pid == 0) {
        *tid = (int)LIBC(syscall)(SYS_gettid);
        LIBC(syscall)(SYS_set_tid_address, tid);
        LIBC(syscall)(SYS_set_robust_list, head, length);
        in_child();
        return 0;
    }
    ours = false;
    return forked((pid_t)pid);
}

struct start {
    int (*function)(void *);
    void *argument;
};

static int begin_clone(void *context) {
    struct start start = *(struct start *)context;
    in_child();
    return start.function(start.argument);
}

EXPORT int clone(int (*function)(void *), void *stack, int flags, void *argument, ...) {
    va_list more;
    va_start(more, argument);
    void *parent_tid = va_arg(more, void *), *tls = va_arg(more, void *), *child_tid = va_arg(more, void *);
    va_end(more);
    if (flags & CLONE_VM || !attached() || !function || !stack)
        return LIBC(clone)(function, stack, flags, argument, parent_tid, tls, child_tid);
    struct start start = {function, argument};
    ours = true;
    prepare();
    int pid = LIBC(clone)(begin_clone, stack, flags, &start, parent_tid, tls, child_tid);
    ours = false;
    return forked(pid);
}

struct process *fork_account(void) {
    shared_lock();
    struct process *account = list_empty(&wake_self->holdings) ? NULL : make_account();
    shared_unlock();
    return account;
}

void fork_account_drop(struct process *account) {
    if (!account)
        return;
    shared_lock();
    if (!shared->broken)
        process_settle(account);
    shared_unlock();
}

void fork_account_expire(struct process *account) {
    if (!account)
        return;
    shared_lock();
    account->unborn_until_ns = shared->stack.now_ns + UNBORN_SOON_NS;
    shared_unlock();
    wake_keeper();
}

void fork_start(void) {
    static bool started;
    if (!started)
        pthread_atfork(prepare, in_parent, in_child);
    started = true;
}

/*
 * vfork(2) lends the parent's memory to the child, whose close(2) would then change the parent's table. So
 * once there is a socket of ours, vfork is fork, as POSIX allows. Before, it is libc's, which must be jumped
 * to: it returns twice on the caller's stack.
 */
#if defined __x86_64__
void *fork_libc_vfork __attribute__((visibility("hidden")));
__asm__(".text\n"
        ".globl vfork\n"
        ".type vfork, @function\n"
        "vfork:\n"
        "    cmpb $0, descriptor_any(%rip)\n"
        "    jne 1f\n"
        "    movq fork_libc_vfork(%rip), %rax\n"
        "    testq %rax, %rax\n"
        "    je 1f\n"
        "    jmp *%rax\n"
        "1:  jmp fork@PLT\n"
        ".size vfork, . - vfork\n");

#include <dlfcn.h>
__attribute__((constructor)) static void find_vfork(void) {
    fork_libc_vfork = dlsym(RTLD_NEXT, "vfork");
}
#else
EXPORT pid_t vfork(void) {
    return fork();
}
#endif
