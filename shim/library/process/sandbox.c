/* SPDX-License-Identifier: MIT */
/*
 * sandbox.c - programs that sandbox themselves: seccomp(2), and a limit to their address space.
 *
 * A filter lists the system calls that the program makes; the stack in it makes others. So before a filter of
 * the program's goes a few instructions that let ours pass: they wait, wake and tell the time. What they
 * could do beyond that to another process, one in a stack can do through its memory anyway. A filter that
 * would become too long is installed as it is.
 */
#include "shim/library/process/sandbox.h"
#include "shim/library/calls/credentials.h"
#include "shim/library/memory.h"
#include "shim/library/process/address_space.h"
#include "shim/library/process/attach.h"
#include "shim/library/syscalls/syscall_stub.h"
#include "shim/library/syscalls/user_dispatch.h"
#include "shim/region/async.h"
#include "shim/region/frames.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include "shim/region/region.h"
#include "shim/region/wake.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* A system call that the library makes between a program's calls. */
struct rule {
    int number;
    bool only;      /* with this as its first argument: */
    uint64_t first; /* else it is left to the program's filter */
    enum { ON_A_STACK = 1, WITH_SOCKETS = 2, WITH_DISPATCH_ON = 4 } when;
};

#define RULES_MAX 32
#define RULE_STEPS 5 /* instructions of one that looks at an argument */
#define PREFIX_MAX (4 + RULES_MAX * RULE_STEPS + 2)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define EQUAL(value, yes, no) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), (unsigned char)(yes), (unsigned char)(no))

/* The rules of this moment. Returns how many. */
static size_t find_rules(struct rule rules[RULES_MAX], unsigned when) {
    const struct rule all[] = {
        {SYS_futex, .when = ON_A_STACK},
        {SYS_futex_waitv, .when = ON_A_STACK},
        {SYS_ppoll, .when = ON_A_STACK},
        {SYS_eventfd2, .when = ON_A_STACK},
        {SYS_sendmsg, .when = ON_A_STACK},
        {SYS_fcntl, .when = ON_A_STACK},
        {SYS_clock_gettime, .when = ON_A_STACK},
        {SYS_getpid, .when = ON_A_STACK},
        {SYS_gettid, .when = ON_A_STACK},
        {SYS_tgkill, .when = ON_A_STACK},
        {SYS_read, .when = ON_A_STACK},
        {SYS_write, .when = ON_A_STACK},
        {SYS_close, .when = ON_A_STACK},
        {SYS_fstat, .when = ON_A_STACK},
        {SYS_rt_sigprocmask, .when = ON_A_STACK | WITH_DISPATCH_ON},
        {SYS_rt_tgsigqueueinfo, .when = ON_A_STACK},
        /* The kernel's object under a descriptor of ours is a UNIX socket: a program that may make TCP's may
         * have those made for it. */
        {SYS_socket, true, AF_UNIX, WITH_SOCKETS},
        /* Each thread turns it on (user_dispatch.h), comes back from the signal, and has stubs made. */
        {SYS_prctl, true, PR_SET_SYSCALL_USER_DISPATCH, WITH_DISPATCH_ON},
        {SYS_rt_sigreturn, .when = ON_A_STACK | WITH_DISPATCH_ON},
        {SYS_sched_yield, .when = WITH_DISPATCH_ON},
        {SYS_mprotect, true, (uintptr_t)syscall_stubs_room, WITH_DISPATCH_ON},
#ifdef SYS_arch_prctl
        {SYS_arch_prctl, .when = WITH_DISPATCH_ON},
#endif
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].when & when)
            rules[count++] = all[i];
    return count;
}

/* Instructions that go before a filter. Returns how many; jumps to what follows when none of our calls is
 * meant. */
static size_t write_prefix(struct sock_filter *to, unsigned when) {
    struct rule rules[RULES_MAX];
    size_t count = find_rules(rules, when), end = 4 + 2, at = 4;
    for (size_t i = 0; i < count; i++)
        end += rules[i].only ? RULE_STEPS : 1;
    const size_t allow = end - 1;
    const struct sock_filter start[] = {
        LOAD(arch),
        EQUAL(THIS_ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_JMP | BPF_JA, (unsigned)end - 3),
        LOAD(nr),
    };
    memcpy(to, start, sizeof start);
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = &rules[i];
        if (!rule->only) {
            to[at] = (struct sock_filter)EQUAL(rule->number, allow - at - 1, 0);
            at++;
            continue;
        }
        const struct sock_filter steps[RULE_STEPS] = {
            EQUAL(rule->number, 0, RULE_STEPS - 1),
            LOAD(args[0]),
            EQUAL(rule->first & UINT32_MAX, 0, end - (at + 2) - 1),
            LOAD_HIGH(args[0]),
            EQUAL(rule->first >> 32, allow - (at + 4) - 1, end - (at + 4) - 1),
        };
        memcpy(to + at, steps, sizeof steps);
        at += RULE_STEPS;
    }
    to[at++] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1);
    to[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    return at;
}

