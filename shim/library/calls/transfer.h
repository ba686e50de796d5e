/* SPDX-License-Identifier: MIT */
/*
 * transfer.h - data between the program's memory and sockets: what read(2), write(2) and their kin have in
 * common.
 *
 * The program's memory is touched without the stack's lock. What is short goes through the thread's stack. Of
 * a stream's long writes and reads only the buffers are reserved, or held, under the lock, filled or copied
 * from without it, and joined to the send queue or dropped under it; meanwhile a stream has one reader and
 * one writer, and no handler of the program's runs. What a thread had in its hands when its process died goes
 * back with its waiter (process.h).
 */
#ifndef SHIM_LIBRARY_CALLS_TRANSFER_H
#define SHIM_LIBRARY_CALLS_TRANSFER_H

#include "stack/stack.h"

/* Reads an iovec of the program's into memory of the caller's, which has room for it. As in the kernel, what
 * is beyond MAX_RW_COUNT (2 GiB less a page) is left out. Returns how many bytes it describes; -EFAULT; or
 * -EINVAL: a length is negative. */
ssize_t pieces_read(struct iovec *copy, const struct iovec *given, size_t count);

/* Copies from what an iovec describes, or to it. Returns 0 or -EFAULT. The lock is not held. */
int pieces_gather(void *to, const struct iovec *pieces, size_t bytes);
int pieces_scatter(const struct iovec *pieces, const void *from, size_t bytes);

/* Sends all of it, as a blocking send(2) does; what was sent before an error or a signal counts. The iovec is
 * the caller's own, and changed. */
ssize_t transfer_out(int fd, struct iovec *pieces, int count, struct socket_message message);

/* Receives at least something, or all of it under MSG_WAITALL. What the socket's options are is told, too. */
ssize_t transfer_in(int fd, struct iovec *pieces, int count, struct socket_message *message,
                    struct socket_options *options);

/* Sends a file's bytes from its place `at` on, which lie in the page cache, straight from there into buffers
 * of the stack's. Returns how many; 0: not this way. */
size_t transfer_file(int fd, int file, off_t at, size_t length);

#endif
