/*
 * call.c - see call.h; and the library's beginning and end.
 */
#include "call.h"
#include "exec.h"
#include "frames.h"
#include "memory.h"
#include "process.h"
#include "resume.h"
#include "streams.h"
#include "wake.h"
#include <string.h>

bool call_join(void) {
    call_begin();
    attach();
    return !attach_broken();
}

struct socket *call_enter(int fd, int *error) {
    shared_lock();
    frames_look(FRAMES_AGE_CALL_NS);
    struct socket *socket = descriptor_socket(fd);
    if (!socket || shared->broken || keeper_has_died()) {
        *error = socket ? -ENETDOWN : -EBADF;
        shared_unlock();
        if (socket)
            attach_broken();
        return NULL;
    }
    return socket;
}

int call_address(int fd, const struct sockaddr *address, socklen_t length, uint32_t *host, uint16_t *port) {
    const struct socket *socket = descriptor_socket(fd);
    if (!socket)
        return -EBADF;
    return family_read(address, length, socket->options.inet6, socket->type == SOCK_STREAM, host, port);
}

bool call_kernel_address(uint32_t host) {
    return (ip_is_loopback(host) || host == INADDR_ANY) && !(attached() && shared->stack.config.loopback);
}

uint32_t call_destination(uint32_t host) {
    return host == INADDR_ANY ? IP_LOOPBACK : host;
}

/* The program's environment is read before it, or a library of its, can change that. */
void call_begin(void) {
    static bool begun;
    char error[CONFIG_ERROR_BYTES];
    if (begun)
        return;
    begun = true;
    if (!libc.ready)
        libc_load();
    memory_begin();
    exec_begin();
    if (!config_read(&attach_config, error))
        attach_fail("%s", error);
}

__attribute__((constructor)) static void begin(void) {
    call_begin();
    resume();
    if (attached()) {
        for (int fd = 0; fd <= 2; fd++)
            stdio_follow(fd);
    }
}

/* The end of the process, in an orderly way: what it has open is closed at once, rather than when the keeper
 * hears of it, and none of its threads dies in the middle of a change. A child that shares this memory is
 * another matter. */
static void leave(void) {
    if (!attached() || shared_begin || attach_pid() != getpid())
        return; /* not ours, or of a child that has never come to the stack */
    verbose_end();
    shared_lock_to_die();
    shared_lock();
    if (!shared->broken) {
        waiters_let_go(wake_self);
        estate_leave(wake_self);
    }
    descriptor_forget_all();
    shared_unlock();
    if (tracing)
        tracing_show();
}

/* exit(3) comes here last: from now on no thread may die in the middle of a change. */
__attribute__((destructor)) static void end(void) {
    if (!attached())
        return;
    if (tracing)
        tracing_show();
    stdio_flush(); /* may have to wait for room, which it can't after this */
    leave();
}

EXPORT void _exit(int status) {
    leave();
    LIBC(_exit)(status);
    __builtin_unreachable();
}

EXPORT void _Exit(int status) {
    _exit(status);
}
