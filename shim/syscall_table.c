/*
 * syscall_table.c - see syscall_table.h.
 *
 * The first question is asked with the vector registers of the caller live, so what answers it may not use
 * any (general-regs-only): it is compiled without calls to anything but inline functions.
 */
#include "syscall_table.h"
#include "borrowed.h"
#include "calls_program.h"
#include "calls_syscall.h"
#include "descriptor.h"
#include "kernel_calls.h"
#include "libc.h"
#include "netlink.h"
#include "preloaded.h"
#include "user_dispatch.h"
#include <errno.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>

#define NUMBERS 512

/* When a system call is served. */
enum concern {
    NEVER,
    OF_FD,    /* its first argument is a descriptor of ours */
    OF_TWO,   /* its first, second or third is */
    ALWAYS,   /* it may be the first of a process that does, or changes what descriptors and epoll sets there
                 are */
    PROGRAMS, /* as ALWAYS, but not from libc's text: libc's function is taken over by its name */
    MASKS,    /* once the program's own instructions lead to us */
};

static const uint8_t concerns[NUMBERS] = {
    [SYS_socket] = ALWAYS,
    [SYS_io_uring_setup] = ALWAYS,
    [SYS_io_uring_enter] = ALWAYS,
    [SYS_io_uring_register] = ALWAYS,
    [SYS_recvmsg] = ALWAYS, /* a descriptor of ours may come with it */
    [SYS_recvmmsg] = ALWAYS,
    [SYS_pidfd_getfd] = ALWAYS,
    [SYS_bind] = OF_FD,
    [SYS_listen] = OF_FD,
    [SYS_accept] = OF_FD,
    [SYS_accept4] = OF_FD,
    [SYS_connect] = OF_FD,
    [SYS_shutdown] = OF_FD,
    [SYS_getsockname] = OF_FD,
    [SYS_getpeername] = OF_FD,
    [SYS_getsockopt] = OF_FD,
    [SYS_setsockopt] = OF_FD,
    [SYS_sendto] = OF_FD,
    [SYS_recvfrom] = OF_FD,
    [SYS_sendmsg] = ALWAYS, /* or go with this one */
    [SYS_sendmmsg] = ALWAYS,
    [SYS_read] = OF_FD,
    [SYS_write] = OF_FD,
    [SYS_readv] = OF_FD,
    [SYS_writev] = OF_FD,
    [SYS_preadv2] = OF_FD,
    [SYS_pwritev2] = OF_FD,
    [SYS_sendfile] = OF_TWO,
    [SYS_splice] = OF_TWO,
    [SYS_close] = ALWAYS, /* the library's own descriptors are not the program's to close */
    [SYS_close_range] = ALWAYS,
    [SYS_dup] = ALWAYS,
    [SYS_dup2] = ALWAYS,
    [SYS_dup3] = ALWAYS,
    [SYS_fcntl] = ALWAYS,
    [SYS_ioctl] = OF_FD,
    [SYS_poll] = ALWAYS,
    [SYS_ppoll] = ALWAYS,
    [SYS_select] = ALWAYS,
    [SYS_pselect6] = ALWAYS,
    [SYS_epoll_create] = ALWAYS,
    [SYS_epoll_create1] = ALWAYS,
    [SYS_epoll_ctl] = ALWAYS,
    [SYS_epoll_wait] = ALWAYS,
    [SYS_epoll_pwait] = ALWAYS,
    [SYS_epoll_pwait2] = ALWAYS,
    [SYS_clone] = PROGRAMS,
    [SYS_clone3] = PROGRAMS,
    [SYS_fork] = PROGRAMS,
    [SYS_vfork] = PROGRAMS,
    [SYS_execve] = PROGRAMS,
    [SYS_execveat] = PROGRAMS,
    [SYS_exit_group] = ALWAYS,
    [SYS_prctl] = PROGRAMS,
    [SYS_seccomp] = PROGRAMS,
    [SYS_rt_sigaction] = PROGRAMS,
    [SYS_rt_sigprocmask] = MASKS,
};

bool syscall_table_has(long number) {
    if (number < 0 || number >= NUMBERS || concerns[number] == NEVER || concerns[number] == PROGRAMS)
        return false;
    return concerns[number] != MASKS || user_dispatch_on;
}

#define NO_VECTORS __attribute__((target("general-regs-only")))

NO_VECTORS static inline bool is_ours(long fd) {
    return descriptor_find((int)fd) || netlink_any;
}

NO_VECTORS static inline bool concerns_us(const struct syscall_frame *frame, bool of_program) {
    if ((unsigned long)frame->number >= NUMBERS || concerns[frame->number] == NEVER)
        return false;
    if (preloaded_passing) {
        preloaded_passing = false;
        return false;
    }
    switch (concerns[frame->number]) {
    case OF_FD:
        return is_ours(frame->rdi);
    case OF_TWO:
        return is_ours(frame->rdi) || is_ours(frame->rsi) || is_ours(frame->rdx);
    case ALWAYS:
        return true;
    case MASKS:
        return user_dispatch_on;
    case PROGRAMS:
        return of_program;
    default:
        return false;
    }
}

NO_VECTORS bool syscall_concerns_libc(const struct syscall_frame *frame) {
    return concerns_us(frame, false);
}

NO_VECTORS bool syscall_concerns_program(const struct syscall_frame *frame) {
    return concerns_us(frame, true);
}

/* Whether the call changes which descriptors there are: in a child that shares its parent's memory, as
 * posix_spawn(3) makes one inside libc, that is the kernel's business alone. */
static bool changes_descriptors(long number) {
    switch (number) {
    case SYS_close:
    case SYS_close_range:
    case SYS_dup:
    case SYS_dup2:
    case SYS_dup3:
    case SYS_fcntl:
    case SYS_ioctl:
        return true;
    default:
        return false;
    }
}

static struct syscall_answer serve(const struct syscall_frame *frame,
                                   bool (*take)(long number, const long arguments[6], long *result)) {
    const long arguments[6] = {frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9};
    long result;
    if (changes_descriptors(frame->number) && borrowed_by_caller())
        return (struct syscall_answer){.pass = true};
    int saved = errno;
    if (!take(frame->number, arguments, &result))
        return (struct syscall_answer){.pass = true};
    if (result == -1)
        result = -errno;
    errno = saved;
    return (struct syscall_answer){.result = result};
}

/* Masks of signals are changed inside libc, too, once the program's instructions lead to us. */
static bool of_libc(long number, const long arguments[6], long *result) {
    return (number == SYS_rt_sigprocmask ? syscall_take_program : syscall_take)(number, arguments, result);
}

/*
 * In a process of several threads libc makes a thread cancellable at any instruction while a call of its
 * sleeps; our calls must not be left so. They have cancellation points of their own.
 */
struct syscall_answer syscall_serve_libc(const struct syscall_frame *frame) {
    int type = PTHREAD_CANCEL_DEFERRED;
    if (__libc_single_threaded)
        return serve(frame, of_libc);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    struct syscall_answer answer = serve(frame, of_libc);
    if (type != PTHREAD_CANCEL_DEFERRED)
        pthread_setcanceltype(type, NULL);
    return answer;
}

/* An instruction of the program's own is no cancellation point. */
struct syscall_answer syscall_serve_program(const struct syscall_frame *frame) {
    int state = PTHREAD_CANCEL_ENABLE;
    if (__libc_single_threaded)
        return serve(frame, syscall_take_program);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    struct syscall_answer answer = serve(frame, syscall_take_program);
    if (state == PTHREAD_CANCEL_ENABLE)
        pthread_setcancelstate(state, NULL);
    return answer;
}
