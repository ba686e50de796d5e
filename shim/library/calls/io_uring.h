/* SPDX-License-Identifier: MIT */
/*
 * io_uring.h - io_uring(7).
 *
 * A ring's operations are the kernel's: one that makes or uses a socket would do so on the kernel's network,
 * and one on a socket of ours would find the placeholder. So a program finds no io_uring, and goes on by
 * epoll or threads, as under most container runtimes; or, with --io-uring=files, rings that refuse what
 * concerns sockets; or, with
 * --io-uring=kernel, the kernel's.
 */
#ifndef SHIM_LIBRARY_CALLS_IO_URING_H
#define SHIM_LIBRARY_CALLS_IO_URING_H

#include <stdbool.h>

/* As syscall_take (syscall.h). */
bool ring_take(long number, const long arguments[6], long *result);

#endif
