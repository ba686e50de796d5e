/* SPDX-License-Identifier: MIT */
/*
 * credentials.h - what a program does that costs it a right, seen before it happens.
 */
#ifndef SHIM_LIBRARY_CALLS_CREDENTIALS_H
#define SHIM_LIBRARY_CALLS_CREDENTIALS_H

#include <stdbool.h>

/* Whether this thread has a capability, CAP_NET_ADMIN for one. */
bool credentials_have(int capability);

void user_before_prctl(int option, unsigned long argument);
void user_before_syscall(long number, const long arguments[6]);

#endif
