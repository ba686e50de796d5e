/* SPDX-License-Identifier: MIT */
/*
 * libc.h - the C library's own versions of the calls that the shim takes over.
 *
 * LIBC(read)(fd, buffer, n) asks the kernel (kernel_calls.h), where one system call is all there is to it,
 * and calls libc's function otherwise. The addresses of those are looked up at the first use, which may come
 * before our constructor has run: from another library's. The constructor looks up what a signal handler may
 * call.
 */
#ifndef SHIM_REGION_LIBC_H
#define SHIM_REGION_LIBC_H

#include "shim/region/lock_assert.h"
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <threads.h>
#include <unistd.h>

struct aiocb;
struct io_uring;
struct io_uring_params;
struct ifaddrs;
struct if_nameindex;
struct __res_state;

#define LIBC_CALLS(CALL)                                                                                    \
    CALL(int, socket, (int, int, int))                                                                      \
    CALL(int, bind, (int, const struct sockaddr *, socklen_t))                                              \
    CALL(int, listen, (int, int))                                                                           \
    CALL(int, accept4, (int, struct sockaddr *, socklen_t *, int))                                          \
    CALL(int, connect, (int, const struct sockaddr *, socklen_t))                                           \
    CALL(int, shutdown, (int, int))                                                                         \
    CALL(int, getsockname, (int, struct sockaddr *, socklen_t *))                                           \
    CALL(int, getpeername, (int, struct sockaddr *, socklen_t *))                                           \
    CALL(int, getsockopt, (int, int, int, void *, socklen_t *))                                             \
    CALL(int, setsockopt, (int, int, int, const void *, socklen_t))                                         \
    CALL(int, open, (const char *, int, ...))                                                               \
    CALL(int, openat, (int, const char *, int, ...))                                                        \
    CALL(int, __open_2, (const char *, int))                                                                \
    CALL(int, __openat_2, (int, const char *, int))                                                         \
    CALL(FILE *, fopen, (const char *, const char *))                                                       \
    CALL(ssize_t, read, (int, void *, size_t))                                                              \
    CALL(ssize_t, write, (int, const void *, size_t))                                                       \
    CALL(ssize_t, readv, (int, const struct iovec *, int))                                                  \
    CALL(ssize_t, writev, (int, const struct iovec *, int))                                                 \
    CALL(ssize_t, send, (int, const void *, size_t, int))                                                   \
    CALL(ssize_t, recv, (int, void *, size_t, int))                                                         \
    CALL(ssize_t, sendto, (int, const void *, size_t, int, const struct sockaddr *, socklen_t))             \
    CALL(ssize_t, recvfrom, (int, void *, size_t, int, struct sockaddr *, socklen_t *))                     \
    CALL(ssize_t, sendmsg, (int, const struct msghdr *, int))                                               \
    CALL(ssize_t, recvmsg, (int, struct msghdr *, int))                                                     \
    CALL(int, sendmmsg, (int, struct mmsghdr *, unsigned, int))                                             \
    CALL(int, recvmmsg, (int, struct mmsghdr *, unsigned, int, struct timespec *))                          \
    CALL(ssize_t, sendfile, (int, int, off_t *, size_t))                                                    \
    CALL(int, close, (int))                                                                                 \
    CALL(int, close_range, (unsigned, unsigned, int))                                                       \
    CALL(int, dup, (int))                                                                                   \
    CALL(int, dup2, (int, int))                                                                             \
    CALL(int, dup3, (int, int, int))                                                                        \
    CALL(int, fcntl, (int, int, ...))                                                                       \
    CALL(int, fcntl64, (int, int, ...))                                                                     \
    CALL(int, ioctl, (int, unsigned long, ...))                                                             \
    CALL(int, ppoll, (struct pollfd *, nfds_t, const struct timespec *, const sigset_t *))                  \
    CALL(int, pselect, (int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *))      \
    CALL(int, select, (int, fd_set *, fd_set *, fd_set *, struct timeval *))                                \
    CALL(int, poll, (struct pollfd *, nfds_t, int))                                                         \
    CALL(int, epoll_create1, (int))                                                                         \
    CALL(int, epoll_ctl, (int, int, int, struct epoll_event *))                                             \
    CALL(int, epoll_pwait, (int, struct epoll_event *, int, int, const sigset_t *))                         \
    CALL(int, sigaction, (int, const struct sigaction *, struct sigaction *))                               \
    CALL(int, sigprocmask, (int, const sigset_t *, sigset_t *))                                             \
    CALL(int, pthread_sigmask, (int, const sigset_t *, sigset_t *))                                         \
    CALL(pid_t, fork, (void))                                                                               \
    CALL(pid_t, _Fork, (void))                                                                              \
    CALL(int, clone, (int (*)(void *), void *, int, void *, ...))                                           \
    CALL(int, pidfd_getfd, (int, int, unsigned))                                                            \
    CALL(long, syscall, (long, ...))                                                                        \
    CALL(int, unshare, (int))                                                                               \
    CALL(int, setns, (int, int))                                                                            \
    CALL(int, prctl, (int, ...))                                                                            \
    CALL(int, prlimit, (pid_t, int, const struct rlimit *, struct rlimit *))                                \
    CALL(int, execve, (const char *, char *const *, char *const *))                                         \
    CALL(int, execvpe, (const char *, char *const *, char *const *))                                        \
    CALL(int, fexecve, (int, char *const *, char *const *))                                                 \
    CALL(int, execveat, (int, const char *, char *const *, char *const *, int))                             \
    CALL(int, posix_spawn,                                                                                  \
         (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,             \
          char *const *, char *const *))                                                                    \
    CALL(int, posix_spawnp,                                                                                 \
         (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,             \
          char *const *, char *const *))                                                                    \
    CALL(int, getaddrinfo, (const char *, const char *, const struct addrinfo *, struct addrinfo **))       \
    CALL(int, __res_ninit, (struct __res_state *))                                                          \
    CALL(int, __res_init, (void))                                                                           \
    CALL(int, gethostbyname2_r,                                                                             \
         (const char *, int, struct hostent *, char *, size_t, struct hostent **, int *))                   \
    CALL(int, getnameinfo, (const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t, int)) \
    CALL(ssize_t, preadv2, (int, const struct iovec *, int, off_t, int))                                    \
    CALL(ssize_t, pwritev2, (int, const struct iovec *, int, off_t, int))                                   \
    CALL(ssize_t, splice, (int, off64_t *, int, off64_t *, size_t, unsigned))                               \
    CALL(int, getifaddrs, (struct ifaddrs **))                                                              \
    CALL(struct if_nameindex *, if_nameindex, (void))                                                       \
    CALL(unsigned, if_nametoindex, (const char *))                                                          \
    CALL(char *, if_indextoname, (unsigned, char *))                                                        \
    CALL(int, aio_read, (struct aiocb *))                                                                   \
    CALL(int, aio_write, (struct aiocb *))                                                                  \
    CALL(int, aio_fsync, (int, struct aiocb *))                                                             \
    CALL(int, aio_suspend, (const struct aiocb *const[], int, const struct timespec *))                     \
    CALL(int, aio_cancel, (int, struct aiocb *))                                                            \
    CALL(int, lio_listio, (int, struct aiocb *const[], int, struct sigevent *))                             \
    CALL(int, setuid, (uid_t))                                                                              \
    CALL(int, seteuid, (uid_t))                                                                             \
    CALL(int, setfsuid, (uid_t))                                                                            \
    CALL(int, chroot, (const char *))                                                                       \
    CALL(int, setreuid, (uid_t, uid_t))                                                                     \
    CALL(int, setresuid, (uid_t, uid_t, uid_t))                                                             \
    CALL(int, pthread_create, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))             \
    CALL(int, thrd_create, (thrd_t *, thrd_start_t, void *))                                                \
    CALL(int, io_uring_queue_init_params, (unsigned, struct io_uring *, struct io_uring_params *))          \
    CALL(void, io_uring_queue_exit, (struct io_uring *))                                                    \
    CALL(void *, dlopen, (const char *, int))                                                               \
    CALL(void *, dlmopen, (Lmid_t, const char *, int))                                                      \
    CALL(FILE *, popen, (const char *, const char *))                                                       \
    CALL(void, _exit, (int))

#define LIBC_FIELD(type, name, arguments) type(*name) arguments;
struct libc {
    LIBC_CALLS(LIBC_FIELD)
};
#undef LIBC_FIELD

extern struct libc libc;

/* For the constructor. */
void libc_load(void);

/* Looks a function up, into its place in the table. */
void libc_find(void *place, const char *name);

#define LIBC_NOW(name) __atomic_load_n(&libc.name, __ATOMIC_RELAXED) /* two threads may find it at once */
#define LIBC(name) (lock_assert_free("a call of " #name), LIBC_FOUND(name))
#define LIBC_FOUND(name)                                          \
    (__builtin_expect(LIBC_NOW(name) != NULL, 1) ? LIBC_NOW(name) \
                                                 : (libc_find((void *)&libc.name, #name), LIBC_NOW(name)))

/* A call of ours that takes the place of libc's. */
#define EXPORT __attribute__((visibility("default")))

#endif
