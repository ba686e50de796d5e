/* SPDX-License-Identifier: MIT */
/*
 * signals.c - see signals.h.
 *
 * Theory of operation. Every handler that the program installs is entered through ours. When the thread that
 * got the signal holds the lock, our handler remembers the signal, has all signals blocked in what it returns
 * to, and the thread sends itself the same signal again, with the old mask, when it has let the lock go. So
 * no handler ever runs inside the stack, and taking the lock needs no system call.
 *
 * A signal whose default action ends or stops the process is as dangerous: it could end it in the middle of a
 * change of the stack, by this thread or another. From the first socket on such signals are caught too, and
 * carried out when no thread of the process is in the stack. The program is told SIG_DFL if it asks. Faults
 * (SIGSEGV and its like) and SIGKILL can't wait.
 *
 * A fault in the library's own access to the program's memory is no signal of the program's: the call fails
 * with EFAULT (user_memory.h). So SIGSEGV and SIGBUS are ours from the first socket on, ahead of whatever
 * handler the program has, and no handler's mask holds them back. Any other fault is the program's, with its
 * handler, on the stack that it asked for; without one the process ends where it was, as if we had not been
 * there.
 *
 * What the program installed last is read by handlers in any thread, while another thread may install
 * something else: each signal has two places for that, and a count that says which of them is whole.
 *
 * A child in borrowed memory (address_space.h) has dispositions of its own in the kernel: what it installs
 * goes there as it is, and nowhere else.
 */
#include "shim/library/process/signals.h"
#include "shim/library/guest/guest_thread.h"
#include "shim/library/process/address_space.h"
#include "shim/library/process/attach.h"
#include "shim/library/syscalls/syscall_stub.h"
#include "shim/library/syscalls/syscall_table.h"
#include "shim/library/syscalls/syscall_traps.h"
#include "shim/library/syscalls/user_dispatch.h"
#include "shim/library/user_memory.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

typedef void handler_function(int, siginfo_t *, void *);

/* What the program believes is installed: in place `count` % 2, if count is not 0; else the kernel knows. */
static struct wanted {
    _Atomic unsigned count;
    struct sigaction places[2];
} table[NSIG];
static _Atomic bool writing; /* one thread at a time, with all signals blocked */
static bool started;

static __thread struct {
    bool pending;
    int signal;
    siginfo_t info;
    sigset_t mask;
} held __attribute__((tls_model("initial-exec")));

__thread struct signals_count signals_handled, signals_at_call;
static __thread struct timespec sleep_limit __attribute__((tls_model("initial-exec")));

struct timespec *signals_sleep_limit(struct timespec limit) {
    sleep_limit = limit;
    atomic_signal_fence(memory_order_seq_cst);
    return &sleep_limit;
}

static bool default_is_fatal_or_stops(int signal) {
    switch (signal) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
        return false;
    default:
        return signal < 32 || signal >= SIGRTMIN; /* 32 and 33 are libc's own */
    }
}

/* libc would refuse its own signals; what a handler returns by is the same for all. */
static int ask_kernel(int signal, const struct sigaction *action, struct sigaction *old) {
    struct kernel_sigaction wanted, told, other;
    if (!signal_is_libcs(signal) || !guest_threads)
        return LIBC(sigaction)(signal, action, old);
    if (action) {
        LIBC(syscall)(SYS_rt_sigaction, SIGSYS, NULL, &other, _NSIG / 8);
        wanted = (struct kernel_sigaction){.handler = action->sa_handler,
                                           .flags = (unsigned)action->sa_flags | KERNEL_SA_RESTORER,
                                           .restorer = other.restorer};
        memcpy(&wanted.mask, &action->sa_mask, sizeof wanted.mask);
    }
    if (LIBC(syscall)(SYS_rt_sigaction, signal, action ? &wanted : NULL, &told, _NSIG / 8) < 0)
        return -1;
    if (old) {
        *old =
            (struct sigaction){.sa_handler = told.handler, .sa_flags = (int)told.flags & ~KERNEL_SA_RESTORER};
        memcpy(&old->sa_mask, &told.mask, sizeof told.mask);
    }
    return 0;
}

static bool is_of_memory(int signal) {
    return signal == SIGSEGV || signal == SIGBUS;
}

/* Whether the library has to hear of a signal that the program has left to the kernel. */
static bool is_ours_to_catch(int signal, sighandler_t handler) {
    return started && (is_of_memory(signal) || (handler == SIG_DFL && default_is_fatal_or_stops(signal)));
}

/* They arrive whatever else is held back: the kernel ends a process for a fault whose signal is blocked. */
static void let_faults_in(sigset_t *mask) {
    sigdelset(mask, SIGSEGV);
    sigdelset(mask, SIGBUS);
}

