/* SPDX-License-Identifier: MIT */
/*
 * test_replay.c - a recording does again what was done, and is not believed: replay.c.
 */
#include "nic/splitmix.h"
#include "stack/memory/pool_poison.h"
#include "stack/replay.h"
#include "tests/unit/pair.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FILE_MAX (HOST_RECORD_BYTES + 64)

struct recording {
    uint8_t *bytes;
    size_t size;
    struct recorder *ring;
};

static void recording_begins(struct recording *recording) {
    recording->ring = calloc(1, HOST_RECORD_BYTES);
    host_record = recording->ring;
}

/* Makes a file of it. */
static void recording_ends(struct recording *recording) {
    const struct record_head head = {RECORD_MAGIC, 7, sizeof(struct stack)};
    struct iovec pieces[2];
    assert_false(recording->ring->lost);
    recording->bytes = malloc(FILE_MAX);
    memcpy(recording->bytes, &head, sizeof head);
    int count = record_pending(recording->ring, pieces);
    recording->size = sizeof head;
    for (int i = 0; i < count; i++) {
        memcpy(recording->bytes + recording->size, pieces[i].iov_base, pieces[i].iov_len);
        recording->size += pieces[i].iov_len;
    }
    free(recording->ring);
}

struct replayed {
    struct replay replay;
    void *mapped;
    enum replay_outcome outcome;
    uint64_t hash; /* of all frames */
};

static void see(void *context, const struct frame *frame) {
    struct replayed *replayed = context;
    replayed->hash = replayed->hash * 31 + record_hash(frame);
}

static struct replayed *run(const void *bytes, size_t size, uint64_t calls) {
    struct replayed *replayed = calloc(1, sizeof *replayed);
    replayed->mapped = mmap(NULL, HOST_REGION_BYTES + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uintptr_t at =
        ((uintptr_t)replayed->mapped + ARENA_BLOCK_BYTES - 1) & ~(uintptr_t)(ARENA_BLOCK_BYTES - 1);
    replayed->outcome = REPLAY_INVALID;
    if (!replay_begin(&replayed->replay, bytes, size, 7, (void *)at, HOST_REGION_BYTES))
        return replayed;
    replayed->replay.sent = see;
    replayed->replay.context = replayed;
    do
        replayed->outcome = replay_step(&replayed->replay);
    while (replayed->outcome == REPLAY_GOES_ON && replayed->replay.calls < calls);
    return replayed;
}

static void done(struct replayed *replayed) {
    pool_poison_not(replayed->mapped, HOST_REGION_BYTES + ARENA_BLOCK_BYTES); /* the next one may lie there */
    munmap(replayed->mapped, HOST_REGION_BYTES + ARENA_BLOCK_BYTES);
    free(replayed);
}

static bool loses_some(const struct seen *seen, bool from_a, void *context) {
    (void)from_a;
    return seen->length > 100 && splitmix64(context) % 20 == 0;
}

/* A connection on a bad cable, with a transfer each way, as host A sees it. */
static void record_a_transfer(struct recording *recording) {
    struct pair pair;
    uint64_t chance = 1;
    recording_begins(recording);
    pair_open(&pair, 10 * MS);
    pair.cable.loses = loses_some;
    pair.cable.context = &chance;
    transfer(&pair, pair.client, pair.server, true, 300000, 600 * SECOND);
    transfer(&pair, pair.server, pair.client, false, 100000, 600 * SECOND);
    assert_int_equal(socket_shutdown(pair.a.stack, pair.client, SHUT_WR), 0);
    cable_run(&pair.cable, SECOND);
    socket_release(pair.a.stack, pair.client);
    socket_release(pair.b.stack, pair.server);
    assert_true(pair.a.stack->mib.TcpRetransSegs > 0);
    pair_close(&pair);
    recording_ends(recording);
}

static void a_transfer_with_losses_sends_the_same_frames_again(void **state) {
    struct recording recording;
    (void)state;
    record_a_transfer(&recording);
    struct replayed *first = run(recording.bytes, recording.size, UINT64_MAX);
    if (first->outcome != REPLAY_ENDED)
        print_message("%s\n", first->replay.message);
    assert_int_equal(first->outcome, REPLAY_ENDED);
    assert_true((int)first->replay.frames > (getenv("BAREWIRE_OFFLOAD") ? 50 : 200)); /* trains are fewer */
    assert_true(first->replay.stack->mib.TcpRetransSegs > 0);
    struct replayed *second = run(recording.bytes, recording.size, UINT64_MAX);
    assert_int_equal(second->replay.frames, first->replay.frames);
    assert_true(second->hash == first->hash);
    done(first);
    done(second);
    free(recording.bytes);
}

static void datagrams_and_a_listener_do_the_same_again(void **state) {
    struct recording recording;
    struct pair pair;
    uint8_t bytes[4000] = {1, 2, 3};
    (void)state;
    pair.a = host_create(HOST_A, 1500);
    recording_begins(&recording);
    pair.b = host_create(HOST_B, 1500);
    cable_join(&pair.cable, &pair.a, &pair.b, MS);
    cable_connect(&pair.cable, 80, &pair.client, &pair.server, &pair.listener);
    transfer(&pair, pair.client, pair.server, true, 10000, 600 * SECOND);
    struct socket *out = make_socket(&pair.b, SOCK_DGRAM, 0, 9);
    struct iovec piece = {bytes, sizeof bytes};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(HOST_A), .port = 9};
    assert_int_equal(set_option(&pair.b, out, SOL_SOCKET, SO_BROADCAST, 1), 0);
    assert_int_equal(socket_send(pair.b.stack, out, &message), (int)sizeof bytes);
    cable_run(&pair.cable, SECOND); /* the answer is an error of ICMP */
    socket_release(pair.b.stack, out);
    socket_release(pair.a.stack, pair.client);
    socket_release(pair.b.stack, pair.server);
    pair_close(&pair);
    recording_ends(&recording);
    struct replayed *replayed = run(recording.bytes, recording.size, UINT64_MAX);
    if (replayed->outcome != REPLAY_ENDED)
        print_message("%s\n", replayed->replay.message);
    assert_int_equal(replayed->outcome, REPLAY_ENDED);
    assert_true(replayed->replay.frames > 10);
    done(replayed);
    free(recording.bytes);
}

