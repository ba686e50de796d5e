/* SPDX-License-Identifier: MIT */
/*
 * sigevent.c - see sigevent.h.
 */
#include "shim/library/calls/sigevent.h"
#include "shim/library/memory.h"
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *call_function(void *argument) {
    struct sigevent event = *(struct sigevent *)argument;
    memory_give(argument);
    event.sigev_notify_function(event.sigev_value);
    return NULL;
}

static void start_function(const struct sigevent *event) {
    pthread_t thread;
    struct sigevent *copy = memory_take(sizeof *copy);
    if (!copy)
        return;
    *copy = *event;
    if (pthread_create(&thread, event->sigev_notify_attributes, call_function, copy))
        memory_give(copy);
    else
        pthread_detach(thread); /* has no effect on one that is detached */
}

void notify_event(const struct sigevent *event, int code) {
    if (event->sigev_notify == SIGEV_SIGNAL) {
        siginfo_t info = {.si_signo = event->sigev_signo, .si_code = code};
        info.si_pid = getpid();
        info.si_uid = getuid();
        info.si_value = event->sigev_value;
        syscall(SYS_rt_sigqueueinfo, getpid(), event->sigev_signo, &info);
    } else if (event->sigev_notify == SIGEV_THREAD && event->sigev_notify_function) {
        start_function(event);
    }
}
