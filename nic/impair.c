/* SPDX-License-Identifier: MIT */
/*
 * impair.c - see impair.h.
 *
 * A frame that is not lost waits until the line is free (rate), then for the delay and its jitter. Frames
 * leave in the order in which they came, whatever their jitter, but for those that are reordered: these are
 * held back once more the delay, at least a millisecond. What is on its way is a heap, by the time at which
 * it leaves, and by age.
 */
#include "nic/impair.h"
#include "nic/nearest.h"
#include "nic/splitmix.h"
#include "nic/tso.h"
#include "nic/units.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLION 1000000u
#define HELD_BACK_NS UINT64_C(1000000)

struct travelling {
    uint64_t leaves_ns, order;
    uint8_t *bytes;
    uint32_t length;
};

struct impair {
    struct impair_spec spec;
    struct impair_counters counters;
    uint64_t random, order;
    uint64_t line_free_ns, last_leaves_ns;
    bool in_burst;
    struct travelling *heap;
    uint32_t count, room;
    uint64_t bytes; /* of all in the heap */
    /* When each frame that waits for the line will have left it, in order: a ring. */
    uint64_t *waiting;
    uint32_t waiting_first, waiting_count, waiting_room;
};

static bool happens(struct impair *impair, uint32_t millionths) {
    return millionths && splitmix64(&impair->random) % MILLION < millionths;
}

struct impair *impair_create(const struct impair_spec *spec, uint64_t seed) {
    struct impair *impair = calloc(1, sizeof *impair);
    if (!impair)
        return NULL;
    impair->spec = *spec;
    impair->random = seed;
    return impair;
}

void impair_destroy(struct impair *impair) {
    for (uint32_t i = 0; i < impair->count; i++)
        free(impair->heap[i].bytes);
    free(impair->heap);
    free(impair->waiting);
    free(impair);
}

static bool earlier(const struct travelling *a, const struct travelling *b) {
    return a->leaves_ns < b->leaves_ns || (a->leaves_ns == b->leaves_ns && a->order < b->order);
}

static void exchange(struct travelling *a, struct travelling *b) {
    struct travelling c = *a;
    *a = *b;
    *b = c;
}

static bool push(struct impair *impair, const struct travelling *frame) {
    if (impair->count == impair->room) {
        uint32_t room = impair->room ? impair->room * 2 : 64;
        struct travelling *grown = realloc(impair->heap, room * sizeof *grown);
        if (!grown)
            return false;
        impair->heap = grown;
        impair->room = room;
    }
    uint32_t at = impair->count++;
    impair->bytes += frame->length;
    impair->heap[at] = *frame;
    for (; at > 0 && earlier(&impair->heap[at], &impair->heap[(at - 1) / 2]); at = (at - 1) / 2)
        exchange(&impair->heap[at], &impair->heap[(at - 1) / 2]);
    return true;
}

static struct travelling pop(struct impair *impair) {
    struct travelling first = impair->heap[0], *heap = impair->heap;
    heap[0] = heap[--impair->count];
    for (uint32_t at = 0, child; (child = 2 * at + 1) < impair->count; at = child) {
        if (child + 1 < impair->count && earlier(&heap[child + 1], &heap[child]))
            child++;
        if (!earlier(&heap[child], &heap[at]))
            break;
        exchange(&heap[child], &heap[at]);
    }
    impair->bytes -= first.length;
    return first;
}

/* Losses come in bursts of `burst` frames on average, and are `loss` of all in the long run. */
static bool is_lost(struct impair *impair) {
    const struct impair_spec *spec = &impair->spec;
    if (spec->burst <= 1)
        return happens(impair, spec->loss);
    if (impair->in_burst)
        impair->in_burst = !happens(impair, MILLION / spec->burst);
    else if (spec->loss < MILLION)
        impair->in_burst = happens(
            impair, (uint32_t)((uint64_t)spec->loss * (MILLION / spec->burst) / (MILLION - spec->loss)));
    else
        impair->in_burst = true;
    return impair->in_burst;
}

