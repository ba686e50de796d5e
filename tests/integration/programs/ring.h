/* SPDX-License-Identifier: MIT */
/*
 * ring.h - an io_uring without liburing: by system-call instructions of the program's own.
 */
#ifndef TESTS_INTEGRATION_PROGRAMS_RING_H
#define TESTS_INTEGRATION_PROGRAMS_RING_H

#include "tests/raw_call.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RING_ENTRIES 8
#define RING_OF_SQ_AND_CQ_BYTES 65536 /* more than there is */

struct ring {
    int fd;
    struct io_uring_params params;
    uint8_t *rings; /* both: IORING_FEAT_SINGLE_MMAP */
    struct io_uring_sqe *entries;
};

/* Maps a ring that there is. Gives 0 or a negative errno. */
static inline int ring_map(struct ring *ring) {
    ring->rings =
        mmap(NULL, RING_OF_SQ_AND_CQ_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
    ring->entries = mmap(NULL, RING_ENTRIES * sizeof *ring->entries, PROT_READ | PROT_WRITE, MAP_SHARED,
                         ring->fd, IORING_OFF_SQES);
    return ring->rings == MAP_FAILED || ring->entries == MAP_FAILED ? -ENOMEM : 0;
}

static inline uint32_t *ring_word(const struct ring *ring, uint32_t offset) {
    return (uint32_t *)(ring->rings + offset);
}

/* An error's name; 0; "more than 0". */
static inline const char *ring_told(long result) {
    return result < 0 ? strerrorname_np((int)-result) : result > 0 ? "more than 0" : "0";
}

/* Submits one operation and waits for its end, two seconds at most. */
static inline const char *ring_run(struct ring *ring, struct io_uring_sqe entry) {
    uint32_t *tail = ring_word(ring, ring->params.sq_off.tail),
             *head = ring_word(ring, ring->params.cq_off.head),
             *end = ring_word(ring, ring->params.cq_off.tail);
    uint32_t at = *tail & *ring_word(ring, ring->params.sq_off.ring_mask);
    ring->entries[at] = entry;
    ring_word(ring, ring->params.sq_off.array)[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    if (RAW_CALL(io_uring_enter, ring->fd, 1, 0, 0, 0, 0) != 1)
        return "was not taken";
    for (int i = 0; i < 200 && __atomic_load_n(end, __ATOMIC_ACQUIRE) == *head; i++)
        usleep(10000);
    if (__atomic_load_n(end, __ATOMIC_ACQUIRE) == *head)
        return "hangs";
    uint32_t completion = *head & *ring_word(ring, ring->params.cq_off.ring_mask);
    int result = ((struct io_uring_cqe *)(ring->rings + ring->params.cq_off.cqes))[completion].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return ring_told(result);
}

#endif
