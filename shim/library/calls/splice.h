/* SPDX-License-Identifier: MIT */
/*
 * splice.h - what sendfile(2) shares with splice(2).
 */
#ifndef SHIM_LIBRARY_CALLS_SPLICE_H
#define SHIM_LIBRARY_CALLS_SPLICE_H

#include <sys/types.h>

/* Moves what a socket has into a pipe. Returns how much, or a negative errno. */
ssize_t splice_to_pipe(int fd, int pipe, size_t length, unsigned flags);

/* Whether sendfile(2) can read from `in`. Returns 0; 1 for what is no file, so that no place in it moves on;
 * or a negative errno. */
int splice_check_file(int in, off_t at);

/* Whether sendfile(2) may go from a socket of ours to `out`: to a pipe. Returns 0 or a negative errno. */
int splice_check_sendfile(int out, const off_t *offset);

#endif
