/* SPDX-License-Identifier: MIT */
/*
 * bad_link.c - a bad link between two interfaces, for whatever stack: bad_link IF_A IF_B IMPAIRMENT.
 *
 * Frames that come in on one leave by the other as nic/impair.h says (`tx:` is from A to B). Runs until it is
 * ended.
 */
#include "nic/impair.h"
#include "nic/nic.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint8_t bytes[NIC_FRAME_MAX];

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void take(struct nic *nic, struct impair *impair) {
    struct iovec piece = {bytes, sizeof bytes};
    for (int i = 0; i < 1000; i++) {
        struct nic_frame frame = {.pieces = &piece, .piece_count = 1};
        if (nic_receive(nic, &frame, 1) != 1)
            return;
        impair_finish_checksum(bytes, frame.length);
        impair_put(impair, now_ns(), bytes, frame.length);
    }
}

static void give(struct nic *nic, struct impair *impair) {
    uint32_t length;
    while ((length = impair_get(impair, now_ns(), bytes, sizeof bytes))) {
        struct iovec piece = {bytes, length};
        struct nic_frame frame = {.pieces = &piece, .piece_count = 1};
        nic_send(nic, &frame, 1);
    }
}

int main(int count, char **arguments) {
    char error[NIC_ERROR_BYTES + IMPAIR_ERROR_BYTES] = "three arguments are wanted";
    struct impair_specs specs;
    struct nic *a = NULL, *b = NULL;
    if (count != 4 || !impair_parse(arguments[3], &specs, error) || !(a = nic_open(arguments[1], error)) ||
        !(b = nic_open(arguments[2], error))) {
        fprintf(stderr, "bad_link: %s\n", error);
        return 2;
    }
    struct impair *there = impair_create(&specs.out, specs.seed),
                  *back = impair_create(&specs.in, specs.seed + 1);
    if (!there || !back)
        return 1;
    for (;;) {
        uint64_t next_ns = impair_next(there) < impair_next(back) ? impair_next(there) : impair_next(back);
        uint64_t now = now_ns(), wait_ns = next_ns <= now ? 0 : next_ns - now;
        struct timespec wait = {(time_t)(wait_ns / 1000000000), (long)(wait_ns % 1000000000)};
        struct pollfd polls[] = {{.fd = a->descriptor, .events = POLLIN},
                                 {.fd = b->descriptor, .events = POLLIN}};
        ppoll(polls, 2, next_ns == IMPAIR_NEVER ? NULL : &wait, NULL);
        take(a, there);
        take(b, back);
        give(b, there);
        give(a, back);
    }
}
