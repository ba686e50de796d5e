/* SPDX-License-Identifier: MIT */
/*
 * fork.c - parent and child share each socket: the child gets an account of its own before it exists.
 *
 * fork(2): in the parent the child's account is made, with a share in the parent's fd table, so that a socket
 * which the parent closes at once after fork is not thought abandoned. The stack's lock is let go before
 * anybody else's code runs: other atfork handlers, libc's locks. So other threads may open and close sockets
 * until the child exists. What they open and do not close is entered into the child's fd table, too
 * (fork_each_child); what the child turns out not to have, since it was closed before, the child gives up
 * (descriptor_rebuild). The child notices that it is one at its first call of ours, be it in another's atfork
 * handler (address_space.h), or in our own. It tells the keeper its number, which watches it from then on.
 *
 * vfork(2), and clone(2) with CLONE_VM: the child runs in the parent's memory and must not change what is
 * noted there (address_space.h). An account is made for it as well; it is told to the program that the child
 * executes. A child that ends without that leaves the account to be dropped by the parent.
 */
#include "shim/library/process/fork.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/fd/placeholder.h"
#include "shim/library/guest/guest_thread.h"
#include "shim/library/memory.h"
#include "shim/library/process/address_space.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/netns.h"
#include "shim/library/process/signals.h"
#include "shim/library/syscalls/syscall_patch.h"
#include "shim/library/syscalls/syscall_stub.h"
#include "shim/library/wait/epoll_eventfd.h"
#include "shim/library/wait/epoll_set.h"
#include "shim/library/wait/wait.h"
#include "shim/region/frames.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A child that a thread is making. */
struct plan {
    struct list link; /* in plans, while other threads may open something */
    bool prepared;
    struct process *child;
    uint64_t made_ns;   /* the account's, by which it is known */
    uint64_t forked_ns; /* shortly before it is made */
    uint64_t version;   /* of the table of descriptors, when the account was made */
    unsigned opened;    /* by other threads since, and still open */
};

static struct list plans = {&plans, &plans}; /* of all threads; read and written with the lock held */
static __thread struct plan plan __attribute__((tls_model("initial-exec")));
static __thread bool ours __attribute__((
    tls_model("initial-exec"))); /* this thread is in our fork, rather than one of libc's own */

/* Makes an account for a child, with all that this process has. The lock is held. */
static void make_record(void) {
    plan.prepared = true;
    plan.opened = 0;
    plan.version = descriptor_version();
    plan.forked_ns = shared->stack.now_ns;
    plan.child = shared->broken ? NULL : process_create(0);
    list_init(&plan.link);
    if (!plan.child)
        return;
    plan.made_ns = plan.child->made_ns;
    plan.child->fork_deadline_ns = plan.made_ns + FORK_DEADLINE_NS;
    plan.child->in_child_pid_namespace = wake_self->in_child_pid_namespace;
    plan.child->maker = wake_self;
    if (wake_self->file_table) {
        wake_self->file_table->processes++;
        plan.child->file_table = wake_self->file_table;
    }
    list_add_tail(&plans, &plan.link);
}

static bool is_record(const struct plan *made) {
    const struct process *child = made->child;
    return child && !shared->broken && pool_has(&shared->processes, child) && child->made_ns == made->made_ns;
}

/* The child's account, if it is still there and nobody has taken it over. The lock is held. */
static struct process *unborn(void) {
    struct process *child = plan.child;
    bool there = is_record(&plan) && !child->pid && !child->begun;
    return there ? child : NULL;
}

/* The keeper looks at accounts of children that have not come, after a while. */
static bool want_look(void) {
    bool first = plan.child && !shared->unwatched;
    shared->unwatched |= plan.child != NULL;
    return first;
}

static void begin_plan(void) {
    region_enter();
    make_record();
    bool first = want_look();
    region_leave();
    if (first)
        wake_keeper();
}

/* The child exists, or does not: nothing is opened for it any more. The lock is held. */
static void end_plan(void) {
    plan.prepared = false;
    if (is_record(&plan))
        plan.child->maker = NULL;
    list_remove(&plan.link);
}

void fork_each_child(void (*visit)(struct process *child, unsigned *opened, void *context), void *context) {
    struct list *link, *next;
    list_for_each(link, next, &plans) {
        struct plan *made = container_of(link, struct plan, link);
        if (is_record(made) && !made->child->pid && !made->child->begun)
            visit(made->child, &made->opened, context);
    }
}

static void prepare(void) {
    epolls_forking();
    attach_fork_begin();
    if (attached() && !address_space_is_parents())
        begin_plan();
}

