/* SPDX-License-Identifier: MIT */
/*
 * open.c - open(2), fopen(3) and their kin: of what there is below /proc and /sys some tells of the
 * network, and so of the stack (procfs.h), as does /etc/resolv.conf (resolv_conf.h).
 */
#include "shim/library/names/resolv_conf.h"
#include "shim/library/netinfo/procfs.h"
#include "shim/region/libc.h"
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

/* What open(2) takes beside its flags, if they say that there is something. */
static mode_t mode_of(int flags, va_list list) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

static int try_open(const char *path, int flags) {
    if (!path)
        return -1;
    if (__builtin_expect(procfs_may_be(path), 0))
        return procfs_open(path, flags);
    return __builtin_expect(resolv_conf_is(path), 0) ? resolv_conf_open(flags) : -1;
}

EXPORT int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    int fd = try_open(path, flags);
    return fd >= 0 ? fd : LIBC(open)(path, flags, mode);
}

EXPORT int openat(int folder, const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    int fd = try_open(path, flags);
    return fd >= 0 ? fd : LIBC(openat)(folder, path, flags, mode);
}

/* off_t has 64 bits here, so these are the same. */
EXPORT int open64(const char *path, int flags, ...) __attribute__((alias("open")));
EXPORT int openat64(int folder, const char *path, int flags, ...) __attribute__((alias("openat")));

/* The checked forms are for calls without a mode. */
EXPORT int __open_2(const char *path, int flags) {
    int fd = try_open(path, flags);
    return fd >= 0 ? fd : LIBC(__open_2)(path, flags);
}

EXPORT int __openat_2(int folder, const char *path, int flags) {
    int fd = try_open(path, flags);
    return fd >= 0 ? fd : LIBC(__openat_2)(folder, path, flags);
}

EXPORT int __open64_2(const char *path, int flags) __attribute__((alias("__open_2")));
EXPORT int __openat64_2(int folder, const char *path, int flags) __attribute__((alias("__openat_2")));

EXPORT FILE *fopen(const char *path, const char *mode) {
    int fd = path && mode[0] == 'r' && !strchr(mode, '+')
                 ? try_open(path, O_RDONLY | (strchr(mode, 'e') ? O_CLOEXEC : 0))
                 : -1;
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (file)
        return file;
    if (fd >= 0)
        LIBC(close)(fd);
    return LIBC(fopen)(path, mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode) __attribute__((alias("fopen")));
