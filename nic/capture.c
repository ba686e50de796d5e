/* SPDX-License-Identifier: MIT */
/*
 * capture.c - a NIC whose frames are written to a file as they pass, in pcapng (draft-ietf-opsawg-pcapng):
 * both directions, nanoseconds, and a comment on each frame that says whose it is.
 */
#include "nic/nic.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECTION_HEADER 0x0a0d0d0au
#define INTERFACE_DESCRIPTION 1u
#define ENHANCED_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINK_ETHERNET 1u
#define OPTION_COMMENT 1u
#define OPTION_NAME 2u
#define OPTION_FLAGS 2u
#define OPTION_RESOLUTION 9u
#define INBOUND 1u
#define OUTBOUND 2u
#define BUFFER_BYTES (1u << 20)
#define BLOCK_MAX (NIC_FRAME_MAX + 512u)

struct nic_capture {
    struct nic nic;
    struct nic *inner;
    nic_describe *describe;
    int file;
    pthread_mutex_t lock; /* one thread may send while another receives */
    uint32_t used;
    uint8_t buffer[BUFFER_BYTES];
    uint8_t frame[NIC_FRAME_MAX];
};

static struct nic_capture *capture_of(struct nic *nic) {
    return (struct nic_capture *)nic;
}

/* A full disk, say: what can't be written is left out, and the program goes on. */
static void flush(struct nic_capture *capture) {
    uint32_t done = 0;
    while (done < capture->used) {
        ssize_t result = write(capture->file, capture->buffer + done, capture->used - done);
        if (result <= 0)
            break;
        done += (uint32_t)result;
    }
    capture->used = 0;
}

static void put(struct nic_capture *capture, const void *bytes, uint32_t length) {
    static const uint8_t padding[4];
    uint32_t pad = -length & 3;
    memcpy(capture->buffer + capture->used, bytes, length);
    memcpy(capture->buffer + capture->used + length, padding, pad);
    capture->used += length + pad;
}

static void put32(struct nic_capture *capture, uint32_t value) {
    put(capture, &value, sizeof value);
}

static void put_option(struct nic_capture *capture, uint16_t code, const void *value, uint16_t length) {
    const uint16_t header[] = {code, length};
    put(capture, header, sizeof header);
    put(capture, value, length);
}

/* A block's length goes before and behind it. */
static uint32_t begin_block(struct nic_capture *capture, uint32_t type) {
    if (capture->used + BLOCK_MAX > BUFFER_BYTES)
        flush(capture);
    uint32_t at = capture->used;
    put32(capture, type);
    put32(capture, 0);
    return at;
}

static void end_block(struct nic_capture *capture, uint32_t at) {
    uint32_t length = capture->used - at + 4;
    memcpy(capture->buffer + at + 4, &length, sizeof length);
    put32(capture, length);
}