/* Of a fork that libc does for itself, as in daemon(3), only the child tells its number. */
static void in_parent(void) {
    attach_fork_end();
    if (!plan.prepared || ours)
        return;
    region_enter();
    end_plan();
    region_leave();
}

/* A number means nothing to a keeper outside of our PID namespace; a descriptor does. */
static void tell_keeper(struct process_record child, pid_t pid) {
    struct ipc_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, IPC_CHILD}, .record = child};
    int pidfd = (int)LIBC(syscall)(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return;
    attach_tell(&request, pidfd);
    LIBC(close)(pidfd);
}

static struct plan born;   /* that made this process: whichever of its threads comes to the stack first */
static bool table_changed; /* since the account was made, or was being changed: in a child */

/* There is no memory for a second account either. All that this process has in the region is its parent's. */
static _Noreturn void end_without_account(void) {
    static const char why[] =
        "barewire: the stack is out of memory: a child of fork can't use it, and ends\n";
    static struct process nobody = {.pidfd = -1};
    list_init(&nobody.waiters);
    wake_self = &nobody;
    region_leave();
    if (LIBC(write)(STDERR_FILENO, why, sizeof why - 1) < 0)
        _exit(EXIT_FAILURE);
    _exit(EXIT_FAILURE);
}

/* A new account for a child whose parent could not make one, or who comes so late that it was given up. Its parent's
 * sockets are not among what it has. */
static struct process *account_anew(void) {
    struct process *child = process_create(0);
    descriptor_forget_all();
    table_changed = false;
    if (child) {
        child->in_child_pid_namespace = wake_self->in_child_pid_namespace;
        child->fork_deadline_ns = child->made_ns + FORK_DEADLINE_NS;
        return child;
    }
    end_without_account();
}

/* The first time that the child comes to the stack, with the lock held: is its account still there? */
static void begin_life(void) {
    LOCK_EXCEPTION;
    if (shared->broken) {
        descriptor_forget_all();
        return;
    }
    wake_self = is_record(&born) ? born.child : account_anew();
    wake_self->begun = true;
    if (!wake_self->pid && !wake_self->in_child_pid_namespace)
        wake_self->pid = getpid();
    wake_self->in_child_pid_namespace |= wake_self->pid && wake_self->pid != getpid();
    if (wake_self->pidfd < 0) {
        shared->begun = true;
        wake_keeper(); /* before this process wakes anybody else, whom nobody would wake if it died of that */
    }
    if (table_changed)
        descriptor_rebuild();
    else
        descriptor_forked();
}

/* Most children run another program, or end, without having come to the stack: they cost nothing here. */
static void in_child(void) {
    bool told = ours; /* of the child's number: the keeper, by the parent */
    ours = false;
    attach_forked();
    descriptor_gate_forked();
    address_space_forked();
    lock_forked();
    signals_forked();
    syscall_stubs_forked();
    syscall_patch_forked();
    if (!plan.prepared)
        return;
    plan.prepared = false;
    born = plan;
    list_init(&plans); /* of the parent's threads */
    frames_forked();
    placeholder_forked();
    wait_forked();
    epoll_eventfds_forked();
    clock_forked(plan.forked_ns);
    table_changed = descriptor_version() != plan.version;
    shared_begin = begin_life;
    bool known = told && born.child;
    if (known && !table_changed)
        return;
    region_enter();
    region_leave();
    if (!known && wake_self->in_child_pid_namespace)
        tell_keeper(process_record_of(wake_self), getpid());
}

/* Our atfork handler in the child, unless one before it had the child notice already. */
static void at_fork_in_child(void) {
    if (ours || plan.prepared || address_space_owner() != getpid())
        in_child();
}

/* The end of a fork of ours, in the parent. */
static pid_t forked(pid_t pid) {
    int error = errno;
    ours = false;
    if (!plan.prepared)
        return pid;
    region_enter();
    struct process *child = unborn();
    bool nested = child && wake_self->in_child_pid_namespace;
    if (child && pid > 0 && !nested)
        child->pid = pid; /* the child may be killed before it can say so itself */
    else if (child && pid < 0)
        process_reap(child);
    end_plan();
    region_leave();
    if (nested && pid > 0)
        tell_keeper((struct process_record){child, plan.made_ns}, pid);
    errno = error;
    return pid;
}

EXPORT pid_t fork(void) {
    ours = !address_space_is_parents();
    epolls_forking();
    pid_t pid = LIBC(fork)();
    return pid == 0 ? 0 : forked(pid);
}

