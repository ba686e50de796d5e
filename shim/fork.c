/*
 * fork.c - parent and child share each socket: the child gets an account of its own before it exists.
 *
 * In the parent, with the lock held, the child's account is made, with a share in the parent's estate, so
 * that a socket which the parent closes at once after fork is not thought abandoned. The child finds its
 * table of descriptors in memory that it has inherited, and tells the keeper its number, which watches it
 * from then on.
 */
#include "fork.h"
#include "attach.h"
#include "bell.h"
#include "descriptor.h"
#include "epoll_set.h"
#include "frames.h"
#include "libc.h"
#include "lock.h"
#include "netns.h"
#include "process.h"
#include "spare.h"
#include "wait.h"
#include "wake.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    bool prepared;
    struct process *child;
    bool first;       /* that the keeper has to be told of: it looks at all new children after a while */
    uint64_t made_ns; /* the account's, by which it is known */
} plan;

static __thread bool ours __attribute__((
    tls_model("initial-exec"))); /* this thread is in our fork, rather than one of libc's own */

/* An account for a child, with all that this process has. The lock is held. NULL when there can be none. */
static struct process *make_account(void) {
    plan.child = shared->broken ? NULL : process_create(0);
    if (!plan.child)
        return NULL;
    plan.made_ns = plan.child->made_ns;
    plan.child->unborn_until_ns = plan.made_ns + UNBORN_NS;
    plan.child->nested = wake_self->nested;
    plan.first = !shared->unwatched;
    shared->unwatched = true;
    if (wake_self->estate) {
        wake_self->estate->processes++;
        plan.child->estate = wake_self->estate;
    }
    return plan.child;
}

static void prepare(void) {
    plan.prepared = attached();
    epolls_forking();
    if (!plan.prepared)
        return;
    shared_lock();
    make_account();
}

static void let_go(void) {
    bool first = plan.child && plan.first;
    shared_unlock();
    if (first)
        wake_keeper();
}

/* Of a fork that libc does for itself, as in daemon(3), only the child tells its number. */
static void in_parent(void) {
    if (plan.prepared && !ours)
        let_go();
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

/* The first time that the child comes to the stack, with the lock held: is its account still there? */
static void begin_life(void) {
    if (!plan.child || !pool_has(&shared->processes, plan.child) || plan.child->made_ns != plan.made_ns) {
        descriptor_forget_all(); /* out of memory, or so late that the child was given up */
        return;
    }
    wake_self = plan.child;
    if (!wake_self->pid && !wake_self->nested)
        wake_self->pid = getpid();
    wake_self->nested |= wake_self->pid && wake_self->pid != getpid();
}

/* Most children run another program, or end, without having come to the stack: they cost nothing here. */
static void in_child(void) {
    bool told = ours; /* of the child's number: the keeper, by the parent */
    ours = false;
    if (!plan.prepared)
        return;
    attach_forked();
    frames_forked();
    spare_forked();
    lock_forked();
    wait_forked();
    bells_forked();
    descriptor_forked();
    shared_begin = begin_life;
    if (told)
        return;
    shared_lock();
    shared_unlock();
    if (wake_self->nested)
        tell_keeper(wake_self, getpid());
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
    let_go();
    if (nested && pid > 0)
        tell_keeper(child, pid);
    errno = error;
    return pid;
}

EXPORT pid_t fork(void) {
    ours = true;
    epolls_forking();
    pid_t pid = LIBC(fork)();
    if (pid == 0)
        return 0;
    ours = false;
    return forked(pid);
}

/* Without what pthread_atfork(3) has registered. */
EXPORT pid_t _Fork(void) {
    epolls_forking();
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
    if (flags & CLONE_NEWNET)
        netns_leaving();
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
    struct process *account =
        wake_self->estate && !list_empty(&wake_self->estate->holdings) ? make_account() : NULL;
    let_go();
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

static void register_handlers(void) {
    pthread_atfork(prepare, in_parent, in_child);
}

void fork_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* several threads may open the first socket */
    pthread_once(&once, register_handlers);
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
