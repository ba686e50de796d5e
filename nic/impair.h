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
#define IMPAIR_QUEUE_DEFAULT 1000u /* frames, as netem's limit */

/* What happens in one direction. Chances are in millionths. */
struct impair_spec {
    uint32_t loss, duplicate, reorder, corrupt;
    uint32_t burst; /* how many frames are lost in a row, on average; 0 and 1: each by itself */
    uint64_t delay_ns, jitter_ns;
    uint64_t rate;  /* bits a second; 0: no limit */
    uint32_t queue; /* frames that may be on the way; those beyond are lost */
};

/* Both directions, and the seed of their chances. */
struct impair_specs {
    struct impair_spec out, in;
    uint64_t seed;
};

/* Reads
 * `loss=1%,delay=20ms,jitter=5ms,duplicate=0.1%,reorder=1%,corrupt=0.01%,rate=100mbit,burst=3,queue=1000,seed=7`.
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

/* A frame enters the link. */
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