static uint64_t line_time(const struct impair *impair, uint32_t length) {
    return (uint64_t)((double)length * 8e9 / (double)impair->spec.rate);
}

static uint64_t leaves_at(struct impair *impair, uint64_t now_ns, uint32_t length) {
    const struct impair_spec *spec = &impair->spec;
    uint64_t ready_ns = now_ns;
    if (spec->rate) {
        if (impair->line_free_ns > ready_ns)
            ready_ns = impair->line_free_ns;
        ready_ns += line_time(impair, length);
        impair->line_free_ns = ready_ns;
    }
    uint64_t delay_ns = spec->delay_ns;
    if (spec->jitter_ns) {
        uint64_t least = delay_ns > spec->jitter_ns ? delay_ns - spec->jitter_ns : 0;
        delay_ns = least + splitmix64(&impair->random) % (delay_ns + spec->jitter_ns - least + 1);
    }
    uint64_t leaves_ns = ready_ns + delay_ns;
    if (happens(impair, spec->reorder)) {
        impair->counters.reordered++;
        return leaves_ns + (spec->delay_ns > HELD_BACK_NS ? spec->delay_ns : HELD_BACK_NS);
    }
    if (leaves_ns < impair->last_leaves_ns)
        leaves_ns = impair->last_leaves_ns;
    impair->last_leaves_ns = leaves_ns;
    return leaves_ns;
}

/* Those that wait for the line now, and the one that is on it. */
static uint32_t count_waiting(struct impair *impair, uint64_t now_ns) {
    while (impair->waiting_count > 0 && impair->waiting[impair->waiting_first] <= now_ns) {
        impair->waiting_first = (impair->waiting_first + 1) % impair->waiting_room;
        impair->waiting_count--;
    }
    return impair->waiting_count;
}

static bool note_waiting(struct impair *impair, uint64_t until_ns) {
    if (impair->waiting_count == impair->waiting_room) {
        uint32_t room = impair->waiting_room ? impair->waiting_room * 2 : 64;
        uint64_t *grown = malloc(room * sizeof *grown);
        if (!grown)
            return false;
        for (uint32_t i = 0; i < impair->waiting_count; i++)
            grown[i] = impair->waiting[(impair->waiting_first + i) % impair->waiting_room];
        free(impair->waiting);
        impair->waiting = grown;
        impair->waiting_first = 0;
        impair->waiting_room = room;
    }
    impair->waiting[(impair->waiting_first + impair->waiting_count++) % impair->waiting_room] = until_ns;
    return true;
}

/* Whether there is no room for one more in the queue. */
static bool is_full(struct impair *impair, uint64_t now_ns, uint32_t length) {
    const struct impair_spec *spec = &impair->spec;
    if (impair->bytes + length > IMPAIR_BYTES_MAX)
        return true;
    if (!spec->rate)
        return spec->queue && impair->count >= spec->queue;
    if (spec->queue)
        return count_waiting(impair, now_ns) >= spec->queue;
    uint64_t limit_ns = spec->queue_ns, least_ns = line_time(impair, IMPAIR_QUEUE_LEAST * 1514);
    if (!limit_ns)
        limit_ns = IMPAIR_QUEUE_DEFAULT_NS > least_ns ? IMPAIR_QUEUE_DEFAULT_NS : least_ns;
    return impair->line_free_ns > now_ns + limit_ns;
}

static void send_on(struct impair *impair, uint64_t now_ns, const void *frame, uint32_t length) {
    if (is_full(impair, now_ns, length)) {
        impair->counters.overflowed++;
        return;
    }
    struct travelling travelling = {leaves_at(impair, now_ns, length), impair->order++, malloc(length),
                                    length};
    if (impair->spec.rate && impair->spec.queue)
        note_waiting(impair, impair->line_free_ns);
    if (!travelling.bytes)
        return;
    memcpy(travelling.bytes, frame, length);
    if (happens(impair, impair->spec.corrupt)) {
        impair->counters.corrupted++;
        impair_finish_checksum(travelling.bytes, length);
        travelling.bytes[splitmix64(&impair->random) % length] ^=
            (uint8_t)(1u << splitmix64(&impair->random) % 8);
    }
    if (!push(impair, &travelling))
        free(travelling.bytes);
}

