/* SPDX-License-Identifier: MIT */
/*
 * impair.h - a bad link: what becomes of frames on it. Sans-I/O, the same from the same seed, for the
 * simulator and for any NIC (nic_impair).
 */
#ifndef NIC_IMPAIR_H
#define NIC_IMPAIR_H

#include <stdbool.h>
#include <stdint.h>

#define IMPAIR_ERROR_BYTES 320
#define IMPAIR_NEVER UINT64_MAX
#define IMPAIR_QUEUE_DEFAULT_NS UINT64_C(100000000) /* with a rate ... */
#define IMPAIR_QUEUE_LEAST 16u /* ... but no less than it takes to send so many long frames */
#define IMPAIR_BYTES_MAX \
    (UINT64_C(256) << 20) /* on their way in all, whatever the queue: memory is bounded */

/* What happens in one direction. Chances are in millionths. */
struct impair_spec {
    uint32_t loss, duplicate, reorder, corrupt;
    uint32_t burst; /* how many frames are lost in a row, on average; 0 and 1: each by itself */
    uint64_t delay_ns, jitter_ns;
    uint64_t rate; /* bits a second; 0: no limit */
    /* What may wait for the line, if there is a rate: frames, or the time in which they wait; those beyond
     * are lost. Both 0: IMPAIR_QUEUE_DEFAULT_NS. Without a rate nothing waits, and frames are all that are on
     * the way. */
    uint32_t queue;
    uint64_t queue_ns;
    uint32_t longest; /* frames of more bytes are cut first, as a network card does (tso.h); 0: none */
};

/* Both directions, and the seed of their chances. */
struct impair_specs {
    struct impair_spec out, in;
    uint64_t seed;
};

/* Reads
 * `loss=1%,delay=20ms,jitter=5ms,duplicate=0.1%,reorder=1%,corrupt=0.01%,rate=100mbit,burst=3,queue=50ms,seed=7`.
 * An item counts for both directions, or with `tx:` or `rx:` before it for one. On failure gives false and a
 * line for the user in error (IMPAIR_ERROR_BYTES). */
bool impair_parse(const char *text, struct impair_specs *specs, char *error);

struct impair_counters {
    uint64_t frames, lost, overflowed, duplicated, reordered, corrupted;
};

struct impair;

/* NULL when memory is out. */
struct impair *impair_create(const struct impair_spec *spec, uint64_t seed);
void impair_destroy(struct impair *impair);

/* A frame enters the link. A long one is one that a network card would cut, or has put together: each of its
 * parts is a frame of its own (spec.longest). */
void impair_put(struct impair *impair, uint64_t now_ns, const void *frame, uint32_t length);

/* The next frame that leaves it by now, copied; its length, or 0 when there is none. One that is longer than
 * `room` is lost. */
uint32_t impair_get(struct impair *impair, uint64_t now_ns, void *frame, uint32_t room);

/* When the next frame leaves; IMPAIR_NEVER when none is on its way. */
uint64_t impair_next(const struct impair *impair);

const struct impair_counters *impair_count(const struct impair *impair);

/* Finishes a checksum that the sender has left to its adapter (CHECKSUM_PARTIAL): a corrupted frame must not
 * pass for a good one. Does nothing to any other frame. */
void impair_finish_checksum(uint8_t *frame, uint32_t length);

#endif
