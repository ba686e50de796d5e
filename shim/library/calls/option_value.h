/* SPDX-License-Identifier: MIT */
/*
 * option_value.h - the value of a socket option, in memory of the library's while the stack reads or writes
 * it.
 */
#ifndef SHIM_LIBRARY_CALLS_OPTION_VALUE_H
#define SHIM_LIBRARY_CALLS_OPTION_VALUE_H

#include <sys/socket.h>

#define OPTION_VALUE_FEW 512 /* bytes: nearly all */

struct option_value {
    void *bytes;
    socklen_t length; /* as the program says: of SO_GET_FILTER, instructions */
    void *ancillary;  /* what the value points to: of SO_ATTACH_FILTER, the program; or NULL */
    char few[OPTION_VALUE_FEW];
};

/* Copies a value that is to be set. Returns 0, -EFAULT, -EINVAL (it is too short to be looked at) or
 * -ENOBUFS. */
int option_value_read(struct option_value *value, int level, int name, const void *given, socklen_t length);

/* Makes room for one that is to be told: as much as the program says that it has. Returns the same, and
 * -EINVAL when that is negative. */
int option_value_room(struct option_value *value, int level, int name, const void *given,
                      const socklen_t *length);

/* Tells it to the program. Returns 0 or -EFAULT. */
int option_value_write(const struct option_value *value, int level, int name, void *given, socklen_t *length);

void option_value_give(struct option_value *value);

#endif