/* What a filter says of a system call; SECCOMP_RET_KILL_PROCESS for what this does not understand of it. */
static unsigned filter_verdict(const struct sock_fprog *program, const struct seccomp_data *data) {
    unsigned accumulator = 0, index = 0, memory[BPF_MEMWORDS] = {0};
    for (unsigned at = 0; at < program->len; at++) {
        const struct sock_filter *step = &program->filter[at];
        bool by_index = BPF_SRC(step->code) == BPF_X;
        unsigned operand = by_index ? index : step->k;
        switch (step->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (step->k > sizeof *data - 4)
                return SECCOMP_RET_KILL_PROCESS;
            memcpy(&accumulator, (const char *)data + step->k, 4);
            break;
        case BPF_LD | BPF_IMM:
            accumulator = step->k;
            break;
        case BPF_LDX | BPF_IMM:
            index = step->k;
            break;
        case BPF_LD | BPF_MEM:
            accumulator = memory[step->k % BPF_MEMWORDS];
            break;
        case BPF_ST:
            memory[step->k % BPF_MEMWORDS] = accumulator;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
        case BPF_ALU | BPF_AND | BPF_X:
            accumulator &= operand;
            break;
        case BPF_JMP | BPF_JA:
            at += step->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JEQ | BPF_X:
            at += accumulator == operand ? step->jt : step->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_X:
            at += accumulator > operand ? step->jt : step->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_X:
            at += accumulator >= operand ? step->jt : step->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_X:
            at += accumulator & operand ? step->jt : step->jf;
            break;
        case BPF_RET | BPF_K:
            return step->k;
        case BPF_RET | BPF_A:
            return accumulator;
        default:
            return SECCOMP_RET_KILL_PROCESS;
        }
    }
    return SECCOMP_RET_KILL_PROCESS;
}

static bool allows_sockets(const struct sock_fprog *program) {
    struct seccomp_data data = {
        .nr = SYS_socket, .arch = THIS_ARCHITECTURE, .args = {AF_INET, SOCK_STREAM, IPPROTO_TCP}};
    if (filter_verdict(program, &data) == SECCOMP_RET_ALLOW)
        return true;
    data.args[2] = 0;
    return filter_verdict(program, &data) == SECCOMP_RET_ALLOW;
}

/* A filter that lets a program make sockets need not let it start a stack. */
void sandbox_before(const struct sock_fprog *program) {
    bool wanted = attach_is_wanted();
    if (!attached() && wanted && program->filter && allows_sockets(program))
        attach_early();
}

static bool has_filter;

bool sandboxed(void) {
    return has_filter;
}

/* Whether there is anything of ours in this process that a filter could stop. */
static bool sandbox_widens(void) {
    return attached() || user_dispatch_on;
}

struct sock_fprog *sandbox_widen(const struct sock_fprog *program) {
    if (!address_space_by_caller()) {
        has_filter = async_confined = true;
        if (wake_self)
            frames_leave_nic(); /* its filter may not let frames pass: the keeper moves them */
    }
    if (!sandbox_widens() || !program->filter || PREFIX_MAX + program->len > BPF_MAXINSNS)
        return NULL;
    size_t bytes = (PREFIX_MAX + program->len) * sizeof *program->filter;
    struct sock_fprog *wide = memory_take(sizeof *wide + bytes);
    if (!wide)
        return NULL;
    wide->filter = (struct sock_filter *)(wide + 1);
    unsigned when = (attached() ? ON_A_STACK : 0) |
                    (attached() && allows_sockets(program) ? WITH_SOCKETS : 0) |
                    (user_dispatch_on ? WITH_DISPATCH_ON : 0);
    size_t prefix = write_prefix(wide->filter, when);
    memcpy(wide->filter + prefix, program->filter, program->len * sizeof *program->filter);
    wide->len = (unsigned short)(prefix + program->len);
    return wide;
}