/* Without what pthread_atfork(3) has registered. */
EXPORT pid_t _Fork(void) {
    ours = !address_space_is_parents();
    epolls_forking();
    prepare();
    pid_t pid = LIBC(_Fork)();
    if (pid == 0) {
        in_child();
        return 0;
    }
    attach_fork_end();
    return forked(pid);
}

/* By which the kernel, and a robust mutex, know the calling thread: libc has these in the memory that the
 * thread runs in, and a bare clone(2) leaves the child's thread with its parent's number, and without the
 * list by which the kernel finds a dead thread's locks. */
struct identity {
    struct robust_list_head *head;
    size_t length;
    int *tid;
};

static bool identity_by_kernel(struct identity *identity) {
    struct robust_list_head *of_libc = guest_robust_list_of_libc();
    bool known = LIBC(syscall)(SYS_get_robust_list, 0, &identity->head, &identity->length) == 0 &&
                 LIBC(prctl)(PR_GET_TID_ADDRESS, &identity->tid) == 0 && identity->tid;
    if (of_libc)
        identity->head = of_libc;
    return known;
}

/* Of this thread, for a child that runs in its memory and forks: the kernel knows nothing of that. */
static __thread struct identity lent __attribute__((tls_model("initial-exec")));

static bool identity_of_thread(struct identity *identity) {
    if (identity_by_kernel(identity))
        return true;
    *identity = lent;
    return lent.tid != NULL;
}

/* cleared: the caller of clone(2) has asked for a word of its own to be cleared when the child ends. */
static void identity_take(const struct identity *identity, bool cleared) {
    guest_robust_list_forked();
    *identity->tid = (int)LIBC(syscall)(SYS_gettid);
    if (!cleared)
        LIBC(syscall)(SYS_set_tid_address, identity->tid);
    LIBC(syscall)(SYS_set_robust_list, identity->head, identity->length);
}

long fork_by_syscall(long number, const long arguments[6]) {
    struct identity identity;
    if (!identity_of_thread(&identity)) {
        errno = ENOSYS;
        return -1;
    }
    ours = !address_space_is_parents();
    prepare();
    long pid = LIBC(syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                             arguments[5]);
    if (pid == 0) {
        identity_take(&identity, number == SYS_clone && arguments[0] & CLONE_CHILD_CLEARTID);
        in_child();
        return 0;
    }
    attach_fork_end();
    return forked((pid_t)pid);
}

struct process *fork_record(void) {
    if (address_space_is_parents())
        return NULL;
    region_enter();
    plan.child = NULL;
    if (wake_self->file_table && !list_empty(&wake_self->file_table->file_refs))
        make_record();
    bool first = want_look();
    region_leave();
    if (first)
        wake_keeper();
    return plan.child;
}

void fork_record_given(void) {
    if (!plan.prepared)
        return;
    region_enter();
    end_plan();
    region_leave();
}

void fork_record_drop(void) {
    if (!plan.prepared)
        return;
    region_enter();
    struct process *record = unborn();
    if (record)
        process_reap(record);
    end_plan();
    region_leave();
}

void fork_record_expire(void) {
    if (!plan.prepared)
        return;
    region_enter();
    struct process *record = unborn();
    if (record)
        record->fork_deadline_ns = shared->stack.now_ns + FORK_SOON_NS;
    end_plan();
    region_leave();
    wake_keeper();
}

/* A child that runs in this thread's memory, while the thread sleeps. Its own children do so in turn, one
 * within the other. */
static __thread struct {
    bool executes; /* the child is about to, or has */
    void *memory;  /* that is to be given back then */
} borrower __attribute__((tls_model("initial-exec")));

static void begin_borrower(void) {
    if (!address_space_is_parents())
        (void)identity_by_kernel(&lent);
    address_space_lend();
    epolls_forking();
    if (attached() && !address_space_is_parents())
        fork_record();
}

struct process *fork_borrower_record(void) {
    return plan.prepared ? plan.child : NULL;
}

void fork_borrower_executes(void *memory) {
    borrower.executes = true;
    borrower.memory = memory;
}

void fork_borrower_stays(void) {
    borrower.executes = false;
}

/* The account is of the process with that number from now on. */
static void give_record(pid_t pid) {
    region_enter();
    struct process *record = unborn();
    if (record && !wake_self->in_child_pid_namespace)
        record->pid = pid;
    end_plan();
    region_leave();
    if (record && wake_self->in_child_pid_namespace)
        tell_keeper((struct process_record){record, plan.made_ns}, pid);
    wake_keeper();
}

