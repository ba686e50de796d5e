/* SPDX-License-Identifier: MIT */
/*
 * scm_rights.h - descriptors of ours in messages over the kernel's UNIX sockets.
 */
#ifndef SHIM_LIBRARY_PROCESS_SCM_RIGHTS_H
#define SHIM_LIBRARY_PROCESS_SCM_RIGHTS_H

#include <stdbool.h>
#include <sys/socket.h>

/* A message is about to be sent, or could not be sent after all: its sockets of ours take off, or come back.
 */
void passing_out(const struct msghdr *message, bool failed);

/* A message was received, with these flags: its descriptors that are sockets of ours become this process's.
 */
void passing_in(struct msghdr *message, int flags);

#endif
