/* SPDX-License-Identifier: MIT */
/*
 * ipc.c - at a stack's door, which lies at a path: says what must not be said there, and prints what comes
 * of it.
 *
 *   door PATH again       joins, and over the same connection once more, as a member that has become somebody
 * else may try door PATH down        joins, and over the same connection ends the stack door PATH leak N N
 * connections, each with an empty message that brings a descriptor door PATH block       joins, and gives a
 * full pipe for an eventfd
 */
#include "shim/region/ipc.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static int reach(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int ipc = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(ipc, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        exit(2);
    }
    return ipc;
}

static void say(int ipc, const void *bytes, size_t length, int descriptor) {
    char control[CMSG_SPACE(sizeof descriptor)] = {0};
    struct iovec piece = {(void *)bytes, length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    sendmsg(ipc, &message, MSG_NOSIGNAL);
}

/* The version is whatever the running keeper says. */
static uint32_t version;

static void ask(int ipc, uint32_t kind, int descriptor) {
    struct ipc_request request = {.header = {SHARED_MAGIC, version, kind}};
    say(ipc, &request, sizeof request, descriptor);
}

/* How an answer is: its status, and how many descriptors came; or that the connection has ended. */
static const char *hear(int ipc) {
    static char text[100];
    static struct ipc_reply reply;
    union ipc_control control;
    struct iovec piece = {&reply, sizeof reply};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct pollfd wait = {.fd = ipc, .events = POLLIN};
    if (poll(&wait, 1, 2000) == 0)
        return "nothing";
    if (recvmsg(ipc, &message, 0) <= 0)
        return "hung up";
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    size_t count =
        header && header->cmsg_type == SCM_RIGHTS ? (header->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
    version = reply.header.version;
    snprintf(text, sizeof text, "%s, %zu descriptors",
             reply.header.kind == IPC_WELCOME ? "welcome" : "refused", count);
    return text;
}

static int join(const char *path) {
    int ipc = reach(path);
    ask(ipc, IPC_ATTACH, -1); /* of another version: it is told */
    hear(ipc);
    close(ipc);
    ipc = reach(path);
    ask(ipc, IPC_ATTACH, -1);
    printf("%s\n", hear(ipc));
    return ipc;
}

int main(int count, char **arguments) {
    const char *path = arguments[1], *what = arguments[2];
    int pipes[2];
    if (strcmp(what, "leak") == 0) {
        for (int i = 0; i < atoi(arguments[count - 1]); i++) {
            int ipc = reach(path);
            say(ipc, "", 0, 1);
            close(ipc);
        }
        return 0;
    }
    int ipc = join(path);
    if (strcmp(what, "again") == 0) {
        ask(ipc, IPC_ATTACH, -1);
    } else if (strcmp(what, "down") == 0) {
        ask(ipc, IPC_DOWN, -1);
    } else {
        if (pipe(pipes) < 0)
            return 1;
        fcntl(pipes[1], F_SETFL, O_NONBLOCK);
        char full[65536] = {0};
        while (write(pipes[1], full, sizeof full) > 0)
            continue;
        fcntl(pipes[1], F_SETFL, 0);
        ask(ipc, IPC_WAITER, pipes[1]);
        ask(ipc, IPC_CHILD, pipes[1]);
    }
    printf("%s\n", hear(ipc));
    return 0;
}