static bool is_fault(int signal, const siginfo_t *info) {
    return (signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL ||
            signal == SIGTRAP || signal == SIGSYS) &&
           info->si_code > 0;
}

static bool look_up(int signal, struct sigaction *action) {
    struct wanted *wanted = &table[signal];
    unsigned count;
    do {
        count = wanted->count;
        *action = wanted->places[count % 2];
        atomic_thread_fence(memory_order_acquire);
    } while (wanted->count != count);
    return count != 0;
}

static void enter_wanted(int signal, const struct sigaction *action) {
    struct wanted *wanted = &table[signal];
    unsigned next = wanted->count + 1;
    wanted->places[next % 2] = *action;
    wanted->count = next ? next : 2;
}

static void begin_writing(sigset_t *mask) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, mask);
    while (atomic_exchange(&writing, true))
        sched_yield();
}

static void end_writing(const sigset_t *mask) {
    writing = false;
    pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* SA_RESETHAND: gives a handler that runs once to the first who asks; the others find the default action. */
static void take_once(int signal, struct sigaction *action) {
    sigset_t mask;
    begin_writing(&mask);
    look_up(signal, action);
    if (action->sa_flags & (int)SA_RESETHAND && action->sa_handler != SIG_DFL) {
        struct sigaction after = *action;
        after.sa_handler = SIG_DFL;
        enter_wanted(signal, &after);
    }
    end_writing(&mask);
}

static void send_again(int signal, const siginfo_t *info) {
    syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, info);
}

/* libc's masks never have the two signals that it keeps for itself; those of a guest are of a libc of its own, and
 * come to our handlers. */
static void set_mask(const sigset_t *mask) {
    if (user_dispatch_on)
        kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)mask, 0, sizeof(uint64_t), 0, 0);
    else
        pthread_sigmask(SIG_SETMASK, mask, NULL);
}

static void fill_mask(sigset_t *mask) {
    sigfillset(mask);
    if (user_dispatch_on)
        memset(mask, 0xff, sizeof(uint64_t));
}

static void release_held(void) {
    if (!held.pending)
        return;
    held.pending = false;
    send_again(held.signal, &held.info);
    set_mask(&held.mask); /* the signal arrives here */
}

/* Of two that arrive at once the kernel lets the second in at the first's first instruction: it is held
 * there, with the mask of that handler, and the first, which comes here after it, waits in the kernel beside
 * it. What the thread goes back to in the end is the first's. */
static void hold_back(int signal, const siginfo_t *info, ucontext_t *context) {
    LOCK_EXCEPTION;
    sigset_t all;
    fill_mask(&all);
    set_mask(&all); /* no third comes now */
    if (held.pending) {
        send_again(signal, info);
    } else {
        held.signal = signal;
        held.info = *info;
        held.pending = true;
    }
    held.mask = context->uc_sigmask;
    fill_mask(&context->uc_sigmask);
    let_faults_in(&context->uc_sigmask);
}

/* Does what the kernel would have done, at a moment when the stack is whole. */
static void carry_out_default(int signal) {
    struct sigaction plain = {.sa_handler = SIG_DFL}, ours;
    sigset_t only;
    bool gated = attached() && !address_space_is_parents();
    if (gated)
        shared_gate_close();
    ask_kernel(signal, &plain, &ours);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
    sigemptyset(&only);
    sigaddset(&only, signal);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL); /* here it ends or stops */
    ask_kernel(signal, &ours, NULL);
    if (gated)
        shared_gate_open(); /* it was only stopped */
}

/* The access is made again when the handler returns, and then ends the process as it would have without us:
 * what is found afterwards says where that was. */
static void end_by_fault(int signal) {
    struct sigaction plain = {.sa_handler = SIG_DFL};
    if (attached() && !address_space_is_parents())
        shared_gate_close();
    LIBC(sigaction)(signal, &plain, NULL);
}

static __thread unsigned running __attribute__((tls_model("initial-exec")));

bool signals_running(void) {
    return running > 0;
}

#if defined __x86_64__ && !defined CALLS_BY_LIBC
bool signals_interrupt(long number) {
    switch (number) {
    case SYS_read:
    case SYS_readv:
    case SYS_write:
    case SYS_writev:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_accept:
    case SYS_accept4:
    case SYS_connect:
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
    case SYS_futex:
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_wait4:
    case SYS_waitid:
    case SYS_pause:
    case SYS_rt_sigsuspend:
    case SYS_rt_sigtimedwait:
    case SYS_msgrcv:
    case SYS_msgsnd:
    case SYS_semop:
    case SYS_semtimedop:
    case SYS_flock:
    case SYS_fcntl:
    case SYS_open:
    case SYS_openat:
        return true;
    default:
        return false;
    }
}

static bool is_of_stub(uintptr_t instruction) {
    return instruction - (uintptr_t)syscall_stubs_room < SYSCALL_STUBS_BYTES;
}

