/* SPDX-License-Identifier: MIT */
/*
 * option_value.c - see option_value.h.
 */
#include "shim/library/calls/option_value.h"
#include "shim/library/memory.h"
#include "shim/library/user_memory.h"
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define MOST 65536u           /* bytes of any value */
#define LONGEST_OF_IPV6 2048u /* ... of an option of IPv6's: a header of 8 bits' length */

static int take(struct option_value *value, size_t bytes) {
    value->ancillary = NULL;
    value->bytes = bytes <= sizeof value->few ? value->few : memory_take(bytes);
    return value->bytes ? 0 : -ENOBUFS;
}

void option_value_give(struct option_value *value) {
    if (value->bytes != value->few)
        memory_give(value->bytes);
    memory_give(value->ancillary);
}

static bool is_program(int level, int name) {
    return level == SOL_SOCKET && (name == SO_ATTACH_FILTER || name == SO_ATTACH_REUSEPORT_CBPF);
}

/* A filter's instructions lie where the value says. */
static int read_program(struct option_value *value) {
    struct sock_fprog program;
    if (value->length != sizeof program)
        return 0; /* -EINVAL, says the stack */
    memcpy(&program, value->bytes, sizeof program);
    if (program.len == 0 || program.len > BPF_MAXINSNS || !program.filter)
        return -EINVAL;
    size_t bytes = program.len * sizeof *program.filter;
    value->ancillary = memory_take(bytes);
    if (!value->ancillary)
        return -ENOBUFS;
    if (user_read(value->ancillary, program.filter, bytes))
        return -EFAULT;
    program.filter = value->ancillary;
    memcpy(value->bytes, &program, sizeof program);
    return 0;
}

int option_value_read(struct option_value *value, int level, int name, const void *given, socklen_t length) {
    value->bytes = value->few;
    value->ancillary = NULL;
    if ((int)length < 0)
        return -EINVAL;
    if (length < sizeof(int) && (level == SOL_SOCKET || level == IPPROTO_TCP) && !given)
        return -EINVAL; /* not looked at */
    value->length = length < MOST ? length : MOST;
    int error = take(value, value->length);
    if (!error && user_read(value->bytes, given, value->length))
        error = length < sizeof(int) && (level == SOL_SOCKET || level == IPPROTO_TCP) ? -EINVAL : -EFAULT;
    if (!error && is_program(level, name))
        error = read_program(value);
    return error;
}

/* Options whose value says what is asked for. */
static bool asks_by_value(int level, int name) {
    return (level == IPPROTO_IP && name == IP_MSFILTER) ||
           ((level == IPPROTO_IP || level == IPPROTO_IPV6) && name == MCAST_MSFILTER);
}

static size_t bytes_of(int level, int name, socklen_t length) {
    bool instructions = level == SOL_SOCKET && name == SO_GET_FILTER;
    return instructions ? (size_t)length * sizeof(struct sock_filter) : length;
}

int option_value_room(struct option_value *value, int level, int name, const void *given,
                      const socklen_t *length) {
    value->bytes = value->few;
    value->ancillary = NULL;
    if (user_read(&value->length, length, sizeof value->length))
        return -EFAULT;
    if ((int)value->length < 0 && level == IPPROTO_IPV6)
        value->length = LONGEST_OF_IPV6; /* Linux takes it for a large number there */
    if ((int)value->length < 0)
        return 0; /* which the stack says, if nothing else is wrong */
    if (bytes_of(level, name, value->length) > MOST)
        value->length = (socklen_t)(MOST / bytes_of(level, name, 1));
    size_t bytes = bytes_of(level, name, value->length);
    int error = take(value, bytes);
    if (!error && asks_by_value(level, name) && user_read(value->bytes, given, bytes))
        error = -EFAULT;
    return error;
}

int option_value_write(const struct option_value *value, int level, int name, void *given,
                       socklen_t *length) {
    size_t bytes = bytes_of(level, name, value->length);
    socklen_t room;
    if (user_read(&room, length, sizeof room))
        return -EFAULT;
    if (bytes > bytes_of(level, name, room))
        bytes = bytes_of(level, name, room); /* of SO_GET_FILTER just the number was asked for */
    return user_write(length, &value->length, sizeof value->length) || user_write(given, value->bytes, bytes)
               ? -EFAULT
               : 0;
}
