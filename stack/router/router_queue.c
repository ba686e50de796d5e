/* SPDX-License-Identifier: MIT */
/*
 * router_queue.c - see router_queue.h.
 */
#include "stack/router/router_queue.h"
#include "stack/base/checksum.h"
#include "stack/base/minmax.h"

#define CODEL_TARGET_NS UINT64_C(5000000) /* RFC 8289 section 4.3, 4.2 */
#define CODEL_INTERVAL_NS UINT64_C(100000000)
#define CODEL_RECENT 16u /* intervals in which the drop rate is remembered */
#define RED_WEIGHT 0.002
#define RED_MOST 0.1 /* of packets that are marked at the upper threshold */

static uint64_t line_ns(const struct router_queue *queue, uint64_t bytes) {
    uint64_t rate = queue->config.rate;
    return rate ? bytes * 8 / rate * 1000000000 + bytes * 8 % rate * 1000000000 / rate : 0;
}

static uint64_t limit_ns(const struct router_queue *queue) {
    return queue->config.limit_ns ? queue->config.limit_ns : ROUTER_QUEUE_DEFAULT_NS;
}

static bool has_room(const struct router_queue *queue, const struct router_packet *packet) {
    if (queue->count == 0)
        return true; /* a packet at least may wait, whatever the limit */
    if (queue->count >= ROUTER_QUEUE_PACKETS_MAX)
        return false;
    if (queue->config.packets)
        return queue->count < queue->config.packets;
    return !queue->config.rate || line_ns(queue, queue->bytes + packet->length) <= limit_ns(queue);
}

bool router_mark_congestion(uint8_t *ip) {
    bool v4 = ip[0] >> 4 == 4;
    uint8_t ecn = v4 ? ip[1] & 3 : ip[1] >> 4 & 3;
    if (ecn == 0)
        return false;
    if (!v4) {
        ip[1] |= 0x30;
        return true;
    }
    ip[1] |= 3;
    wire_put16(ip + 10, 0);
    wire_put_sum(ip + 10, (uint16_t)~checksum_fold(checksum_header(ip, (ip[0] & 15u) * 4)));
    return true;
}

static bool is_ip(const struct router_packet *packet) {
    uint16_t type = wire_get16(packet->frame + 12);
    return type == ETHER_TYPE_IP || type == ETHER_TYPE_IP6;
}

/* True: the packet is marked, and goes on; false: it is to be dropped. */
static bool mark(struct router_queue *queue, struct router_packet *packet) {
    bool marked = queue->config.ecn && is_ip(packet) && router_mark_congestion(router_packet_ip(packet));
    queue->counters.marked += marked;
    queue->counters.dropped += !marked;
    return marked;
}

/* The bytes that the limit comes to, for RED's thresholds. */
static double red_limit(const struct router_queue *queue) {
    if (queue->config.packets)
        return (double)queue->config.packets * ROUTER_FRAME_MAX;
    if (queue->config.rate)
        return (double)limit_ns(queue) * (double)queue->config.rate / 8e9;
    return (double)ROUTER_QUEUE_PACKETS_MAX * ROUTER_FRAME_MAX;
}

/* Floyd and Jacobson's algorithm, with the gentle slope above the upper threshold. True: this one is to be
 * marked or dropped. The thresholds are a sixth and a half of the limit. */
static bool red_hits(struct router_queue *queue, struct random *random, uint64_t now_ns) {
    struct router_red *red = &queue->red;
    double limit = red_limit(queue), least = limit / 6, most = limit / 2, chance;
    if (red->idle_ns && queue->config.rate) {
        uint64_t packets = (now_ns - red->idle_ns) / (line_ns(queue, ROUTER_FRAME_MAX) + 1);
        for (uint64_t i = 0; i < packets && i < 4096; i++)
            red->average *= 1 - RED_WEIGHT;
    }
    red->idle_ns = 0;
    red->average += RED_WEIGHT * ((double)queue->bytes - red->average);
    if (red->average < least) {
        red->since = -1;
        return false;
    }
    if (red->average < most)
        chance = RED_MOST * (red->average - least) / (most - least);
    else if (red->average < 2 * most)
        chance = RED_MOST + (1 - RED_MOST) * (red->average - most) / most;
    else
        chance = 1;
    red->since++;
    double spread = 1 - (double)red->since * chance;
    chance = spread > 0 ? chance / spread : 1;
    if ((double)(random_u64(random) >> 11) * 0x1p-53 >= chance)
        return false;
    red->since = 0;
    return true;
}

