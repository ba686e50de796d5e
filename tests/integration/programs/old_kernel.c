/* SPDX-License-Identifier: MIT */
/*
 * old_kernel.c - runs a program as on Linux 5.2: what has come since is not there. (What a program needs of
 * these it does not find, as on such a kernel; what libbarewire.so and its keeper need, they have to do
 * without.)
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYSCALL_USER_DISPATCH 59 /* PR_SET_SYSCALL_USER_DISPATCH, 5.11 */

static const unsigned missing[] = {
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, /* 5.1, but often forbidden */
    SYS_pidfd_open,     SYS_clone3,                                /* 5.3 */
    SYS_openat2,        SYS_pidfd_getfd,                           /* 5.6 */
    SYS_faccessat2,                                                /* 5.8 */
    SYS_close_range,                                               /* 5.9 */
    SYS_epoll_pwait2,                                              /* 5.11 */
    SYS_futex_waitv,                                               /* 5.16 */
};
#define MISSING (sizeof missing / sizeof *missing)

int main(int count, char **arguments) {
    struct sock_filter filter[2 * MISSING + 8];
    unsigned short at = 0;
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < MISSING; i++) {
        filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, missing[i], 0, 1);
        filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    }
    filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3);
    filter[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args));
    filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYSCALL_USER_DISPATCH, 0, 1);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {at, filter};
    if (count < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return 2;
    execvp(arguments[1], arguments + 1);
    return 2;
}