static void put_one(struct impair *impair, uint64_t now_ns, const void *frame, uint32_t length) {
    impair->counters.frames++;
    if (is_lost(impair)) {
        impair->counters.lost++;
        return;
    }
    send_on(impair, now_ns, frame, length);
    if (happens(impair, impair->spec.duplicate)) {
        impair->counters.duplicated++;
        send_on(impair, now_ns, frame, length);
    }
}

void impair_put(struct impair *impair, uint64_t now_ns, const void *frame, uint32_t length) {
    if (length == 0)
        return;
    uint32_t parts = impair->spec.longest ? tso_segments(frame, length, impair->spec.longest) : 0;
    uint8_t *part = parts ? malloc(TSO_SEGMENT_MAX) : NULL;
    for (uint32_t i = 0; part && i < parts; i++)
        put_one(impair, now_ns, part, tso_segment(frame, length, impair->spec.longest, i, part));
    free(part);
    if (!parts)
        put_one(impair, now_ns, frame, length);
}

uint32_t impair_get(struct impair *impair, uint64_t now_ns, void *frame, uint32_t room) {
    while (impair->count > 0 && impair->heap[0].leaves_ns <= now_ns) {
        struct travelling first = pop(impair);
        bool fits = first.length <= room;
        if (fits)
            memcpy(frame, first.bytes, first.length);
        free(first.bytes);
        if (fits)
            return first.length;
    }
    return 0;
}

uint64_t impair_next(const struct impair *impair) {
    return impair->count > 0 ? impair->heap[0].leaves_ns : IMPAIR_NEVER;
}

const struct impair_counters *impair_count(const struct impair *impair) {
    return &impair->counters;
}

static uint32_t sum_of(const uint8_t *bytes, uint32_t length) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < length; i++)
        sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
    return sum;
}