static void put_headers(struct nic_capture *capture, const char *name) {
    const uint64_t unknown = UINT64_MAX;
    const uint16_t version[] = {1, 0}, link[] = {LINK_ETHERNET, 0};
    const uint8_t nanoseconds = 9;
    uint32_t at = begin_block(capture, SECTION_HEADER);
    put32(capture, BYTE_ORDER_MAGIC);
    put(capture, version, sizeof version);
    put(capture, &unknown, sizeof unknown);
    end_block(capture, at);
    at = begin_block(capture, INTERFACE_DESCRIPTION);
    put(capture, link, sizeof link);
    put32(capture, 0); /* frames are whole */
    put_option(capture, OPTION_NAME, name, (uint16_t)strlen(name));
    put_option(capture, OPTION_RESOLUTION, &nanoseconds, sizeof nanoseconds);
    put32(capture, 0);
    end_block(capture, at);
    flush(capture);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void note(struct nic_capture *capture, const struct nic_frame *frame, uint32_t length,
                 uint32_t direction, uint64_t time_ns) {
    char comment[NIC_COMMENT_BYTES] = "";
    uint32_t left = length;
    for (int i = 0; i < frame->piece_count && left > 0; i++) {
        uint32_t here = frame->pieces[i].iov_len < left ? (uint32_t)frame->pieces[i].iov_len : left;
        memcpy(capture->frame + length - left, frame->pieces[i].iov_base, here);
        left -= here;
    }
    if (capture->describe)
        capture->describe(capture->frame, length, direction == OUTBOUND, frame->note, comment);
    uint32_t at = begin_block(capture, ENHANCED_PACKET);
    put32(capture, 0);
    put32(capture, (uint32_t)(time_ns >> 32));
    put32(capture, (uint32_t)time_ns);
    put32(capture, length);
    put32(capture, length);
    put(capture, capture->frame, length);
    if (comment[0])
        put_option(capture, OPTION_COMMENT, comment, (uint16_t)strlen(comment));
    put_option(capture, OPTION_FLAGS, &direction, sizeof direction);
    put32(capture, 0);
    end_block(capture, at);
}

static void note_all(struct nic_capture *capture, const struct nic_frame *frames, int count,
                     uint32_t direction, uint64_t time_ns) {
    for (int i = 0; i < count; i++) {
        uint32_t length = direction == OUTBOUND ? nic_length(&frames[i]) : frames[i].length;
        if (length > 0 && length <= NIC_FRAME_MAX)
            note(capture, &frames[i], length, direction, time_ns);
    }
    flush(capture);
}

static int capture_receive(struct nic *nic, struct nic_frame *frames, int count) {
    struct nic_capture *capture = capture_of(nic);
    int got = nic_receive(capture->inner, frames, count);
    uint64_t time_ns = now_ns();
    pthread_mutex_lock(&capture->lock);
    note_all(capture, frames, got, INBOUND, time_ns);
    pthread_mutex_unlock(&capture->lock);
    nic->trouble = capture->inner->trouble;
    return got;
}

/* The lock is held from before a frame leaves until it is noted, or its answer could be noted first. */
static int capture_send(struct nic *nic, const struct nic_frame *frames, int count) {
    struct nic_capture *capture = capture_of(nic);
    pthread_mutex_lock(&capture->lock);
    uint64_t time_ns = now_ns();
    int sent = nic_send(capture->inner, frames, count);
    note_all(capture, frames, sent, OUTBOUND, time_ns);
    pthread_mutex_unlock(&capture->lock);
    return sent;
}

static int capture_set_address(struct nic *nic, const uint8_t mac[6]) {
    return nic_set_address(capture_of(nic)->inner, mac);
}

static void capture_close(struct nic *nic) {
    struct nic_capture *capture = capture_of(nic);
    nic_close(capture->inner);
    close(capture->file);
    free(capture);
}

static const struct nic_operations OPERATIONS = {
    .receive = capture_receive,
    .send = capture_send,
    .set_address = capture_set_address,
    .close = capture_close,
};

struct nic *nic_capture(struct nic *inner, const char *path, const char *name, nic_describe *describe,
                        char *error) {
    struct nic_capture *capture = calloc(1, sizeof *capture);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (!capture || file < 0) {
        snprintf(error, NIC_ERROR_BYTES, "can't write --pcap %s: %s", path, strerror(errno));
        free(capture);
        return NULL;
    }
    capture->nic.operations = &OPERATIONS;
    capture->nic.facts = inner->facts;
    capture->nic.facts.features &=
        ~(unsigned)(NIC_SHARED | NIC_OFFLOAD | NIC_OFFLOAD_DATAGRAMS); /* all frames pass this process */
    capture->nic.descriptor = inner->descriptor;
    capture->inner = inner;
    capture->describe = describe;
    capture->file = file;
    pthread_mutex_init(&capture->lock, NULL);
    put_headers(capture, name);
    return &capture->nic;
}
