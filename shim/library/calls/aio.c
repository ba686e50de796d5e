/* SPDX-License-Identifier: MIT */
/*
 * aio.c - aio(7) on sockets of ours: glibc's threads read and write from inside itself, where nobody
 * can take them over.
 *
 * A descriptor with requests has a thread that carries them out in turn, as glibc's does. A request's state
 * is its __error_code: EINPROGRESS until it has ended; libc's aio_error and aio_return read just that.
 */
#include "shim/library/calls/call.h"
#include "shim/library/calls/sigevent.h"
#include "shim/library/memory.h"
#include "shim/region/wake.h"
#include <aio.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define STREAMS_MAX 1024
#define REQUESTS_AT_ONCE 250
#define LOOK_AGAIN_NS 5000000 /* where libc's requests are waited for, too, which tell us nothing */
#define LIO_OPERATION_FSYNC 100

struct request {
    struct request *next;
    struct aiocb *block;
    int operation; /* LIO_READ, LIO_WRITE, LIO_OPERATION_FSYNC */
};

/* The requests of a descriptor. */
struct stream {
    int fd;                  /* -1: free */
    struct request *running; /* the first of them, or NULL */
    struct request *queued, **last;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stream *streams; /* STREAMS_MAX of them, or NULL */
static struct request *free_requests;
static _Atomic uint32_t ended; /* counts requests: what aio_suspend sleeps on */

static void forked(void) {
    pthread_mutex_init(&lock, NULL);
    streams = NULL; /* its threads are the parent's, and what they were at is */
}

static bool start(void) {
    static bool registered;
    if (streams)
        return true;
    streams = memory_take(STREAMS_MAX * sizeof *streams);
    for (int i = 0; streams && i < STREAMS_MAX; i++)
        streams[i].fd = -1;
    if (!registered)
        pthread_atfork(NULL, NULL, forked);
    registered = true;
    return streams != NULL;
}

/* -1: any that is free. */
static struct stream *stream_of(int fd) {
    for (int i = 0; streams && i < STREAMS_MAX; i++)
        if (streams[i].fd == fd)
            return &streams[i];
    return NULL;
}

static struct request *request_take(void) {
    if (!free_requests) {
        struct request *more = memory_take(REQUESTS_AT_ONCE * sizeof *more);
        for (int i = 0; more && i < REQUESTS_AT_ONCE; i++) {
            more[i].next = free_requests;
            free_requests = &more[i];
        }
    }
    struct request *request = free_requests;
    if (request)
        free_requests = request->next;
    return request;
}

static void request_give(struct request *request) {
    request->next = free_requests;
    free_requests = request;
}

/* A request has ended. The program may look at the block from the moment when its error is set, and give it
 * away. Returns how the program wants to be told, which is done without the lock. */
static struct sigevent finish(struct request *request, ssize_t result, int error) {
    struct sigevent event = request->block->aio_sigevent;
    request->block->__return_value = result;
    __atomic_store_n(&request->block->__error_code, error, __ATOMIC_RELEASE);
    request_give(request);
    ended++;
    return event;
}

static void tell_completion(const struct sigevent *event) {
    wake_word(&ended);
    notify_event(event, SI_ASYNCIO);
}

static ssize_t carry_out(const struct request *request) {
    struct aiocb *block = request->block;
    void *buffer = (void *)block->aio_buf;
    switch (request->operation) {
    case LIO_READ:
        return read(block->aio_fildes, buffer, block->aio_nbytes);
    case LIO_WRITE:
        return write(block->aio_fildes, buffer, block->aio_nbytes);
    default:
        return fsync(block->aio_fildes);
    }
}

static void *work(void *argument) {
    struct stream *stream = argument;
    pthread_mutex_lock(&lock);
    while ((stream->running = stream->queued)) {
        struct request *request = stream->running;
        stream->queued = request->next;
        pthread_mutex_unlock(&lock);
        ssize_t result = carry_out(request);
        int error = result < 0 ? errno : 0;
        pthread_mutex_lock(&lock);
        stream->running = NULL;
        struct sigevent event = finish(request, result, error);
        pthread_mutex_unlock(&lock);
        tell_completion(&event);
        pthread_mutex_lock(&lock);
    }
    stream->fd = -1;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* A thread that none of the program's signals comes to. */
static int start_thread(void *(*run)(void *), void *argument) {
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        pthread_detach(thread);
    return -error;
}

static int submit_locked(struct aiocb *block, int operation) {
    struct stream *stream = start() ? stream_of(block->aio_fildes) : NULL;
    bool idle = !stream;
    if (idle && !(stream = stream_of(-1)))
        return -EAGAIN;
    struct request *request = request_take();
    if (!request)
        return -EAGAIN;
    *request = (struct request){.block = block, .operation = operation};
    block->__error_code = EINPROGRESS;
    block->__return_value = 0;
    if (!idle && stream->queued) {
        *stream->last = request;
        stream->last = &request->next;
        return 0;
    }
    stream->queued = request;
    stream->last = &request->next;
    if (!idle)
        return 0;
    stream->fd = block->aio_fildes;
    int error = start_thread(work, stream);
    if (error) {
        stream->fd = -1;
        stream->queued = NULL;
        request_give(request);
        block->__error_code = -error;
    }
    return error;
}

static int submit(struct aiocb *block, int operation) {
    if (block->aio_reqprio < 0)
        return -EINVAL;
    pthread_mutex_lock(&lock);
    int error = submit_locked(block, operation);
    pthread_mutex_unlock(&lock);
    return error;
}

EXPORT int aio_read(struct aiocb *block) {
    if (!descriptor_socket(block->aio_fildes))
        return LIBC(aio_read)(block);
    CALL_BEGINS;
    return (int)call_result(submit(block, LIO_READ));
}

EXPORT int aio_write(struct aiocb *block) {
    if (!descriptor_socket(block->aio_fildes))
        return LIBC(aio_write)(block);
    CALL_BEGINS;
    return (int)call_result(submit(block, LIO_WRITE));
}

EXPORT int aio_fsync(int operation, struct aiocb *block) {
    if (!descriptor_socket(block->aio_fildes))
        return LIBC(aio_fsync)(operation, block);
    CALL_BEGINS;
    if (operation != O_SYNC && operation != O_DSYNC)
        return (int)call_result(-EINVAL);
    return (int)call_result(submit(block, LIO_OPERATION_FSYNC));
}

static bool in_progress(const struct aiocb *block) {
    return block && __atomic_load_n(&block->__error_code, __ATOMIC_ACQUIRE) == EINPROGRESS;
}

static int wait_for(const struct aiocb *const list[], int count, bool all, uint64_t deadline_ns) {
    for (;;) {
        uint32_t seen = ended;
        bool foreign = false, some_ended = count == 0;
        int running = 0;
        for (int i = 0; i < count; i++) {
            running += in_progress(list[i]);
            some_ended |= list[i] && !in_progress(list[i]);
            foreign |= in_progress(list[i]) && !descriptor_socket(list[i]->aio_fildes);
        }
        if (running == 0 || (some_ended && !all))
            return 0;
        uint64_t now_ns = clock_now(), limit_ns = deadline_ns;
        if (now_ns >= deadline_ns)
            return -EAGAIN;
        if (foreign && deadline_ns - now_ns > LOOK_AGAIN_NS)
            limit_ns = now_ns + LOOK_AGAIN_NS;
        int result = wake_sleep(&ended, seen, limit_ns);
        if (result == -EINTR)
            return result;
    }
}

EXPORT int aio_suspend(const struct aiocb *const list[], int count, const struct timespec *timeout) {
    CALL_BEGINS;
    uint64_t deadline_ns = TIMER_NEVER;
    if (!streams)
        return LIBC(aio_suspend)(list, count, timeout);
    if (count < 0 || (timeout && (timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000)))
        return (int)call_result(-EINVAL);
    if (timeout)
        deadline_ns =
            clock_now() + (uint64_t)timeout->tv_sec * UINT64_C(1000000000) + (uint64_t)timeout->tv_nsec;
    return (int)call_result(wait_for(list, count, false, deadline_ns));
}

/* Takes out of the queue what is not running yet: one request, or all of a descriptor's. */
static int cancel(int fd, struct aiocb *block) {
    struct request *cancelled = NULL, *request;
    pthread_mutex_lock(&lock);
    struct stream *stream = stream_of(fd);
    bool busy = stream && stream->running && (!block || stream->running->block == block);
    struct request **link = stream ? &stream->queued : NULL;
    while (link && (request = *link)) {
        if (block && request->block != block) {
            link = &request->next;
            continue;
        }
        *link = request->next;
        request->next = cancelled;
        cancelled = request;
    }
    if (stream)
        stream->last = link;
    pthread_mutex_unlock(&lock);
    int result = busy ? AIO_NOTCANCELED : cancelled ? AIO_CANCELED : AIO_ALLDONE;
    while ((request = cancelled)) {
        cancelled = request->next;
        pthread_mutex_lock(&lock);
        struct sigevent event = finish(request, -1, ECANCELED);
        pthread_mutex_unlock(&lock);
        tell_completion(&event);
    }
    return result;
}

EXPORT int aio_cancel(int fd, struct aiocb *block) {
    if (!descriptor_socket(fd))
        return LIBC(aio_cancel)(fd, block);
    CALL_BEGINS;
    if (block && block->aio_fildes != fd)
        return (int)call_result(-EINVAL);
    return cancel(fd, block);
}

/* What is to be told when the last of a list has ended. */
struct whole {
    struct sigevent event;
    int count;
    const struct aiocb *list[];
};

static void *await_whole(void *argument) {
    struct whole *whole = argument;
    wait_for(whole->list, whole->count, true, TIMER_NEVER);
    notify_event(&whole->event, SI_ASYNCIO);
    memory_give(whole);
    return NULL;
}

static int notify_of_whole(struct aiocb *const list[], int count, const struct sigevent *event) {
    struct whole *whole = memory_take(sizeof *whole + (size_t)count * sizeof *list);
    if (!whole)
        return -EAGAIN;
    whole->event = *event;
    whole->count = count;
    memcpy(whole->list, list, (size_t)count * sizeof *list);
    int error = start_thread(await_whole, whole);
    if (error)
        memory_give(whole);
    return error;
}

static int submit_any(struct aiocb *block) {
    CALL_BEGINS;
    switch (block->aio_lio_opcode) {
    case LIO_NOP:
        return 0;
    case LIO_READ:
        return aio_read(block);
    case LIO_WRITE:
        return aio_write(block);
    default:
        block->__return_value = -1;
        block->__error_code = EINVAL;
        return (int)call_result(-EINVAL);
    }
}

EXPORT int lio_listio(int mode, struct aiocb *const list[], int count, struct sigevent *event) {
    CALL_BEGINS;
    bool any = false, failed = false;
    for (int i = 0; i < count; i++)
        any |= list[i] && list[i]->aio_lio_opcode != LIO_NOP && descriptor_socket(list[i]->aio_fildes);
    if (!any)
        return LIBC(lio_listio)(mode, list, count, event);
    if (mode != LIO_WAIT && mode != LIO_NOWAIT)
        return (int)call_result(-EINVAL);
    for (int i = 0; i < count; i++)
        if (list[i])
            failed |= submit_any(list[i]) < 0;
    if (mode == LIO_NOWAIT) {
        int error = event && event->sigev_notify != SIGEV_NONE ? notify_of_whole(list, count, event) : 0;
        return (int)call_result(failed ? -EIO : error);
    }
    int error = wait_for((const struct aiocb *const *)list, count, true, TIMER_NEVER);
    for (int i = 0; i < count && !error; i++)
        failed |= list[i] && list[i]->aio_lio_opcode != LIO_NOP && list[i]->__error_code != 0;
    return (int)call_result(error ? error : failed ? -EIO : 0);
}

EXPORT int aio_read64(struct aiocb64 *block) __attribute__((alias("aio_read")));
EXPORT int aio_write64(struct aiocb64 *block) __attribute__((alias("aio_write")));
EXPORT int aio_fsync64(int operation, struct aiocb64 *block) __attribute__((alias("aio_fsync")));
EXPORT int aio_suspend64(const struct aiocb64 *const list[], int count, const struct timespec *timeout)
    __attribute__((alias("aio_suspend")));
EXPORT int aio_cancel64(int fd, struct aiocb64 *block) __attribute__((alias("aio_cancel")));
EXPORT int lio_listio64(int mode, struct aiocb64 *const list[], int count, struct sigevent *event)
    __attribute__((alias("lio_listio")));
