/* SPDX-License-Identifier: MIT */
/*
 * after_exec.c - see after_exec.h.
 *
 * A descriptor survives exec, our table does not. So each program that begins while its stack runs asks the
 * keeper whether its process has an account, and looks at the descriptors that it finds open: the inode of
 * the kernel's object under each names the socket. What the account has and no descriptor bears out was
 * closed by exec. A program that starts while there is no stack, which is nearly every one, finds no door and
 * asks nobody.
 */
#include "shim/library/process/after_exec.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/fd/udp_loopback.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/exec.h"
#include "shim/library/wait/epoll_set.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Whether a descriptor could be one of ours: an unconnected socket of a kind that descriptor_create makes. */
static bool may_be_ours(int fd, const struct stat *status) {
    int domain, type;
    struct sockaddr_storage peer;
    socklen_t length = sizeof domain, type_length = sizeof type, peer_length = sizeof peer;
    return S_ISSOCK(status->st_mode) && LIBC(getsockopt)(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
           LIBC(getsockopt)(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) == 0 &&
           (domain == AF_INET || domain == AF_INET6 || (domain == AF_UNIX && type == SOCK_STREAM)) &&
           LIBC(getpeername)(fd, (struct sockaddr *)&peer, &peer_length) < 0;
}

/* Calls visit, if there is one, for each open descriptor that could be ours, epoll sets included. Returns how
 * many there are. */
static int each_inherited(void (*visit)(int fd, uint64_t inode)) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        struct stat status;
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fstat(fd, &status) < 0)
            continue;
        bool set = !(status.st_mode & S_IFMT) && epoll_is(fd);
        if (set ? epoll_content(fd, NULL).count == 0 : !may_be_ours(fd, &status))
            continue;
        count++;
        if (visit)
            visit(fd, status.st_ino);
    }
    if (folder)
        closedir(folder);
    return count;
}

/* The lock is held. */
static void take_inherited(int fd, uint64_t inode) {
    LOCK_EXCEPTION;
    if (epoll_is(fd)) {
        epoll_inherited(fd);
        return;
    }
    struct socket *socket = descriptor_socket_named(inode);
    struct fd_entry *entry = socket ? descriptor_entry_of(socket) : NULL;
    if (socket && !entry && (entry = descriptor_hold_socket(socket)))
        entry->loopback = worlds_object(socket, fd);
    if (entry)
        descriptor_set(fd, entry);
}

/* Makes the fd table what the open descriptors say. The lock is held. */
static void take_stock(void) {
    LOCK_EXCEPTION;
    struct file_table *before = wake_self->file_table;
    wake_self->file_table = NULL;
    each_inherited(take_inherited);
    file_table_drop(before);
}

/* Asks the keeper, if there is one. Returns whether the stack is mapped now. */
static bool ask_for_sockets(bool inherited) {
    static struct ipc_request request;
    static struct ipc_reply reply;
    struct ipc_ancillary ancillary;
    attach_find_keepers();
    request = (struct ipc_request){.header = {SHARED_MAGIC, SHARED_VERSION, IPC_RESUME},
                                   .config = attach_config,
                                   .inherited = inherited,
                                   .record = exec_record};
    if (attach_ask(&request, &reply, &ancillary) || reply.header.kind != IPC_WELCOME)
        return false;
    attach_adopt(&reply, ancillary);
    return true;
}

static bool go_on(void) {
    if (!ask_for_sockets(each_inherited(NULL) > 0))
        return false;
    region_enter();
    if (!shared->broken)
        take_stock();
    region_leave();
    return true;
}

static bool follow(void) {
    return ask_for_sockets(true);
}

bool resume_follow(void) {
    return attach_once(follow);
}

void resume(void) {
    attach_once(go_on);
}

struct socket *resume_received(int fd) {
    struct socket *socket = NULL;
    struct stat status;
    if (descriptor_find(fd) || fstat(fd, &status) < 0)
        return NULL;
    if (!may_be_ours(fd, &status))
        return NULL;
    if (!resume_follow())
        return NULL;
    region_enter();
    if (!shared->broken && (socket = descriptor_socket_named(status.st_ino)))
        take_inherited(fd, status.st_ino);
    region_leave();
    return socket;
}
