/* SPDX-License-Identifier: MIT */
/*
 * call.c - see call.h; and the library's beginning and end.
 */
#include "shim/library/calls/call.h"
#include "shim/library/output/messages.h"
#include "shim/library/process/address_space.h"
#include "shim/library/process/after_exec.h"
#include "shim/library/process/exec.h"
#include "shim/library/process/fork.h"
#include "shim/library/process/preloaded.h"
#include "shim/library/syscalls/syscall_sites.h"
#include "shim/library/syscalls/user_dispatch.h"
#include "shim/region/frames.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool call_join(void) {
    call_begin();
    attach();
    return attached() && !attach_broken();
}

struct socket *call_enter_at(struct lock_place *place, int fd, int *error) {
    wait_prepare();
    region_enter_at(place);
    frames_rx_poll_due_at(place, FRAMES_AGE_CALL_NS);
    struct socket *socket = descriptor_socket(fd);
    if (!socket || shared->broken || keeper_has_died()) {
        *error = socket ? -ENETDOWN : -EBADF;
        region_leave();
        if (socket)
            attach_broken();
        return NULL;
    }
    return socket;
}

#define LOOK_NS 2000000

/* Whether there is a way to a destination, and an address that can be answered from there. */
static bool has_way(struct ip_address host) {
    struct ip_address source;
    if (ip6_reachable(&shared->stack, host) || ip6_source(&shared->stack, host, 0, &source))
        return false;
    return ip_is_multicast(host) || ip_is_link_local(host) || !ip_is_link_local(source);
}

/* The keeper does not wait for routers, since most programs have no need of them. Who has waits here. */
void call_await_routers(struct ip_address host) {
    const struct timespec pause = {0, LOOK_NS};
    bool asking = true;
    while (asking) {
        region_enter();
        frames_rx_poll_due(0);
        asking = !shared->broken && ip6_is_asking(&shared->stack) && (ip_is_any(host) || !has_way(host));
        region_leave();
        if (asking)
            nanosleep(&pause, NULL);
    }
}

int call_address(int fd, enum call_use use, const struct sockaddr *address, socklen_t length,
                 struct ip_address *host, uint16_t *port) {
    const struct socket *socket = descriptor_socket(fd);
    if (!socket)
        return -EBADF;
    bool one_family = !udp_is(socket) || use == CALL_BINDS;
    int error = address_read(address, length, socket->options.inet6, one_family, host, port);
    if (socket->options.six.bound_to_device && (error == -ENXIO || error == ADDRESS_GROUP_OF_NO_LINK))
        error = 0;
    bool names_group = use == CALL_BINDS || (use == CALL_CONNECTS && !socket->tcp); /* others find the way */
    if (error == ADDRESS_GROUP_OF_NO_LINK)
        error = names_group ? -EINVAL : 0;
    if (error == -ENXIO)
        error = use == CALL_SENDS ? 0 : -EINVAL;
    if (error == -ENODEV && use == CALL_BINDS && socket->tcp && ip_is_multicast(*host))
        error = -EINVAL;
    if (error == -ENODEV && use != CALL_BINDS)
        error = -ENETUNREACH;
    if (!error && !ip_is_v4(*host) && !ip_is_any(*host) && !ip_is_loopback(*host) && !ip_needs_scope(*host))
        call_await_routers(*host);
    return error;
}

bool call_kernel_address(struct ip_address host) {
    if (attached() && ip_is_loopback(host) && !ip_is_v4(host) && !shared->stack.config.ip6.on)
        return true;
    return (ip_is_loopback(host) || ip_is_any(host)) && !(attached() && !shared->kernel_loopback);
}

struct ip_address call_destination(struct ip_address host) {
    static const struct ip_address loopback = {{{[15] = 1}}};
    if (!ip_is_any(host))
        return host;
    return ip_is_v4(host) || !shared->stack.config.ip6.on ? ip_from_v4(IP_LOOPBACK) : loopback;
}

/* The program's environment is read before it, or a library of its, can change that. */
void call_begin(void) {
    static bool begun;
    char error[CONFIG_ERROR_BYTES];
    if (begun)
        return;
    begun = true;
    libc_load();
    preloaded_find();
    clock_begin();
    fork_begin();
    syscall_sites_begin();
    user_dispatch_begin();
    exec_begin();
    messages_begin();
    if (!config_read(&attach_config, error))
        attach_fail("%s", error);
    user_dispatch_tell();
}

/* The end of the process, in an orderly way: what it has open is closed at once, rather than when the keeper
 * hears of it, and its other threads stay out of the stack from now on. */
void call_leave(void) {
    static bool left;
    if (left || !attached() || shared_begin || address_space_by_caller() || address_space_owner() != getpid())
        return; /* not ours, or of a child that has never come to the stack */
    left = true;
    if (tracing)
        tracing_show();
    verbose_end();
    shared_gate_close();
    region_enter();
    if (!shared->broken) {
        waiters_let_go(wake_self);
        file_table_leave(wake_self);
    }
    descriptor_forget_all();
    region_leave();
    if (tracing)
        tracing_show();
}

/* Where libc's instructions can't be taken over, exit(3) comes here when all other libraries' destructors,
 * and handlers, have run: they may still use what the program has open, or wait for threads that do. */
static void end(int status, void *context) {
    (void)status;
    (void)context;
    call_leave();
}

EXPORT void _exit(int status) {
    call_leave();
    LIBC(_exit)(status);
    __builtin_unreachable();
}

EXPORT void _Exit(int status) {
    _exit(status);
}

__attribute__((constructor)) static void begin(void) {
    call_begin();
    if (!syscall_sites_taken()) {
        /* The loader registers its own handler, which runs all destructors, after the constructors of
         * libraries: so this one, which belongs to no library, runs after that. */
        on_exit(end, NULL);
        (void)at_quick_exit(call_leave);
    }
    resume();
}
