/*
 * impair.c - see impair.h.
 *
 * A frame that is not lost waits until the line is free (rate), then for the delay and its jitter. Frames
 * leave in the order in which they came, whatever their jitter, but for those that are reordered: these are
 * held back once more the delay, at least a millisecond. What is on its way is a heap, by the time at which
 * it leaves, and by age.
 */
#include "impair.h"
#include "quantity.h"
#include "splitmix.h"
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

static uint64_t leaves_at(struct impair *impair, uint64_t now_ns, uint32_t length) {
    const struct impair_spec *spec = &impair->spec;
    uint64_t ready_ns = now_ns;
    if (spec->rate) {
        if (impair->line_free_ns > ready_ns)
            ready_ns = impair->line_free_ns;
        ready_ns += (uint64_t)((double)length * 8e9 / (double)spec->rate);
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

static void send_on(struct impair *impair, uint64_t now_ns, const void *frame, uint32_t length) {
    if (impair->count >= impair->spec.queue) {
        impair->counters.overflowed++;
        return;
    }
    struct travelling travelling = {leaves_at(impair, now_ns, length), impair->order++, malloc(length),
                                    length};
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

void impair_put(struct impair *impair, uint64_t now_ns, const void *frame, uint32_t length) {
    impair->counters.frames++;
    if (length == 0)
        return;
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

static bool fail(char *error, const char *item) {
    snprintf(error, IMPAIR_ERROR_BYTES,
             "--impair: '%.60s' is nothing known; an example is "
             "loss=1%%,delay=20ms,jitter=5ms,rate=100mbit,seed=7",
             item);
    return false;
}

static bool read_item(struct impair_spec *spec, const char *name, const char *text) {
    static const struct unit chances[] = {{"%", 1e4}, {NULL, 0}};
    static const struct unit times[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {NULL, 0}};
    static const struct unit rates[] = {{"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {NULL, 0}};
    static const struct unit numbers[] = {{"", 1}, {NULL, 0}};
    const struct {
        const char *name;
        const struct unit *units;
        double most;
        uint32_t *small;
        uint64_t *large;
    } items[] = {
        {"loss", chances, 1e6, &spec->loss, NULL},       {"duplicate", chances, 1e6, &spec->duplicate, NULL},
        {"reorder", chances, 1e6, &spec->reorder, NULL}, {"corrupt", chances, 1e6, &spec->corrupt, NULL},
        {"burst", numbers, 1e6, &spec->burst, NULL},     {"queue", numbers, 1e5, &spec->queue, NULL},
        {"delay", times, 6e10, NULL, &spec->delay_ns},   {"jitter", times, 6e10, NULL, &spec->jitter_ns},
        {"rate", rates, 1e12, NULL, &spec->rate},
    };
    double value;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        if (strcmp(items[i].name, name) != 0)
            continue;
        if (!quantity_read(text, items[i].units, items[i].most, &value))
            return false;
        if (items[i].small)
            *items[i].small = (uint32_t)value;
        else
            *items[i].large = (uint64_t)value;
        return true;
    }
    return false;
}

bool impair_parse(const char *text, struct impair_specs *specs, char *error) {
    char copy[512], *rest = copy, *item;
    *specs = (struct impair_specs){.out.queue = IMPAIR_QUEUE_DEFAULT, .in.queue = IMPAIR_QUEUE_DEFAULT};
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        return fail(error, "so much");
    while ((item = strsep(&rest, ","))) {
        char whole[512];
        snprintf(whole, sizeof whole, "%s", item);
        bool out = strncmp(item, "rx:", 3) != 0, in = strncmp(item, "tx:", 3) != 0;
        if (!out || !in)
            item += 3;
        char *value = strchr(item, '=');
        if (!value)
            return fail(error, whole);
        *value++ = 0;
        if (strcmp(item, "seed") == 0 && out && in && *value) {
            char *end;
            specs->seed = strtoull(value, &end, 10);
            if (*end)
                return fail(error, whole);
            continue;
        }
        if ((out && !read_item(&specs->out, item, value)) || (in && !read_item(&specs->in, item, value)))
            return fail(error, whole);
    }
    return true;
}
