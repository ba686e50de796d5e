/* SPDX-License-Identifier: MIT */
/*
 * socket_option.h - what the files of getsockopt(2) and setsockopt(2) share: see socket.h for the calls
 * themselves.
 */
#ifndef STACK_SOCKET_OPTION_H
#define STACK_SOCKET_OPTION_H

#include "stack/socket.h"
#include <string.h>

/* Gives a value, cut to *length, which becomes that of what was given. */
static inline int option_give(void *value, socklen_t *length, const void *from, socklen_t size) {
    if (*length > size)
        *length = size;
    memcpy(value, from, *length);
    return 0;
}

static inline int option_give_number(void *value, socklen_t *length, int number) {
    return option_give(value, length, &number, sizeof number);
}

#endif
