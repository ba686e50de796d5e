/* SPDX-License-Identifier: MIT */
/*
 * recording.c - see recording.h.
 *
 * A thread of its own empties the ring every millisecond, without the stack's lock: whoever has the lock only
 * copies to memory. Who is about to take the lock waits while half of the ring is full (lock.c).
 */
#include "shim/keeper/recording.h"
#include "shim/region/region.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS 1000000

static int file = -1;
static bool told;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what writes the file */

bool recording_open(const char *path) {
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return file >= 0;
}

uint64_t recording_begin(void) {
    const struct record_head head = {RECORD_MAGIC, build_digest(), sizeof(struct stack)};
    if (file < 0 || write(file, &head, sizeof head) != sizeof head)
        return 0;
    record_begin(&shared->stack, (void *)(SHARED_BASE + SHARED_BYTES - SHARED_RECORD_BYTES),
                 SHARED_RECORD_BYTES);
    return SHARED_RECORD_BYTES;
}

/* Why nothing follows, if the ring can't say so. */
static void tell_end(void) {
    static const char why[] = "the keeper could not write it as fast as it came";
    const struct record_entry entry = {
        .length = sizeof why, .door = RECORD_END, .now_ns = shared->stack.now_ns};
    const struct iovec pieces[] = {{(void *)&entry, sizeof entry}, {(void *)why, sizeof why}};
    told = true;
    if (!shared->stack.recorder->ended && writev(file, pieces, 2) < 0)
        return; /* it is found out by its last entry */
}

static void write_pending(void) {
    struct recorder *recorder = shared->stack.recorder;
    struct iovec pieces[2];
    int count;
    pthread_mutex_lock(&lock);
    bool lost = recorder->lost; /* what is written after that is what came before */
    while (!told && (count = record_pending(recorder, pieces)) > 0) {
        ssize_t written = writev(file, pieces, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) { /* a full disk, say: the program goes on */
            recorder->lost = told = true;
            break;
        }
        record_drained(recorder, (uint64_t)written);
    }
    if (lost && !told)
        tell_end();
    pthread_mutex_unlock(&lock);
}

static void *writer(void *unused) {
    const struct timespec pause = {0, PAUSE_NS};
    (void)unused;
    for (;;) {
        write_pending();
        nanosleep(&pause, NULL);
    }
    return NULL;
}

int recording_start(void) {
    pthread_t thread;
    return shared->stack.recorder ? -pthread_create(&thread, NULL, writer, NULL) : 0;
}

void recording_finish(void) {
    if (shared->stack.recorder)
        write_pending();
}
