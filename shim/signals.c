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
 * carried out with the lock held, when nobody is changing anything. The program is told SIG_DFL if it asks.
 * Faults (SIGSEGV and its like) and SIGKILL can't wait.
 */
#include "signals.h"
#include "attach.h"
#include "libc.h"
#include "lock.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

typedef void handler_function(int, siginfo_t *, void *);

static struct sigaction actions[NSIG]; /* what the program believes is installed */
static _Atomic bool known[NSIG];       /* whether actions[] says so; else the kernel does */
static bool started;

static __thread struct {
    bool pending;
    int signal;
    siginfo_t info;
    sigset_t mask;
} held __attribute__((tls_model("initial-exec")));

static __thread uint32_t interruptions __attribute__((tls_model("initial-exec")));

uint32_t signals_interruptions(void) {
    return interruptions;
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

static bool is_fault(int signal, const siginfo_t *info) {
    return (signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL ||
            signal == SIGTRAP) &&
           info->si_code > 0;
}

static void release_held(void) {
    if (!held.pending)
        return;
    held.pending = false;
    syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), held.signal, &held.info);
    pthread_sigmask(SIG_SETMASK, &held.mask, NULL); /* the signal arrives here */
}

static void hold_back(int signal, const siginfo_t *info, ucontext_t *context) {
    held.signal = signal;
    held.info = *info;
    held.mask = context->uc_sigmask;
    held.pending = true;
    sigfillset(&context->uc_sigmask);
}

/* Does what the kernel would have done, at a moment when the stack is whole. */
static void carry_out_default(int signal) {
    struct sigaction plain = {.sa_handler = SIG_DFL}, ours;
    sigset_t only;
    bool stops = signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
    bool held_to_die = attached() && shared_lock_to_die();
    LIBC(sigaction)(signal, &plain, &ours);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
    if (stops && held_to_die)
        shared_unlock(); /* a stopped process must not keep the others out */
    sigemptyset(&only);
    sigaddset(&only, signal);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL); /* here it ends or stops */
    LIBC(sigaction)(signal, &ours, NULL);
}

static void enter(int signal, siginfo_t *info, void *context) {
    int saved = errno;
    if (shared_lock_held() && !is_fault(signal, info)) {
        hold_back(signal, info, context);
        return;
    }
    struct sigaction action = actions[signal];
    if (action.sa_handler == SIG_DFL) {
        carry_out_default(signal);
        errno = saved;
        return;
    }
    interruptions += !(action.sa_flags & SA_RESTART);
    if (action.sa_flags & (int)SA_RESETHAND)
        actions[signal].sa_handler = SIG_DFL; /* the kernel's own reset would have taken us out */
    if (action.sa_flags & SA_SIGINFO)
        action.sa_sigaction(signal, info, context);
    else
        action.sa_handler(signal);
}

/* Installs what makes `wanted` come about. */
static int install(int signal, const struct sigaction *wanted) {
    struct sigaction action = *wanted;
    bool plain = wanted->sa_handler == SIG_IGN ||
                 (wanted->sa_handler == SIG_DFL && !(started && default_is_fatal_or_stops(signal)));
    if (!plain) {
        action.sa_sigaction = enter;
        action.sa_flags = (wanted->sa_flags & ~(int)SA_RESETHAND) | SA_SIGINFO;
        if (wanted->sa_handler == SIG_DFL)
            action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    }
    return LIBC(sigaction)(signal, &action, NULL);
}

EXPORT int sigaction(int signal, const struct sigaction *action, struct sigaction *old) {
    struct sigaction before, wanted;
    if (signal <= 0 || signal >= NSIG)
        return LIBC(sigaction)(signal, action, old);
    if (known[signal])
        before = actions[signal];
    else if (LIBC(sigaction)(signal, NULL, &before) < 0)
        return -1;
    if (action) {
        wanted = *action; /* may be the same memory as old */
        sigset_t all, mask;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &mask);
        struct sigaction kept = actions[signal];
        bool was_known = known[signal];
        actions[signal] = wanted;
        known[signal] = true;
        int result = install(signal, &wanted);
        int error = errno;
        if (result < 0) {
            actions[signal] = kept;
            known[signal] = was_known;
        }
        pthread_sigmask(SIG_SETMASK, &mask, NULL);
        if (result < 0) {
            errno = error;
            return -1;
        }
    }
    if (old)
        *old = before;
    return 0;
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
    shared_unlocked = release_held;
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction current;
        if (!default_is_fatal_or_stops(signal) || LIBC(sigaction)(signal, NULL, &current) < 0)
            continue;
        if (!known[signal]) {
            actions[signal] = current;
            known[signal] = true;
        }
        if (actions[signal].sa_handler == SIG_DFL)
            install(signal, &actions[signal]);
    }
}

void signals_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
}
