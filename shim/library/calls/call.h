/* SPDX-License-Identifier: MIT */
/*
 * call.h - what the interposed calls share.
 */
#ifndef SHIM_LIBRARY_CALLS_CALL_H
#define SHIM_LIBRARY_CALLS_CALL_H

#include "shim/library/fd/fd_table.h"
#include "shim/library/fd/socket_address.h"
#include "shim/library/output/tracing.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/signals.h"
#include "shim/library/wait/wait.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include <errno.h>
#include <netinet/in.h>

/* The library's beginning: its constructor's, or a call's from another library's constructor. */
void call_begin(void);

/* Begins a call of ours: what succeeds leaves errno as it was, whatever libc's own calls on the way said. */
#define CALL_BEGINS        \
    signals_call_begins(); \
    const int call_errno = errno

/* Ends it: turns a negative errno into errno and -1. */
#define call_result(result) call_end(call_errno, (result))
static inline long call_end(int before, long result) {
    if (__builtin_expect(tracing_call.pending, 0))
        tracing_end(result);
    errno = result < 0 ? (int)-result : before;
    return result < 0 ? -1 : result;
}

/* The same for what libc has answered: errno is set already when that failed. */
#define call_told(result) call_end_told(call_errno, (result))
static inline long call_end_told(int before, long result) {
    if (__builtin_expect(tracing_call.pending, 0))
        tracing_end(result < 0 ? -errno : result);
    if (result >= 0)
        errno = before;
    return result;
}

/* Joins the stack that the environment names, starting its keeper when there is none, with all that a process
 * of it needs; does nothing when that was done. False: the stack is broken. */
bool call_join(void);

/* The process ends: closes what it has, at once. Called last, when libc makes the system call that ends it:
 * behind all handlers and destructors, and after the streams of stdio have been written. */
void call_leave(void);

/* Takes the lock to work on the socket of a descriptor that descriptor_find found to be ours. Gives NULL,
 * with the lock not held and *error set, when the socket is gone or the stack broken. */
struct socket *call_enter_at(struct lock_place *place, int fd, int *error);
#define call_enter(fd, error) call_enter_at(LOCK_PLACE, fd, error)

/* Reads an address that a call's arguments have for a descriptor of ours. Returns 0, ADDRESS_FOREIGN or a negative
 * errno, which is as Linux's call has it where an address does not say of which link it is. */
enum call_use { CALL_BINDS, CALL_CONNECTS, CALL_SENDS };
int call_address(int fd, enum call_use use, const struct sockaddr *address, socklen_t length,
                 struct ip_address *host, uint16_t *port);

/* Whether a destination is the kernel's: 127.0.0.0/8 and ::1, and 0.0.0.0 and ::, by which Linux means the
 * same; unless the loopback network is the stack's. */
bool call_kernel_address(struct ip_address host);

/* Waits until there is a way to a destination ("::": to any), or routers, which have just been asked, have
 * answered, or have not. The lock is not held. */
void call_await_routers(struct ip_address host);

/* What Linux means by a destination. */
struct ip_address call_destination(struct ip_address host);

/* Puts a kernel socket with the same options and flags under every descriptor that this process has of the
 * socket of fd (fallback.c). The lock is not held. Returns 0 or a negative errno. */
int fallback_to_kernel(int fd);

/* Whether that has failed since the kernel gives such sockets to some users or groups alone: raw ones, and
 * those of ping(8), which the stack gives to everybody. The socket stays the stack's, which has a loopback
 * network of its own for it. */
static inline bool fallback_is_refused(int error) {
    return error == -EACCES || error == -EPERM;
}

/* Tells what a connection did, when the user wants to know (verbose.c). */
struct verbose_summary {
    bool worth_telling;
    int fd;
    struct tcp tcp; /* a copy, for its numbers */
    uint16_t mtu;
    uint64_t now_ns;
    bool on_link, neighbour_silent; /* the other end is; the next hop has not answered so far */
    struct ip_address next_hop;
};
void verbose_note(struct verbose_summary *summary, int fd); /* the lock is held; before the close */
void verbose_tell(const struct verbose_summary *summary);   /* after it */

/* Follows a long transfer with one line that stays where it is, if that goes to a terminal: what to say is
 * noted with the lock held, and said without. */
void verbose_follow(const struct socket *socket);
void verbose_show(void);

/* With -v: connect(2) has found no route. */
void verbose_no_route(int fd, struct ip_address host, uint16_t port);

/* What --impair does is told when the process ends: that its queue overflowed, once a stack; all with -v. */
void verbose_begin(void); /* the process has joined the stack */
void verbose_end(void);

#endif