static uint16_t fold(uint64_t sum) {
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

void impair_finish_checksum(uint8_t *frame, uint32_t length) {
    uint8_t *ip = frame + 14;
    if (length < 34 || frame[12] != 8 || frame[13] != 0 || ip[0] >> 4 != 4)
        return;
    uint32_t header = (ip[0] & 15) * 4u, total = (uint32_t)ip[2] << 8 | ip[3];
    uint32_t at = ip[9] == 6 ? 16 : ip[9] == 17 ? 6 : 0;
    if (!at || header < 20 || total > length - 14 || total < header + at + 2)
        return;
    uint8_t *field = ip + header + at;
    uint32_t payload = total - header;
    uint16_t pseudo = fold((uint64_t)sum_of(ip + 12, 8) + ip[9] + payload);
    if (((uint32_t)field[0] << 8 | field[1]) != pseudo)
        return;
    /* The sum over the rest, with the pseudo-header's, which stands in the field, in it. */
    uint16_t whole = (uint16_t)~fold(sum_of(ip + header, payload));
    field[0] = (uint8_t)(whole >> 8);
    field[1] = (uint8_t)whole;
}

/* What an item is, and what its value may be. */
struct item {
    const char *name;
    const struct unit *units;
    double most;
    size_t small, large; /* where it goes to in the specification, by its width; 0: it does not */
    const char *wants;
};

#define CHANCE(field) #field, chances, 1e6, offsetof(struct impair_spec, field), NONE
#define NONE SIZE_MAX

static const struct unit chances[] = {{"%", 1e4}, {NULL, 0}};
static const struct unit times[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {NULL, 0}};
static const struct unit rates[] = {{"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {NULL, 0}};
static const struct unit numbers[] = {{"", 1}, {NULL, 0}};

static const char A_CHANCE[] = ": a percentage is wanted, from 0% to 100%, such as 1%";
static const char A_TIME[] = ": a time with its unit is wanted, up to 60s: ns, us, ms or s, such as 20ms";

static const struct item items[] = {
    {CHANCE(loss), A_CHANCE},
    {CHANCE(duplicate), A_CHANCE},
    {CHANCE(reorder), A_CHANCE},
    {CHANCE(corrupt), A_CHANCE},
    {"burst", numbers, 1e6, offsetof(struct impair_spec, burst), NONE,
     ": a number of frames is wanted, such as 3"},
    {"queue", numbers, 1e6, offsetof(struct impair_spec, queue), NONE,
     ": a time such as 50ms is wanted, up to 60s, or a number of frames"},
    {"queue", times, 6e10, NONE, offsetof(struct impair_spec, queue_ns), NULL},
    {"delay", times, 6e10, NONE, offsetof(struct impair_spec, delay_ns), A_TIME},
    {"jitter", times, 6e10, NONE, offsetof(struct impair_spec, jitter_ns), A_TIME},
    {"rate", rates, 1e12, NONE, offsetof(struct impair_spec, rate),
     ": bits a second are wanted with their unit, up to 1000gbit: bit, kbit, mbit or gbit, such as 100mbit"},
};

static const char UNKNOWN[] =
    " is nothing known: there are loss, burst, duplicate, reorder, corrupt, delay, jitter, "
    "rate, queue and seed";

/* Returns NULL, or what is wrong with it. */
static const char *read_item(struct impair_spec *spec, const char *name, const char *text) {
    const char *wrong = UNKNOWN;
    double value;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        const struct item *item = &items[i];
        if (strcmp(item->name, name) != 0)
            continue;
        wrong = item->wants ? item->wants : wrong;
        if (!units_read(text, item->units, item->most, &value) || (value < 1 && strcmp(name, "queue") == 0))
            continue;
        if (strcmp(name, "queue") == 0)
            spec->queue_ns = spec->queue = 0; /* what was said before */
        if (item->small != NONE)
            *(uint32_t *)((char *)spec + item->small) = (uint32_t)value;
        else
            *(uint64_t *)((char *)spec + item->large) = (uint64_t)value;
        return NULL;
    }
    return wrong;
}

static const char *read_seed(uint64_t *seed, const char *text) {
    char *end;
    *seed = strtoull(text, &end, 10);
    return *end || !*text || *text == '-' ? ": a number is wanted, such as 7" : NULL;
}

/* `wrong` follows the item, whose name is at `name`. */
static bool fail(char *error, const char *item, const char *name, const char *wrong) {
    char hint[NEAREST_HINT_BYTES] = "";
    struct nearest near;
    if (wrong == UNKNOWN) {
        nearest_begin(&near, name, strlen(name));
        for (size_t i = 0; i < sizeof items / sizeof *items; i++)
            nearest_try(&near, items[i].name);
        nearest_try(&near, "seed");
        nearest_hint(&near, "", hint);
    }
    snprintf(error, IMPAIR_ERROR_BYTES, "--impair: '%.60s'%s%s", item, wrong, hint);
    return false;
}

bool impair_parse(const char *text, struct impair_specs *specs, char *error) {
    char copy[512], *rest = copy, *item;
    *specs = (struct impair_specs){0};
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        return fail(error, text, "", ": it is too long");
    while ((item = strsep(&rest, ","))) {
        char whole[512];
        snprintf(whole, sizeof whole, "%s", item);
        bool out = strncmp(item, "rx:", 3) != 0, in = strncmp(item, "tx:", 3) != 0;
        if (!out || !in)
            item += 3;
        char *value = strchr(item, '=');
        if (!value)
            return fail(error, whole, "", ": NAME=VALUE is wanted, such as loss=1% or delay=20ms");
        *value++ = 0;
        const char *wrong = NULL;
        if (strcmp(item, "seed") == 0)
            wrong = out && in ? read_seed(&specs->seed, value)
                              : ": the seed is of both directions: no tx: or rx:";
        else if (out)
            wrong = read_item(&specs->out, item, value);
        if (!wrong && in && strcmp(item, "seed") != 0)
            wrong = read_item(&specs->in, item, value);
        if (wrong)
            return fail(error, whole, item, wrong);
    }
    return true;
}