void router_queue_put(struct router_queue *queue, struct router_packets *packets, struct random *random,
                      uint64_t now_ns, struct router_packet *packet) {
    bool hit = queue->config.aqm == ROUTER_RED && red_hits(queue, random, now_ns);
    bool room = has_room(queue, packet);
    if (!room || (hit && !mark(queue, packet))) {
        queue->counters.overflowed += !room;
        router_packet_free(packets, packet);
        return;
    }
    packet->since_ns = now_ns;
    packet->next = NULL;
    if (queue->first)
        queue->last->next = packet;
    else
        queue->first = packet;
    queue->last = packet;
    queue->count++;
    queue->bytes += packet->length;
}

static struct router_packet *pop(struct router_queue *queue, uint64_t now_ns) {
    struct router_packet *packet = queue->first;
    if (!packet)
        return NULL;
    queue->first = packet->next;
    queue->count--;
    queue->bytes -= packet->length;
    if (!queue->first)
        queue->red.idle_ns = now_ns;
    return packet;
}

/* RFC 8289 section 5.6: whether the delay of a packet that is about to leave has been above the target for an
 * interval. */
static bool codel_is_late(struct router_queue *queue, const struct router_packet *packet, uint64_t now_ns) {
    struct router_codel *codel = &queue->codel;
    uint64_t target_ns = max_u64(CODEL_TARGET_NS, line_ns(queue, ROUTER_FRAME_MAX * 3 / 2));
    if (!packet || now_ns - packet->since_ns < target_ns || queue->bytes <= ROUTER_FRAME_MAX) {
        codel->first_above_ns = 0;
        return false;
    }
    if (!codel->first_above_ns) {
        codel->first_above_ns = now_ns + CODEL_INTERVAL_NS;
        return false;
    }
    return now_ns >= codel->first_above_ns;
}

static uint64_t square_root(uint64_t value) {
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1)
        if ((root + bit) * (root + bit) <= value)
            root += bit;
    return root;
}

static uint64_t codel_after(uint64_t from_ns, uint32_t count) {
    return from_ns + CODEL_INTERVAL_NS * 1024 / square_root((uint64_t)count << 20);
}

/* In the dropping state, with a packet that is late: drops what is due, until one is not late or nothing is due. */
static struct router_packet *codel_go_on(struct router_queue *queue, struct router_packets *packets,
                                         struct router_packet *packet, uint64_t now_ns) {
    struct router_codel *codel = &queue->codel;
    while (codel->dropping && now_ns >= codel->drop_next_ns) {
        codel->count++;
        bool marked = mark(queue, packet);
        if (!marked) {
            router_packet_free(packets, packet);
            packet = pop(queue, now_ns);
            codel->dropping = codel_is_late(queue, packet, now_ns);
        }
        if (codel->dropping)
            codel->drop_next_ns = codel_after(codel->drop_next_ns, codel->count);
        if (marked)
            break;
    }
    return packet;
}

/* RFC 8289 section 5.5. */
static struct router_packet *codel_take(struct router_queue *queue, struct router_packets *packets,
                                        uint64_t now_ns) {
    struct router_codel *codel = &queue->codel;
    struct router_packet *packet = pop(queue, now_ns);
    bool late = codel_is_late(queue, packet, now_ns);
    if (codel->dropping) {
        codel->dropping = late;
        return codel->dropping ? codel_go_on(queue, packets, packet, now_ns) : packet;
    }
    if (!late)
        return packet;
    if (!mark(queue, packet)) {
        router_packet_free(packets, packet);
        packet = pop(queue, now_ns);
        codel_is_late(queue, packet, now_ns);
    }
    uint32_t delta = codel->count - codel->last_count;
    bool recent = now_ns < codel->drop_next_ns + CODEL_RECENT * CODEL_INTERVAL_NS;
    codel->dropping = true;
    codel->count = delta > 1 && recent ? delta : 1;
    codel->drop_next_ns = codel_after(now_ns, codel->count);
    codel->last_count = codel->count;
    return packet;
}

struct router_packet *router_queue_take(struct router_queue *queue, struct router_packets *packets,
                                        uint64_t now_ns) {
    if (!queue->first || now_ns < queue->line_free_ns)
        return NULL;
    bool codel = queue->config.aqm == ROUTER_CODEL;
    struct router_packet *packet = codel ? codel_take(queue, packets, now_ns) : pop(queue, now_ns);
    if (!packet)
        return NULL;
    /* A line that was busy goes on without a gap, though who looks after it comes a little late. */
    uint64_t from_ns = max_u64(queue->line_free_ns, packet->since_ns);
    queue->line_free_ns = from_ns + line_ns(queue, packet->length);
    queue->counters.packets++;
    queue->counters.bytes += packet->length;
    queue->counters.delay_ns_most = max_u64(queue->counters.delay_ns_most, now_ns - packet->since_ns);
    return packet;
}

uint64_t router_queue_next(const struct router_queue *queue) {
    return queue->first ? max_u64(queue->line_free_ns, queue->first->since_ns) : ROUTER_NEVER;
}
