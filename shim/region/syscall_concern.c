/* SPDX-License-Identifier: MIT */
/*
 * syscall_concern.c - see syscall_concern.h. Also used by the keeper's program, which tells of it.
 */
#include "shim/region/syscall_concern.h"
#include <sys/syscall.h>

#define SERVED(name, when, call) [SYS_##name] = when,
#define ALSO(name, when) [SYS_##name] = when,

const uint8_t syscall_concerns[SYSCALL_NUMBERS] = {
#include "shim/region/syscall_list.h"
};
