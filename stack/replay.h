/* SPDX-License-Identifier: MIT */
/*
 * replay.h - does again, call by call, what a recording (record.h) says was done with a stack.
 *
 * Theory of operation. The calls are made of a stack in memory of the replay's own, at the recorded times. Sockets
 * are known by where they lay in the recorded stack (socket->name). What a call returns and which frames leave is
 * compared with the recording; the first difference ends the replay, and is told with the number of the call. To go
 * back is to begin again and to stop earlier. A recording may be anybody's: nothing that it says is believed before
 * it has been looked at.
 */
#ifndef STACK_REPLAY_H
#define STACK_REPLAY_H

#include "stack/record.h"

#define REPLAY_NAMES 4096u
#define REPLAY_MESSAGE_BYTES 200
#define REPLAY_MEMORY_MAX (UINT64_C(1) << 30)

enum replay_outcome {
    REPLAY_GOES_ON,
    REPLAY_ENDED,    /* all was done; the message says why the recording ends there, if it says so */
    REPLAY_DIVERGED, /* the stack did something else: the message says where, and what */
    REPLAY_INVALID,  /* the recording is damaged, or of another build */
};

struct replay {
    const uint8_t *bytes; /* the recording */
    size_t size, at;
    struct stack *stack; /* NULL: not made yet */
    char *memory;        /* for it: zero-filled, aligned to ARENA_BLOCK_BYTES */
    size_t memory_bytes;
    uint64_t calls, frames;    /* done so far; sent */
    struct record_entry entry; /* the last call */
    int64_t returned;
    const struct socket *room; /* whose room for a part was asked for last */
    uint64_t began_ns;
    /* Called with each frame that leaves, before it does; or NULL. */
    void (*sent)(void *context, const struct frame *frame);
    void *context;
    struct hash_link *names[REPLAY_NAMES];
    uint8_t scratch[RECORD_BYTES_MAX];
    char message[REPLAY_MESSAGE_BYTES];
};

/* Begins with a recording that was made by a build of that digest (0: whichever). False: it can't be replayed;
 * the message says why. */
bool replay_begin(struct replay *replay, const void *bytes, size_t size, uint32_t build, void *memory,
                  size_t memory_bytes);

/* How much memory the stack of a recording needs; 0: it does not say. */
uint64_t replay_memory(const void *bytes, size_t size);

/* Makes the next call. */
enum replay_outcome replay_step(struct replay *replay);

/* The name of a door's call. */
const char *replay_door_name(uint16_t door);

/* What the call that comes next is; false: there is none. */
bool replay_next(const struct replay *replay, struct record_entry *entry);

#endif