/* A signal that came while SIGSYS was answered finds the thread at the beginning of the stub, where it has done nothing
 * yet: a guest's C library is to find its own instruction there. */
static void lead_back(ucontext_t *context) {
    greg_t *at = &context->uc_mcontext.gregs[REG_RIP];
    uintptr_t instruction = is_of_stub((uintptr_t)*at) ? syscall_trap_of_stub((uintptr_t)*at) : 0;
    if (instruction)
        *at = (greg_t)instruction;
}

/*
 * A handler of a guest's that holds back its own signal in what it returns to wants the call given up in which the
 * thread is, if it is in one, whatever SA_RESTART says: musl's, by which pthread_cancel(3) ends a thread. It would
 * have found the guest's own instruction there, and have led the thread elsewhere. So the call is EINTR: at the
 * instruction of a stub, by which the kernel would make it again, or out of the library's midst, as by a handler that
 * jumps.
 */
static void give_up_call(ucontext_t *context) {
    greg_t *registers = context->uc_mcontext.gregs;
    uintptr_t at = (uintptr_t)registers[REG_RIP];
    if (is_of_stub(at) && memcmp((const void *)at, "\x0f\x05", 2) == 0) {
        if (signals_interrupt((long)registers[REG_RAX]))
            registers[REG_RAX] = -EINTR, registers[REG_RIP] += 2;
    } else if (at >= user_dispatch_end()) {
        syscall_give_up(context);
    }
}
#else
bool signals_interrupt(long number) {
    (void)number;
    return false;
}

static void give_up_call(ucontext_t *context) {
    (void)context;
}

static void lead_back(ucontext_t *context) {
    (void)context;
}
#endif

/* The program's handler: with its own FS, and with SIGSYS let through, whatever it waited with
 * (sigsuspend(2)). */
static void call_handler(const struct sigaction *action, int signal, siginfo_t *info, void *context) {
    const uint64_t sigsys = 1ull << (SIGSYS - 1), own = 1ull << (signal - 1);
    uint64_t *after = (uint64_t *)&((ucontext_t *)context)->uc_sigmask, before = *after;
    if (user_dispatch_on)
        kernel_call(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&sigsys, 0, sizeof sigsys, 0, 0);
    if (guest_threads && signal_is_libcs(signal))
        lead_back(context);
    struct signals_count at_call = signals_at_call; /* the handler's own calls begin anew */
    running++;
    guest_call(action->sa_sigaction, signal, info, context);
    running--;
    signals_at_call = at_call;
    sleep_limit = (struct timespec){0, 0};
    if (guest_threads && *after & ~before & own)
        give_up_call(context);
}

static void enter_handler(int signal, siginfo_t *info, void *context) {
    int saved = errno;
    struct sigaction action;
    bool of_memory = is_of_memory(signal) && is_fault(signal, info);
    if (of_memory)
        lock_assert_free("a fault");
    if (of_memory && user_memory_fault(context))
        return;
    if (region_is_entered() && !is_fault(signal, info)) {
        hold_back(signal, info, context);
        return;
    }
    look_up(signal, &action);
    if (action.sa_flags & (int)SA_RESETHAND && action.sa_handler != SIG_DFL)
        take_once(signal, &action); /* the kernel's own reset would have taken us out */
    if (of_memory && info->si_code != BUS_MCEERR_AO &&
        (action.sa_handler == SIG_IGN || action.sa_handler == SIG_DFL)) {
        end_by_fault(signal); /* no fault can be ignored */
        errno = saved;
        return;
    }
    if (action.sa_handler == SIG_IGN)
        return; /* since it arrived */
    if (action.sa_handler == SIG_DFL) {
        if (default_is_fatal_or_stops(signal) || is_of_memory(signal) || signal == SIGSYS ||
            is_fault(signal, info))
            carry_out_default(signal);
        errno = saved;
        return;
    }
    signals_handled.all++;
    signals_handled.interrupting += !(action.sa_flags & SA_RESTART);
    if (is_of_memory(signal))
        user_memory_mask_changed(); /* it is blocked while its own handler runs */
    call_handler(&action, signal, info, context);
    if (is_of_memory(signal))
        user_memory_mask_changed();
}

GUEST_SAFE void signals_enter(int signal, siginfo_t *info, void *context) {
    bool was = guest_enter();
    enter_handler(signal, info, context);
    guest_leave(was);
}

/* Installs what makes `wanted` come about. */
static int install(int signal, const struct sigaction *wanted) {
    struct sigaction action = *wanted;
    if (user_dispatch_on && signal == SIGSYS)
        return 0; /* whose handler calls the program's for what is not ours */
    if (user_dispatch_on)
        sigdelset(&action.sa_mask, SIGSYS);
    bool kernels = wanted->sa_handler == SIG_IGN || wanted->sa_handler == SIG_DFL;
    if (!kernels || is_ours_to_catch(signal, wanted->sa_handler)) {
        action.sa_sigaction = signals_enter;
        action.sa_flags = (wanted->sa_flags & ~(int)SA_RESETHAND) | SA_SIGINFO;
        if (kernels)
            action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
        let_faults_in(&action.sa_mask);
    }
    return ask_kernel(signal, &action, NULL);
}