/* The kernel ends by SIGKILL what makes another call in SECCOMP_MODE_STRICT. */
static void end_strictly(int signal) {
    (void)signal;
    kernel_call(SYS_tgkill, getpid(), kernel_call(SYS_gettid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0);
}

/* SECCOMP_MODE_STRICT, where the library has to make calls: a filter that allows the same four, and is widened as a
 * program's own. The right to install one is had by giving up what nobody in this mode could use: exec. Returns 0, or
 * -1 with errno set. */
static int confine_strictly(void) {
    struct sock_filter filter[] = {
        LOAD(arch),
        EQUAL(THIS_ARCHITECTURE, 0, 5),
        LOAD(nr),
        EQUAL(SYS_read, 4, 0),
        EQUAL(SYS_write, 3, 0),
        EQUAL(SYS_exit, 2, 0),
        EQUAL(SYS_rt_sigreturn, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog strict = {.len = sizeof filter / sizeof *filter, .filter = filter};
    const struct sigaction ends = {.sa_handler = end_strictly};
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGSYS);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
    struct sock_fprog *wide = sandbox_widen(&strict);
    if (!wide || sigaction(SIGSYS, &ends, NULL) < 0 || LIBC(prctl)(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        memory_give(wide);
        errno = ENOMEM;
        return -1;
    }
    return LIBC(prctl)(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (unsigned long)wide, 0, 0);
}

bool sandbox_strictly(long mode, int *result) {
    if (mode != SECCOMP_MODE_STRICT || !sandbox_widens() || address_space_by_caller())
        return false;
    *result = confine_strictly();
    return true;
}

EXPORT int prctl(int option, ...) {
    unsigned long arguments[4];
    va_list list;
    va_start(list, option);
    for (int i = 0; i < 4; i++)
        arguments[i] = va_arg(list, unsigned long);
    va_end(list);
    struct sock_fprog *wide = NULL;
    int strict;
    user_before_prctl(option, arguments[0]);
    if (option == PR_SET_SECCOMP && sandbox_strictly((long)arguments[0], &strict))
        return strict;
    if (option == PR_SET_SECCOMP && arguments[0] == SECCOMP_MODE_FILTER && arguments[1])
        sandbox_before((const struct sock_fprog *)arguments[1]);
    if (option == PR_SET_SECCOMP && arguments[0] == SECCOMP_MODE_FILTER && arguments[1])
        wide = sandbox_widen((const struct sock_fprog *)arguments[1]);
    if (wide)
        arguments[1] = (unsigned long)wide;
    int result = LIBC(prctl)(option, arguments[0], arguments[1], arguments[2], arguments[3]);
    int error = errno;
    memory_give(wide);
    errno = error;
    return result;
}

static rlim_t widen(rlim_t limit) {
    return limit == RLIM_INFINITY ? limit : limit + SHARED_BYTES;
}

static rlim_t narrow(rlim_t limit) {
    return limit == RLIM_INFINITY || limit < SHARED_BYTES ? limit : limit - SHARED_BYTES;
}

bool sandbox_make_room(void) {
    static bool made;
    struct rlimit limit, wide;
    if (made || LIBC(prlimit)(0, RLIMIT_AS, NULL, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    made = true;
    wide = (struct rlimit){widen(limit.rlim_cur), widen(limit.rlim_max)};
    if (LIBC(prlimit)(0, RLIMIT_AS, &wide, NULL) == 0)
        return true;
    wide.rlim_max = limit.rlim_max; /* which only a privileged process may raise */
    return LIBC(prlimit)(0, RLIMIT_AS, &wide, NULL) == 0;
}

/* The runtimes of the sanitizers ask for limits before they have made what instrumented code needs (make
 * SAN=asan, tsan). */
#define BEFORE_SANITIZERS __attribute__((no_sanitize("address", "thread")))

EXPORT BEFORE_SANITIZERS int prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *wanted,
                                     struct rlimit *old) {
    bool ours = resource == RLIMIT_AS && (pid == 0 || pid == getpid()) && attached_unwatched();
    struct rlimit wide;
    if (ours && wanted) {
        wide = (struct rlimit){widen(wanted->rlim_cur), widen(wanted->rlim_max)};
        wanted = &wide;
    }
    int result = LIBC(prlimit)(pid, resource, wanted, old);
    if (ours && old && result == 0)
        *old = (struct rlimit){narrow(old->rlim_cur), narrow(old->rlim_max)};
    return result;
}

EXPORT BEFORE_SANITIZERS int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
    return prlimit(0, resource, limit, NULL);
}

EXPORT BEFORE_SANITIZERS int getrlimit(__rlimit_resource_t resource, struct rlimit *limit) {
    return prlimit(0, resource, NULL, limit);
}

/* The same on machines of 64 bits. */
EXPORT BEFORE_SANITIZERS int prlimit64(pid_t pid, enum __rlimit_resource resource,
                                       const struct rlimit64 *wanted, struct rlimit64 *old) {
    return prlimit(pid, resource, (const struct rlimit *)wanted, (struct rlimit *)old);
}

EXPORT BEFORE_SANITIZERS int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit) {
    return prlimit(0, resource, (const struct rlimit *)limit, NULL);
}

EXPORT BEFORE_SANITIZERS int getrlimit64(__rlimit_resource_t resource, struct rlimit64 *limit) {
    return prlimit(0, resource, NULL, (struct rlimit *)limit);
}