/* In the parent: the child has ended, or executes another program; or it could not be made. */
static void end_borrower(pid_t pid) {
    bool executes = borrower.executes && pid > 0;
    borrower.executes = false;
    address_space_return();
    if (executes)
        memory_give(borrower.memory);
    if (address_space_is_parents() || !attached())
        return; /* one child within another: the account is the outer one's */
    lock_returned();
    if (!plan.prepared)
        return;
    if (!executes) {
        fork_record_drop();
        return;
    }
    give_record(pid);
}

struct start {
    int (*function)(void *);
    void *argument;
    struct identity identity;
    bool identified, cleared;
};

static int begin_clone(void *context) {
    struct start start = *(struct start *)context;
    if (start.identified)
        identity_take(&start.identity, start.cleared);
    in_child();
    return start.function(start.argument);
}

/* A child that goes on beside its parent's threads: what it has open is its own from now on, whatever the
 * parent closes. */
static void end_borrower_beside(pid_t pid) {
    if (pid < 0) {
        address_space_return();
        fork_record_drop();
    } else if (plan.prepared) {
        give_record(pid);
    }
}

EXPORT int clone(int (*function)(void *), void *stack, int flags, void *argument, ...) {
    va_list more;
    va_start(more, argument);
    void *parent_tid = va_arg(more, void *), *tls = va_arg(more, void *), *child_tid = va_arg(more, void *);
    va_end(more);
    if (flags & CLONE_NEWNET)
        netns_leaving();
    if (flags & CLONE_VM && !(flags & CLONE_THREAD) && function && stack) {
        begin_borrower();
        int pid = LIBC(clone)(function, stack, flags, argument, parent_tid, tls, child_tid);
        int error = errno;
        if (flags & CLONE_VFORK)
            end_borrower(pid);
        else
            end_borrower_beside(pid); /* the memory stays lent */
        if (pid < 0 || flags & CLONE_VFORK)
            errno = error; /* else it is the child's, too, which runs already */
        return pid;
    }
    if (flags & CLONE_VM || !attached() || !function || !stack)
        return LIBC(clone)(function, stack, flags, argument, parent_tid, tls, child_tid);
    struct start start = {
        .function = function, .argument = argument, .cleared = flags & CLONE_CHILD_CLEARTID};
    start.identified = identity_of_thread(&start.identity);
    ours = !address_space_is_parents();
    prepare();
    int pid = LIBC(clone)(begin_clone, stack, flags, &start, parent_tid, tls, child_tid);
    return forked(pid);
}

/* The kernel clears `alive` when the child gives this memory up. From the clone on this thread uses none of its
 * thread-local storage. */
void fork_beside(int (*function)(void *), void *stack, int flags, void *argument, void *parent_tid,
                 _Atomic int *made) {
    _Atomic int alive = 1;
    begin_borrower();
    int pid = LIBC(clone)(function, stack, flags | CLONE_CHILD_CLEARTID, argument, parent_tid, NULL, &alive);
    *made = pid < 0 ? -errno : pid;
    kernel_call(SYS_futex, (long)made, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    while (pid > 0 && alive)
        kernel_call(SYS_futex, (long)&alive, FUTEX_WAIT, 1, 0, 0, 0);
    end_borrower(pid);
}

/* The handlers are registered when the library begins, before the program's. */
void fork_begin(void) {
    address_space_begin();
    shared_forked = in_child;
    pthread_atfork(prepare, in_parent, at_fork_in_child);
}

/*
 * vfork(2) returns twice, and its child uses the caller's stack: nothing that the parent needs may lie there.
 * So the address to return to waits in a register, which the kernel keeps for each of the two.
 */
#if defined __x86_64__
__attribute__((used, visibility("hidden"))) void fork_vfork_begin(void) {
    begin_borrower();
}

__attribute__((used, visibility("hidden"))) pid_t fork_vfork_end(long result) {
    end_borrower((pid_t)result);
    if (result >= 0)
        return (pid_t)result;
    errno = (int)-result;
    return -1;
}

__asm__(".text\n"
        ".globl vfork\n"
        ".type vfork, @function\n"
        "vfork:\n"
        "    subq $8, %rsp\n"
        "    call fork_vfork_begin\n"
        "    addq $8, %rsp\n"
        "    popq %rdi\n"
        "    movl $58, %eax\n" /* SYS_vfork */
        "    syscall\n"
        "    pushq %rdi\n"
        "    movq %rax, %rdi\n"
        "    testq %rax, %rax\n"
        "    jne fork_vfork_end\n"
        "    ret\n"
        ".size vfork, . - vfork\n");
#else
/* As POSIX allows. */
EXPORT pid_t vfork(void) {
    return fork();
}
#endif
