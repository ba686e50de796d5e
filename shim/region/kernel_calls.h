/* SPDX-License-Identifier: MIT */
/*
 * kernel_calls.h - the kernel's own versions of the calls that the shim takes over, past the C library.
 *
 * libc's functions can't serve for that once its system-call instructions lead to us (syscall_sites.h): what
 * the library itself asks of the kernel would come back to it. So these have libc's names, arguments and
 * manners (-1 and errno, cancellation points), and a system-call instruction of their own. libc.c puts them
 * into the table behind LIBC().
 */
#ifndef SHIM_REGION_KERNEL_CALLS_H
#define SHIM_REGION_KERNEL_CALLS_H

#include "shim/region/libc.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH /* younger than glibc 2.36's headers */
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif

#if defined __x86_64__ && !defined CALLS_BY_LIBC
/* clang-format off */
#define KERNEL_CALLS(CALL)                                                                                  \
    CALL(socket) CALL(bind) CALL(listen) CALL(accept4) CALL(connect) CALL(shutdown)                         \
    CALL(getsockname) CALL(getpeername) CALL(getsockopt) CALL(setsockopt) CALL(read) CALL(write)            \
    CALL(readv) CALL(writev) CALL(send) CALL(recv) CALL(sendto) CALL(recvfrom)                              \
    CALL(sendmsg) CALL(recvmsg) CALL(sendmmsg) CALL(recvmmsg) CALL(sendfile) CALL(close)                    \
    CALL(close_range) CALL(dup) CALL(dup2) CALL(dup3) CALL(fcntl) CALL(fcntl64)                             \
    CALL(ioctl) CALL(ppoll) CALL(pselect) CALL(select) CALL(poll) CALL(epoll_create1)                       \
    CALL(epoll_ctl) CALL(epoll_pwait) CALL(preadv2) CALL(pwritev2) CALL(splice) CALL(pidfd_getfd)           \
    CALL(execve) CALL(execveat) CALL(syscall) CALL(prctl) CALL(prlimit)
/* clang-format on */
#else
#define KERNEL_CALLS(CALL) /* libc's own serve: their instructions are not taken over */
#endif

/* A call that no other preloaded library is to have (preloaded.h), since it is between this one and its keeper. */
#if defined __x86_64__ && !defined CALLS_BY_LIBC
#define KERNEL(name) kernel_##name
#else
#define KERNEL(name) LIBC(name)
#endif

/* A call's place in LIBC()'s table. */
#define KERNEL_CALL_FIELD(name) .name = kernel_##name,
#define KERNEL_CALL_DECLARATION(name) extern __typeof__(*((struct libc *)0)->name) kernel_##name;
KERNEL_CALLS(KERNEL_CALL_DECLARATION)

/* A system call by its number: the result, or a negative errno. Not a cancellation point; leaves errno alone.
 */
long kernel_call(long number, long a, long b, long c, long d, long e, long f);

#endif
