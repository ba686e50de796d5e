/* SPDX-License-Identifier: MIT */
/*
 * passt.c - a network without any rights: passt(1) carries the packets of one guest by ordinary sockets of
 * this host, and speaks Ethernet with it over a UNIX stream socket.
 *
 * Each frame goes with its length before it, 32 bits in network order. passt answers ARP for everything,
 * gives an address, a router and name servers by DHCP, and lets in what is published.
 */
#include "nic/nic.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MTU 65520u /* what passt offers */
#define LENGTH_BYTES 4u
#define FRAME_MIN 14u
#define BUFFER_BYTES (1u << 20)
#define AT_ONCE 64
#define PIECES_MAX 1000 /* IOV_MAX is 1,024 */
#define TROUBLE_BYTES 256
#define SOCKET_BYTES (4 << 20)

struct nic_passt {
    struct nic nic;
    int errors;                  /* what passt says, a pipe; -1: closed */
    char trouble[TROUBLE_BYTES]; /* nic.trouble */
    uint32_t start, end;         /* what has been read, and not yet been given */
    uint8_t received[BUFFER_BYTES];
    uint32_t sent, unsent; /* the rest of a frame that the socket did not take whole */
    uint8_t rest[LENGTH_BYTES + NIC_FRAME_MAX];
};

static struct nic_passt *passt_of(struct nic *nic) {
    return (struct nic_passt *)nic;
}

/* What there is to do about what passt says. */
static const char *advice_for(const char *line) {
    static const struct {
        const char *says, *advice;
    } all[] = {
        {"External interface not usable",
         "; it wants an interface with a route out of here: name another --nic"},
        {"Failed to bind",
         "; a port of --publish is in use, or below 1024 and root's alone: --publish 8080:80"},
        {"user namespace", "; user namespaces are not allowed here: name another --nic"},
    };
    for (size_t i = 0; line && i < sizeof all / sizeof *all; i++)
        if (strstr(line, all[i].says))
            return all[i].advice;
    return "";
}

/* passt has ended: its last words are for the user. */
static int gone(struct nic_passt *passt) {
    char said[4096], *line = NULL;
    ssize_t length = passt->errors >= 0 ? read(passt->errors, said, sizeof said - 1) : -1;
    said[length > 0 ? length : 0] = 0;
    for (char *at = strtok(said, "\n"); at; at = strtok(NULL, "\n"))
        if (!strstr(at, "syslog"))
            line = at;
    if (!passt->nic.trouble)
        snprintf(passt->trouble, sizeof passt->trouble, "passt has ended%s%s%s", line ? ": " : "",
                 line ? line : "", advice_for(line));
    passt->nic.trouble = passt->trouble;
    return -ENODEV;
}