void signals_give_back(int signal) {
    struct sigaction wanted;
    sigset_t mask;
    begin_writing(&mask);
    if (look_up(signal, &wanted))
        install(signal, &wanted);
    end_writing(&mask);
}

/* What a process has installed, as it was told: the kernel says whether that is the table's to know. */
static int installed(int signal, struct sigaction *action) {
    struct sigaction there;
    if (ask_kernel(signal, NULL, &there) < 0)
        return -1;
    if (there.sa_sigaction != signals_enter || !look_up(signal, action))
        *action = there;
    return 0;
}

/* In borrowed memory a handler runs without ours: its process does not come into the stack. */
static int install_borrowed(int signal, const struct sigaction *action, struct sigaction *old) {
    struct sigaction before, wanted;
    if (installed(signal, &before) < 0)
        return -1;
    if (action)
        wanted = *action;
    if (action && user_dispatch_on)
        sigdelset(&wanted.sa_mask, SIGSYS);
    bool ours = user_dispatch_on && signal == SIGSYS;
    if (action && !ours && ask_kernel(signal, &wanted, NULL) < 0)
        return -1;
    if (old)
        *old = before;
    return 0;
}

EXPORT int sigaction(int signal, const struct sigaction *action, struct sigaction *old) {
    struct sigaction before, wanted;
    if (signal <= 0 || signal >= NSIG)
        return ask_kernel(signal, action, old);
    if (address_space_is_parents())
        return install_borrowed(signal, action, old);
    if (!look_up(signal, &before) && ask_kernel(signal, NULL, &before) < 0)
        return -1;
    if (action) {
        wanted = *action; /* may be the same memory as old */
        sigset_t mask;
        begin_writing(&mask);
        if (!look_up(signal, &before)) /* another thread may have installed something meanwhile */
            ask_kernel(signal, NULL, &before);
        enter_wanted(signal, &wanted);
        int result = install(signal, &wanted);
        int error = errno;
        if (result < 0)
            enter_wanted(signal, &before);
        end_writing(&mask);
        if (result < 0) {
            errno = error;
            return -1;
        }
    }
    if (old)
        *old = before;
    return 0;
}

void signals_take(int signal) {
    struct sigaction current;
    sigset_t mask;
    begin_writing(&mask);
    if (!look_up(signal, &current) && ask_kernel(signal, NULL, &current) == 0)
        enter_wanted(signal, &current);
    end_writing(&mask);
}

EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
    int result = LIBC(sigprocmask)(how, set, old);
    if (set)
        user_memory_mask_changed();
    return result;
}

EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
    int result = LIBC(pthread_sigmask)(how, set, old);
    if (set)
        user_memory_mask_changed();
    return result;
}

static sighandler_t install_simple(int signal, sighandler_t handler, int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, old;
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    sigemptyset(&action.sa_mask);
    if (sigaction(signal, &action, &old) < 0)
        return SIG_ERR;
    return old.sa_handler;
}

EXPORT sighandler_t signal(int signal, sighandler_t handler) {
    return install_simple(signal, handler, SA_RESTART);
}

EXPORT sighandler_t bsd_signal(int signal, sighandler_t handler) {
    return install_simple(signal, handler, SA_RESTART);
}

EXPORT sighandler_t ssignal(int signal, sighandler_t handler) {
    return install_simple(signal, handler, SA_RESTART);
}

EXPORT sighandler_t sysv_signal(int signal, sighandler_t handler) {
    return install_simple(signal, handler, (int)SA_RESETHAND | SA_NODEFER);
}

EXPORT sighandler_t __sysv_signal(int signal, sighandler_t handler) {
    return install_simple(signal, handler, (int)SA_RESETHAND | SA_NODEFER);
}

static void start(void) {
    started = true;
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction current;
        sigset_t mask;
        if (!default_is_fatal_or_stops(signal) && !is_of_memory(signal))
            continue;
        begin_writing(&mask);
        bool known = look_up(signal, &current);
        if (!known && ask_kernel(signal, NULL, &current) == 0) {
            enter_wanted(signal, &current);
            known = true;
        }
        if (known && (current.sa_handler == SIG_DFL || current.sa_handler == SIG_IGN) &&
            is_ours_to_catch(signal, current.sa_handler))
            install(signal, &current);
        end_writing(&mask);
    }
}

void signals_hold(void) {
    region_left = release_held;
}

void signals_forked(void) {
    writing = false;
}

void signals_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
}
