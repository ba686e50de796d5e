/* SPDX-License-Identifier: MIT */
/*
 * getaddrinfo_a.c - getaddrinfo_a(3) and its kin: questions that are answered by threads.
 *
 * A request's state is its __return: EAI_INPROGRESS until it is answered. libc's gai_error reads just that.
 */
#include "shim/library/calls/sigevent.h"
#include "shim/region/libc.h"
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;

/* The requests of a call, for its thread. */
struct batch {
    int count;
    struct sigevent event;
    struct gaicb *requests[];
};

static void answer(struct gaicb *request) {
    struct addrinfo *result = NULL;
    int error = getaddrinfo(request->ar_name, request->ar_service, request->ar_request, &result);
    pthread_mutex_lock(&lock);
    request->ar_result = result;
    request->__return = error;
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&lock);
}

static void *answer_all(void *argument) {
    struct batch *batch = argument;
    for (int i = 0; i < batch->count; i++)
        if (batch->requests[i])
            answer(batch->requests[i]);
    notify_event(&batch->event, SI_ASYNCNL);
    free(batch);
    return NULL;
}

EXPORT int getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event) {
    pthread_t thread;
    if (mode != GAI_WAIT && mode != GAI_NOWAIT) {
        errno = EINVAL;
        return EAI_SYSTEM;
    }
    struct batch *batch = malloc(sizeof *batch + (size_t)(count > 0 ? count : 0) * sizeof *batch->requests);
    if (!batch)
        return EAI_MEMORY;
    batch->count = count;
    batch->event = event && mode == GAI_NOWAIT ? *event : (struct sigevent){.sigev_notify = SIGEV_NONE};
    for (int i = 0; i < count; i++) {
        batch->requests[i] = list[i];
        if (list[i])
            list[i]->__return = EAI_INPROGRESS;
    }
    if (mode == GAI_WAIT) {
        answer_all(batch);
        return 0;
    }
    if (pthread_create(&thread, NULL, answer_all, batch)) {
        free(batch);
        return EAI_AGAIN;
    }
    pthread_detach(thread);
    return 0;
}

EXPORT int gai_error(struct gaicb *request) {
    pthread_mutex_lock(&lock);
    int error = request->__return;
    pthread_mutex_unlock(&lock);
    return error;
}

/* One that has been begun can't be taken back; all are begun at once. */
EXPORT int gai_cancel(struct gaicb *request) {
    return gai_error(request) == EAI_INPROGRESS ? EAI_NOTCANCELED : EAI_ALLDONE;
}

static bool all_running(const struct gaicb *const list[], int count, bool *any) {
    *any = false;
    for (int i = 0; i < count; i++) {
        if (!list[i])
            continue;
        *any = true;
        if (list[i]->__return != EAI_INPROGRESS)
            return false;
    }
    return true;
}

EXPORT int gai_suspend(const struct gaicb *const list[], int count, const struct timespec *timeout) {
    struct timespec deadline;
    bool any;
    int error = 0;
    clock_gettime(CLOCK_REALTIME, &deadline);
    if (timeout) {
        deadline.tv_sec += timeout->tv_sec + (deadline.tv_nsec + timeout->tv_nsec) / 1000000000;
        deadline.tv_nsec = (deadline.tv_nsec + timeout->tv_nsec) % 1000000000;
    }
    pthread_mutex_lock(&lock);
    while (all_running(list, count, &any) && any && !error)
        error = timeout ? pthread_cond_timedwait(&answered, &lock, &deadline)
                        : pthread_cond_wait(&answered, &lock);
    pthread_mutex_unlock(&lock);
    if (!any)
        return EAI_ALLDONE;
    return error == ETIMEDOUT ? EAI_AGAIN : 0;
}
