/* SPDX-License-Identifier: MIT */
/*
 * frame.h - frames on their way out: headers written once, payload by reference into a send queue, or into
 * the memory of the program that sends it.
 *
 * The transmit queue is a bounded ring. A layer begins a frame in the ring's next slot, fills its header in
 * place (TCP and UDP at FRAME_TRANSPORT_AT, IP at FRAME_IP_AT, Ethernet at 0) and commits it; or leaves it.
 */
#ifndef STACK_LINK_FRAME_H
#define STACK_LINK_FRAME_H

#include "stack/memory/buffer.h"

#define FRAME_IP_AT 14u
#define FRAME_TRANSPORT_AT 34u
#define FRAME_HEADER_MAX 136u /* Ethernet 14, IP and TCP at most 60 */
#ifndef FRAME_QUEUE_MAX
#define FRAME_QUEUE_MAX 512u
#endif

/* Why a segment of data left when it did, and what had held it back before. */
enum frame_why {
    FRAME_WHY_NONE,     /* no data */
    FRAME_WHY_FULL,     /* it is full */
    FRAME_WHY_IDLE,     /* it is not, but nothing that is not full is in flight: Nagle's rule lets it go */
    FRAME_WHY_NODELAY,  /* TCP_NODELAY */
    FRAME_WHY_UNCORKED, /* TCP_CORK or MSG_MORE have been taken back, or have lasted too long */
    FRAME_WHY_FIN,      /* it is the last */
    FRAME_WHY_RECORD,   /* MSG_EOR */
    FRAME_WHY_WINDOW,   /* as much as the peer's small window takes */
    FRAME_WHY_AGAIN,    /* it was lost */
    FRAME_WHY_PROBE,    /* the peer is asked for a sign of life */
};

enum frame_held {
    FRAME_HELD_NOT,
    FRAME_HELD_NAGLE,
    FRAME_HELD_CORK,   /* or MSG_MORE, or autocorking */
    FRAME_HELD_WINDOW, /* the peer's */
    FRAME_HELD_CWND,
    FRAME_HELD_PACING,
    FRAME_HELD_RING, /* the transmit ring was full */
};

struct frame_note {
    uint8_t why, held; /* enum frame_why, frame_held */
    uint32_t held_us;  /* for how long it was held */
};

struct frame {
    struct byte_cursor payload; /* holds a reference to each buffer of the range */
    const void *borrowed;       /* instead: the payload's bytes, good for as long as the lender waits */
    uint32_t payload_length;
    uint16_t header_length;
    uint8_t transport_at; /* where the header of TCP, UDP or ICMP begins */
    uint16_t
        segment; /* the NIC cuts the payload, of TCP or UDP, into parts of so many bytes; 0: it does not */
    /* The NIC computes the checksum, from transport_at on, and puts it so many bytes after that, where
     * the pseudo-header's sum lies; 0: it is there already. */
    uint8_t checksum_offset;
    struct frame_note note;
    uint8_t header[FRAME_HEADER_MAX];
};

struct frame_queue {
    uint32_t first, count;
    struct frame frames[FRAME_QUEUE_MAX];
};

/* How many packets it will be on the wire. */
static inline uint32_t frame_segments(const struct frame *frame) {
    return frame->segment ? (frame->payload_length + frame->segment - 1) / frame->segment : 1;
}

/* The ring's next free slot, cleared; NULL when the ring is full. */
struct frame *frame_begin(struct frame_queue *queue);

/* Gives a frame its payload and takes the references. */
void frame_set_payload(struct frame *frame, struct byte_cursor payload, uint32_t length);

/* Gives a frame a payload that stays where it is. Whoever lends it sends the frame before anybody else can,
 * and waits for that; or has it copied (frame_keep). */
void frame_borrow(struct frame *frame, const void *bytes, uint32_t length);

/* Copies a lent payload to buffers of the frame's own; nothing, if it has such. Returns 0, or -ENOBUFS: then
 * it is still lent. */
int frame_keep(struct pool *buffers, struct frame *frame);

/* Describes the payload as pieces of memory. Returns how many of `limit` were used, or -1 when there were not
 * enough. */
int frame_pieces(const struct frame *frame, struct iovec *pieces, int limit);

/* Appends a copy of the payload to a queue. Whether there was memory for all of it. */
bool frame_append_payload(const struct frame *frame, struct byte_queue *queue, struct pool *buffers);

/* Copies `length` bytes of the payload from byte `at` on; they must be there. */
void frame_copy(const struct frame *frame, uint32_t at, void *to, uint32_t length);

/* Puts the frame of frame_begin on the ring. */
void frame_commit(struct frame_queue *queue);

/* Drops a frame's references. */
void frame_release(struct pool *buffers, struct frame *frame);

/* The frame `index` places from the ring's front, or NULL. */
struct frame *frame_queue_at(struct frame_queue *queue, uint32_t index);

/* Removes `count` frames from the front, releasing them. */
void frame_queue_drop(struct frame_queue *queue, struct pool *buffers, uint32_t count);

#endif