/* Reads on. Returns 1, 0 when there is nothing, or a negative errno. */
static int read_more(struct nic_passt *passt) {
    memmove(passt->received, passt->received + passt->start, passt->end - passt->start);
    passt->end -= passt->start;
    passt->start = 0;
    ssize_t got =
        recv(passt->nic.descriptor, passt->received + passt->end, BUFFER_BYTES - passt->end, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : gone(passt);
    if (got == 0)
        return gone(passt);
    passt->end += (uint32_t)got;
    return 1;
}

static int passt_receive(struct nic *nic, struct nic_frame *frames, int count) {
    struct nic_passt *passt = passt_of(nic);
    int given = 0;
    while (given < count) {
        uint32_t there = passt->end - passt->start, length = 0;
        const uint8_t *at = passt->received + passt->start;
        if (there >= LENGTH_BYTES) {
            memcpy(&length, at, sizeof length);
            length = ntohl(length);
            if (length < FRAME_MIN || length > NIC_FRAME_MAX)
                return gone(passt); /* it does not speak our language */
        }
        if (length == 0 || there < LENGTH_BYTES + length) {
            int more = read_more(passt);
            if (more > 0)
                continue;
            return given > 0 ? given : more;
        }
        bool whole = nic_scatter(&frames[given], at + LENGTH_BYTES, length);
        frames[given++].length = whole ? length : 0;
        nic->counters.truncated += !whole;
        passt->start += LENGTH_BYTES + length;
    }
    return given;
}

static int send_rest(struct nic_passt *passt) {
    while (passt->unsent > 0) {
        ssize_t result = send(passt->nic.descriptor, passt->rest + passt->sent, passt->unsent,
                              MSG_DONTWAIT | MSG_NOSIGNAL);
        if (result < 0)
            return errno == EAGAIN || errno == EINTR ? -EAGAIN : gone(passt);
        passt->sent += (uint32_t)result;
        passt->unsent -= (uint32_t)result;
    }
    return 0;
}

/* A frame of which the socket has taken `sent` bytes, its length's included: the rest has to follow. */
static void keep_rest(struct nic_passt *passt, const struct nic_frame *frame, uint32_t sent) {
    uint32_t length = nic_length(frame), wire = htonl(length);
    memcpy(passt->rest, &wire, sizeof wire);
    nic_gather(frame, passt->rest + LENGTH_BYTES, NIC_FRAME_MAX);
    passt->sent = sent;
    passt->unsent = LENGTH_BYTES + length - sent;
}

static int passt_send(struct nic *nic, const struct nic_frame *frames, int count) {
    struct nic_passt *passt = passt_of(nic);
    struct iovec pieces[PIECES_MAX];
    uint32_t lengths[AT_ONCE];
    struct msghdr message = {.msg_iov = pieces};
    int used = 0, taken = 0, error = send_rest(passt);
    if (error)
        return error;
    while (used < count && used < AT_ONCE &&
           message.msg_iovlen + (size_t)frames[used].piece_count + 1 <= PIECES_MAX) {
        lengths[used] = htonl(nic_length(&frames[used]));
        pieces[message.msg_iovlen++] = (struct iovec){&lengths[used], sizeof *lengths};
        for (int i = 0; i < frames[used].piece_count; i++)
            pieces[message.msg_iovlen++] = frames[used].pieces[i];
        used++;
    }
    ssize_t result = sendmsg(nic->descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (result < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? -EAGAIN : gone(passt);
    for (uint32_t left = (uint32_t)result; left > 0; taken++) {
        uint32_t whole = LENGTH_BYTES + ntohl(lengths[taken]);
        if (left < whole) {
            keep_rest(passt, &frames[taken], left);
            left = 0;
        } else {
            left -= whole;
        }
    }
    return taken;
}

static void passt_close(struct nic *nic) {
    struct nic_passt *passt = passt_of(nic);
    close(nic->descriptor); /* passt ends by itself then */
    if (passt->errors >= 0)
        close(passt->errors);
    free(passt);
}

static const struct nic_operations OPERATIONS = {
    .receive = passt_receive,
    .send = passt_send,
    .close = passt_close,
};

/* In the child: becomes passt. What goes wrong is said where passt would say it. */
static _Noreturn void become_passt(int socket, int errors, const char *publish) {
    char number[16];
    snprintf(number, sizeof number, "%d", socket);
    const char *arguments[] = {"passt", "--foreground",         "--stderr", "--quiet", "--no-map-gw", "--fd",
                               number,  *publish ? "-t" : NULL, publish,    "-u",      publish,       NULL};
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, 0);
    dup2(nothing, 1);
    dup2(errors, 2);
    fcntl(socket, F_SETFD, 0);
    execvp(arguments[0], (char *const *)arguments);
    dprintf(2, "%s\n",
            errno == ENOENT ? "it is not installed: 'apt install passt', or name another --nic"
                            : strerror(errno));
    _exit(1);
}

struct nic *nic_passt_open(const char *publish, char *error) {
    int ends[2], errors[2], bytes = SOCKET_BYTES;
    struct nic_passt *passt = calloc(1, sizeof *passt);
    if (!passt || pipe2(errors, O_CLOEXEC | O_NONBLOCK) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        snprintf(error, NIC_ERROR_BYTES, "can't start passt: %s", strerror(errno));
        free(passt);
        return NULL;
    }
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    pid_t child = fork();
    if (child == 0)
        become_passt(ends[1], errors[1], publish);
    close(ends[1]);
    close(errors[1]);
    passt->errors = errors[0];
    passt->nic.operations = &OPERATIONS;
    passt->nic.descriptor = ends[0];
    passt->nic.facts.mtu = MTU;
    if (child < 0) {
        snprintf(error, NIC_ERROR_BYTES, "can't start passt: %s", strerror(errno));
        passt_close(&passt->nic);
        return NULL;
    }
    return &passt->nic;
}