static void a_replay_to_an_earlier_call_is_what_the_stack_was_then(void **state) {
    struct recording recording;
    (void)state;
    record_a_transfer(&recording);
    struct replayed *whole = run(recording.bytes, recording.size, UINT64_MAX);
    struct replayed *half = run(recording.bytes, recording.size, whole->replay.calls / 2);
    struct replayed *less = run(recording.bytes, recording.size, whole->replay.calls / 2 - 1);
    struct replayed *again = run(recording.bytes, recording.size, whole->replay.calls / 2);
    assert_int_equal(half->replay.calls, less->replay.calls + 1);
    assert_int_equal(half->outcome, REPLAY_GOES_ON);
    assert_true(half->hash == again->hash);
    assert_memory_equal(&half->replay.stack->mib, &again->replay.stack->mib, sizeof(struct mib));
    done(whole);
    done(half);
    done(less);
    done(again);
    free(recording.bytes);
}

/* The n-th entry of a kind, from 0; NULL: there is none. */
static struct record_entry *find_entry(const struct recording *recording, enum record_door door, int n) {
    for (size_t at = sizeof(struct record_head); at < recording->size;) {
        struct record_entry *entry = (struct record_entry *)(recording->bytes + at);
        if (entry->door == door && n-- == 0)
            return entry;
        at += sizeof *entry + ((entry->length + 7) & ~7u);
    }
    return NULL;
}

static void a_stack_that_does_something_else_is_found_out(void **state) {
    struct recording recording;
    (void)state;
    record_a_transfer(&recording);
    struct record_entry *sent = find_entry(&recording, RECORD_SEND, 0);
    assert_non_null(sent);
    uint8_t *last = (uint8_t *)(sent + 1) + sent->length - 1;
    *last ^= 1;
    struct replayed *replayed = run(recording.bytes, recording.size, UINT64_MAX);
    assert_int_equal(replayed->outcome, REPLAY_DIVERGED);
    assert_non_null(strstr(replayed->replay.message, "frame"));
    done(replayed);
    *last ^= 1;
    struct record_entry *returned = find_entry(&recording, RECORD_RESULT, 9);
    returned->socket++;
    replayed = run(recording.bytes, recording.size, UINT64_MAX);
    assert_int_equal(replayed->outcome, REPLAY_DIVERGED);
    assert_non_null(strstr(replayed->replay.message, "returned"));
    done(replayed);
    free(recording.bytes);
}

static void one_that_is_cut_off_anywhere_ends_there(void **state) {
    struct recording recording;
    (void)state;
    record_a_transfer(&recording);
    for (size_t size = 0; size < 3000; size += 7) {
        uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees a look beyond */
        memcpy(exact, recording.bytes, size);
        struct replayed *replayed = run(exact, size, UINT64_MAX);
        assert_true(replayed->outcome == REPLAY_ENDED ||
                    (replayed->outcome == REPLAY_INVALID && size < sizeof(struct record_head)));
        done(replayed);
        free(exact);
    }
    free(recording.bytes);
}

static void one_of_another_build_is_refused(void **state) {
    struct recording recording;
    (void)state;
    record_a_transfer(&recording);
    ((struct record_head *)recording.bytes)->build++;
    struct replayed *replayed = run(recording.bytes, recording.size, UINT64_MAX);
    assert_int_equal(replayed->outcome, REPLAY_INVALID);
    assert_non_null(strstr(replayed->replay.message, "another version"));
    done(replayed);
    free(recording.bytes);
}

/* Bytes of its entries, but for frames' and data's own, are anything. */
static void a_hostile_one_does_no_harm(void **state) {
    struct recording recording;
    uint64_t chance = 3;
    unsigned outcomes[REPLAY_INVALID + 1] = {0};
    (void)state;
    record_a_transfer(&recording);
    size_t size = recording.size < 60000 ? recording.size : 60000;
    uint8_t *bytes = malloc(size);
    for (int round = 0; round < 400; round++) {
        memcpy(bytes, recording.bytes, size);
        for (int i = 0; i < 1 + round % 8; i++) {
            uint64_t at =
                sizeof(struct record_head) + splitmix64(&chance) % (size - sizeof(struct record_head));
            bytes[at] = (uint8_t)splitmix64(&chance);
        }
        struct replayed *replayed = run(bytes, size, UINT64_MAX);
        outcomes[replayed->outcome]++;
        done(replayed);
    }
    assert_true(outcomes[REPLAY_DIVERGED] > 0 && outcomes[REPLAY_INVALID] > 0);
    free(bytes);
    free(recording.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transfer_with_losses_sends_the_same_frames_again),
        cmocka_unit_test(datagrams_and_a_listener_do_the_same_again),
        cmocka_unit_test(a_replay_to_an_earlier_call_is_what_the_stack_was_then),
        cmocka_unit_test(a_stack_that_does_something_else_is_found_out),
        cmocka_unit_test(one_that_is_cut_off_anywhere_ends_there),
        cmocka_unit_test(one_of_another_build_is_refused),
        cmocka_unit_test(a_hostile_one_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
