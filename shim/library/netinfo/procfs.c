/* SPDX-License-Identifier: MIT */
/*
 * procfs.c - see procfs.h: which paths are meant, and the files in memory.
 */
#include "shim/library/netinfo/procfs.h"
#include "shim/library/calls/call.h"
#include "shim/library/memory.h"
#include "shim/library/netinfo/procfs_text6.h"
#include "shim/library/process/netns.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TEXT_BYTES (32u << 20)   /* a line each of 200,000 sockets; pages that are not touched cost nothing */
#define KERNELS_BYTES (4u << 20) /* of the kernel's own file */
#define SYS_CLASS "/sys/class/net/"

/* Moves behind a prefix of a path. */
static bool skip(const char **path, const char *prefix) {
    size_t length = strlen(prefix);
    if (strncmp(*path, prefix, length) != 0)
        return false;
    *path += length;
    return true;
}

/* Whether a process is one of the stack's. The lock is held. */
static bool is_member(int pid) {
    struct list *link, *next;
    list_for_each(link, next, &shared->process_list)
        if (container_of(link, struct process, link)->pid == pid)
            return true;
    return false;
}

/* The name below the network's folder of this process, or another one of the stack's; NULL: it is none. */
static const char *name_in_proc(const char *path, int *pid) {
    *pid = 0;
    if (!skip(&path, "/proc/"))
        return NULL;
    if (skip(&path, "net/"))
        return path;
    if (isdigit((unsigned char)*path)) {
        char *end;
        *pid = (int)strtol(path, &end, 10);
        path = end;
    } else if (!skip(&path, "self") && !skip(&path, "thread-self")) {
        return NULL;
    }
    if (skip(&path, "/task/"))
        path += strspn(path, "0123456789");
    return skip(&path, "/net/") ? path : NULL;
}

/* One of the counters of <linux/if_link.h>. */
static bool write_count(const char *name, struct procfs_text *text) {
#define COUNT(field) \
    { #field, offsetof(struct rtnl_link_stats64, field) }
    static const struct {
        const char *name;
        size_t offset;
    } counts[] = {COUNT(rx_packets),       COUNT(tx_packets),          COUNT(rx_bytes),
                  COUNT(tx_bytes),         COUNT(rx_errors),           COUNT(tx_errors),
                  COUNT(rx_dropped),       COUNT(tx_dropped),          COUNT(multicast),
                  COUNT(collisions),       COUNT(rx_length_errors),    COUNT(rx_over_errors),
                  COUNT(rx_crc_errors),    COUNT(rx_frame_errors),     COUNT(rx_fifo_errors),
                  COUNT(rx_missed_errors), COUNT(tx_aborted_errors),   COUNT(tx_carrier_errors),
                  COUNT(tx_fifo_errors),   COUNT(tx_heartbeat_errors), COUNT(tx_window_errors),
                  COUNT(rx_compressed),    COUNT(tx_compressed),       COUNT(rx_nohandler)};
#undef COUNT
    struct rtnl_link_stats64 wide;
    struct rtnl_link_stats narrow;
    interfaces_count(INTERFACE_OWN, &wide, &narrow);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        uint64_t value;
        if (strcmp(name, counts[i].name) != 0)
            continue;
        memcpy(&value, (const char *)&wide + counts[i].offset, sizeof value);
        procfs_print(text, "%" PRIu64 "\n", value);
        return true;
    }
    return false;
}

/* One of the stack's interface's files below /sys/class/net. */
static bool write_attribute(const char *name, struct procfs_text *text) {
    const struct interface *own = &text->interfaces[INTERFACE_OWN];
    const uint8_t *mac = own->mac;
    if (!skip(&name, own->name) || !skip(&name, "/"))
        return false;
    if (strcmp(name, "address") == 0)
        procfs_print(text, "%02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    else if (strcmp(name, "mtu") == 0)
        procfs_print(text, "%d\n", own->mtu);
    else if (strcmp(name, "flags") == 0)
        procfs_print(text, "0x%x\n", own->flags & 0xffff & ~(unsigned)IFF_RUNNING);
    else if (strcmp(name, "ifindex") == 0)
        procfs_print(text, "%u\n", own->index);
    else if (strcmp(name, "operstate") == 0)
        procfs_print(text, "up\n");
    else if (strcmp(name, "carrier") == 0)
        procfs_print(text, "1\n");
    else
        return skip(&name, "statistics/") && write_count(name, text);
    return true;
}

/* What the kernel's file of that name has. */
static void read_kernels(const char *name, char *to) {
    char path[64];
    size_t used = 0;
    ssize_t got;
    snprintf(path, sizeof path, "/proc/thread-self/net/%.32s", name);
    int fd = LIBC(open)(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    while (used < KERNELS_BYTES - 1 && (got = LIBC(read)(fd, to + used, KERNELS_BYTES - 1 - used)) > 0)
        used += (size_t)got;
    LIBC(close)(fd);
}

int procfs_file(const char *text, size_t length, int flags) {
    int fd = memfd_create("barewire", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    size_t done = 0;
    while (fd >= 0 && done < length) {
        ssize_t written = LIBC(write)(fd, text + done, length - done);
        if (written <= 0) {
            LIBC(close)(fd);
            return -1;
        }
        done += (size_t)written;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

static int open_text(const char *in_proc, const char *in_sys, int pid, int flags) {
    char *kernels = memory_take(KERNELS_BYTES);
    struct procfs_text text = {.bytes = memory_take(TEXT_BYTES), .room = TEXT_BYTES, .kernels = kernels};
    int fd = -1;
    if (text.bytes && kernels) {
        if (in_proc && (strcmp(in_proc, "if_inet6") == 0 || strcmp(in_proc, "ipv6_route") == 0))
            call_await_routers((struct ip_address){0});
        if (in_proc)
            read_kernels(procfs_form6(in_proc), kernels);
        region_enter();
        interfaces_describe(text.interfaces);
        bool known = !shared->broken && (!pid || is_member(pid)) &&
                     (in_proc ? procfs_write(in_proc, &text) : write_attribute(in_sys, &text));
        region_leave();
        if (known)
            fd = procfs_file(text.bytes, text.used, flags);
    }
    memory_give(text.bytes);
    memory_give(kernels);
    return fd;
}

int procfs_open(const char *path, int flags) {
    int pid, kept = errno;
    const char *in_proc = name_in_proc(path, &pid), *in_sys = path;
    if (!in_proc && !skip(&in_sys, SYS_CLASS))
        return -1;
    if ((flags & O_ACCMODE) != O_RDONLY || flags & (O_DIRECTORY | O_PATH))
        return -1;
    if (!attach_is_wanted() || netns_away() || !call_join())
        return -1;
    int fd = open_text(in_proc, in_proc ? NULL : in_sys, pid, flags);
    errno = kept;
    return fd;
}
