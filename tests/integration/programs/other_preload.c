/* SPDX-License-Identifier: MIT */
/*
 * other_preload.c - a library that is preloaded beside ours and takes over some of the same calls: it counts
 * them, and says how many when the program ends.
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned reads, writes, polls, closes;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t read(int fd, void *buffer, size_t length) {
    reads++;
    return NEXT(read)(fd, buffer, length);
}

ssize_t write(int fd, const void *buffer, size_t length) {
    writes++;
    return NEXT(write)(fd, buffer, length);
}

int poll(struct pollfd *fds, nfds_t count, int timeout) {
    polls++;
    return NEXT(poll)(fds, count, timeout);
}

int close(int fd) {
    closes++;
    return NEXT(close)(fd);
}

__attribute__((destructor)) static void tell(void) {
    dprintf(2, "other: %u reads, %u writes, %u polls, %u closes\n", reads, writes, polls, closes);
}
