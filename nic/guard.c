/* SPDX-License-Identifier: MIT */
/*
 * guard.c - see guard.h.
 *
 * The bytes that are looked at are copied first and sent from the copy: who shares the memory could change
 * them in between.
 */
#include "nic/guard.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ETHERNET_BYTES 14u
#define COPIED 256u /* all headers of a frame with offloads; of others their start */
#define AT_ONCE 32
#define PIECES_MAX 48

struct nic_guard {
    struct nic nic;
    struct nic *inner;
    uint8_t mac[6];
    _Atomic uint32_t address;
    uint32_t (*ask)(void);
    /* One thread sends at a time. */
    struct nic_frame frames[AT_ONCE];
    struct iovec pieces[AT_ONCE][PIECES_MAX + 1];
    uint8_t starts[AT_ONCE][COPIED];
};

static struct nic_guard *guard_of(struct nic *nic) {
    return (struct nic_guard *)nic;
}

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

bool guard_lets(const uint8_t *start, size_t length, const uint8_t mac[6], uint32_t address) {
    const uint8_t *packet = start + ETHERNET_BYTES;
    if (length < ETHERNET_BYTES + 20 || memcmp(start + 6, mac, 6) != 0)
        return false;
    uint32_t source;
    if (start[12] == 8 && start[13] == 0) {
        source = get32(packet + 12);
    } else if (start[12] == 8 && start[13] == 6) {
        if (memcmp(packet + 8, mac, 6) != 0)
            return false;
        source = get32(packet + 14);
    } else {
        return false;
    }
    return source == 0 || source == address;
}

static bool lets(struct nic_guard *guard, const uint8_t *start, size_t length) {
    uint32_t known = guard->address;
    if (guard_lets(start, length, guard->mac, known))
        return true;
    if (guard->ask)
        guard->address = guard->ask();
    return guard->address != known && guard_lets(start, length, guard->mac, guard->address);
}

/* Makes frame `at` of a copy, if it may leave. */
static bool take_frame(struct nic_guard *guard, int at, const struct nic_frame *given) {
    size_t first = given->piece_count > 0 ? given->pieces[0].iov_len : 0,
           copied = first < COPIED ? first : COPIED;
    if (copied == 0 || given->piece_count > PIECES_MAX)
        return false;
    memcpy(guard->starts[at], given->pieces[0].iov_base, copied);
    if (!lets(guard, guard->starts[at], copied))
        return false;
    struct iovec *pieces = guard->pieces[at];
    int count = 0;
    pieces[count++] = (struct iovec){guard->starts[at], copied};
    if (first > copied)
        pieces[count++] = (struct iovec){(char *)given->pieces[0].iov_base + copied, first - copied};
    memcpy(pieces + count, given->pieces + 1, (size_t)(given->piece_count - 1) * sizeof *pieces);
    guard->frames[at] = *given;
    guard->frames[at].pieces = pieces;
    guard->frames[at].piece_count = given->piece_count - 1 + count;
    return true;
}

/* What may not leave counts as sent: it is lost. */
static int guard_send(struct nic *nic, const struct nic_frame *frames, int count) {
    struct nic_guard *guard = guard_of(nic);
    int behind[AT_ONCE + 1] = {0}; /* how many of `frames` are done with once so many were sent */
    int taken = 0, looked = 0;
    for (; looked < count && taken < AT_ONCE; looked++) {
        behind[taken] = looked;
        if (take_frame(guard, taken, &frames[looked]))
            taken++;
    }
    behind[taken] = looked;
    int sent = taken > 0 ? nic_send(guard->inner, guard->frames, taken) : 0;
    return sent > 0 || taken == 0 ? behind[sent] : behind[0] > 0 ? behind[0] : sent;
}

static int guard_receive(struct nic *nic, struct nic_frame *frames, int count) {
    struct nic_guard *guard = guard_of(nic);
    int result = nic_receive(guard->inner, frames, count);
    nic->counters = guard->inner->counters;
    nic->trouble = guard->inner->trouble;
    return result;
}

static int guard_set_address(struct nic *nic, const uint8_t mac[6]) {
    memcpy(guard_of(nic)->mac, mac, 6);
    return nic_set_address(guard_of(nic)->inner, mac);
}

static void guard_close(struct nic *nic) {
    nic_close(guard_of(nic)->inner);
    free(nic);
}

static const struct nic_operations OPERATIONS = {
    .receive = guard_receive,
    .send = guard_send,
    .set_address = guard_set_address,
    .close = guard_close,
};

struct nic *nic_guard(struct nic *inner) {
    struct nic_guard *guard = calloc(1, sizeof *guard);
    if (!guard)
        return NULL;
    guard->nic =
        (struct nic){.operations = &OPERATIONS, .facts = inner->facts, .descriptor = inner->descriptor};
    guard->nic.facts.features &= ~(unsigned)NIC_SHARED;
    guard->inner = inner;
    return &guard->nic;
}

void guard_allow(struct nic *guard, uint32_t address) {
    guard_of(guard)->address = address;
}

void guard_ask(struct nic *guard, uint32_t (*address)(void)) {
    guard_of(guard)->ask = address;
}
