/* SPDX-License-Identifier: MIT */
/*
 * lan_segment.c - see lan_segment.h.
 *
 * Theory of operation. On a hub, a station begins to send when it hears nobody. Another that begins before
 * the first one's signal has reached it collides with it: both send a jam, and try again after a random time
 * that doubles with each collision. Beginnings are dealt with in the order of time, and a frame that has come
 * to its end unharmed is put on its way to everybody else. On a switch, a frame comes in at its sender's
 * rate, is looked at when it is there as a whole, and waits for its way out to be free.
 *
 * Chance is of a station, by its address, and of one of its frames or collisions, by its number: the n-th frame
 * of a station meets the same whatever the others do, and in whatever order stations came.
 */
#include "nic/lan_segment.h"
#include "nic/splitmix.h"
#include <stdlib.h>
#include <string.h>

/* A frame in a station's queue, or on its way to one. */
struct travelling {
    struct travelling *next;
    uint64_t arrives_ns;
    int port; /* where it arrives; of a switch's input: where it came from */
    bool to_switch;
    uint64_t number; /* of its sender and its place among what that sends, for chance */
    uint32_t length;
    uint8_t wire[];
};

struct port {
    bool used;
    struct lan_counters counters;
    struct travelling *first, *last; /* what the station wants to send */
    uint32_t waiting;
    uint64_t free_ns; /* hub: when it tries next. Switch: when its cable to the switch is free */
    uint32_t attempts;
    uint64_t station; /* the address of its first frame; 0: it has sent none */
    uint64_t frames;  /* ... so far */

    /* Hub: what it is sending. */
    bool sending, collided;
    bool waited; /* it has heard another, and waited for the gap behind that */
    uint64_t began_ns, ends_ns;

    /* Switch: the cable from the switch to the station. */
    uint64_t out_free_ns;
    uint32_t out_waiting;
};

struct learned {
    uint8_t mac[6];
    int port;
    uint64_t seen_ns;
};

struct lan {
    struct lan_config config;
    struct port ports[LAN_PORTS_MAX];
    struct learned table[LAN_TABLE_MAX];
    uint32_t learned;
    struct travelling *arrivals; /* by time */
};

enum chance { SENDER, FROM_STATION, TO_STATION, BACKOFF };

static uint64_t bits_ns(const struct lan *lan, uint64_t bits) {
    return bits * 1000000000 / lan->config.rate;
}

struct lan *lan_create(const struct lan_config *config) {
    struct lan *lan = calloc(1, sizeof *lan);
    if (lan)
        lan->config = *config;
    return lan;
}

/* A number by chance, or the state of a sequence of them. */
static uint64_t chance_of(const struct lan *lan, const struct port *port, enum chance kind, uint64_t number) {
    uint64_t state = lan->config.seed ^ (port->station ? port->station : (uint64_t)(port - lan->ports) + 1);
    state = splitmix64(&state) + number + kind;
    return splitmix64(&state);
}

/* The first frame of a station says who it is; its chances begin with it. */
static void recognize(struct port *port, const uint8_t *wire, uint32_t length) {
    if (port->station || length < LAN_PREAMBLE_BYTES + LAN_FRAME_MIN)
        return;
    memcpy(&port->station, wire + LAN_PREAMBLE_BYTES + 6, 6);
    port->frames = 0;
}

static void drop_queue(struct port *port) {
    for (struct travelling *frame; (frame = port->first); free(frame))
        port->first = frame->next;
    port->last = NULL;
    port->waiting = 0;
}

void lan_destroy(struct lan *lan) {
    for (int i = 0; i < LAN_PORTS_MAX; i++)
        drop_queue(&lan->ports[i]);
    for (struct travelling *frame; (frame = lan->arrivals); free(frame))
        lan->arrivals = frame->next;
    free(lan);
}

int lan_join(struct lan *lan) {
    for (int i = 0; i < LAN_PORTS_MAX; i++)
        if (!lan->ports[i].used) {
            lan->ports[i] = (struct port){.used = true, .free_ns = LAN_NEVER};
            return i;
        }
    return -1;
}

static void forget_station(struct lan *lan, uint32_t index) {
    lan->table[index] = lan->table[--lan->learned];
}

void lan_leave(struct lan *lan, int port) {
    struct travelling **link = &lan->arrivals, *frame;
    drop_queue(&lan->ports[port]);
    lan->ports[port].used = false;
    while ((frame = *link)) {
        if (frame->port != port) {
            link = &frame->next;
            continue;
        }
        *link = frame->next;
        free(frame);
    }
    for (uint32_t i = lan->learned; i-- > 0;)
        if (lan->table[i].port == port)
            forget_station(lan, i);
}

bool lan_port_used(const struct lan *lan, int port) {
    return lan->ports[port].used;
}

bool lan_has_room(const struct lan *lan, int port) {
    return lan->ports[port].waiting < LAN_QUEUE_MAX;
}

static struct travelling *make_frame(const uint8_t *wire, uint32_t length, uint64_t number) {
    struct travelling *frame = malloc(sizeof *frame + length);
    if (!frame)
        return NULL;
    *frame = (struct travelling){.length = length, .number = number};
    memcpy(frame->wire, wire, length);
    return frame;
}

static struct travelling *copy_of(const struct travelling *frame) {
    return make_frame(frame->wire, frame->length, frame->number);
}

static void arrive(struct lan *lan, struct travelling *frame, int port, uint64_t when_ns) {
    struct travelling **link = &lan->arrivals;
    while (*link && (*link)->arrives_ns <= when_ns)
        link = &(*link)->next;
    frame->arrives_ns = when_ns;
    frame->port = port;
    frame->next = *link;
    *link = frame;
}

/* A port's cable may change bits. Returns whether it did. */
static bool damage(struct lan *lan, struct port *port, enum chance way, struct travelling *frame) {
    uint64_t random = chance_of(lan, port, way, frame->number);
    uint64_t threshold = (uint64_t)(lan->config.bit_errors * 18446744073709551615.0);
    bool damaged = false;
    for (uint32_t bit = LAN_PREAMBLE_BYTES * 8; threshold && bit < frame->length * 8; bit++)
        if (splitmix64(&random) < threshold) {
            frame->wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
            damaged = true;
        }
    return damaged;
}

/* The cable to the switch takes the next frame. */
static void enter_switch(struct lan *lan, int port, uint64_t now_ns, struct travelling *frame) {
    struct port *from = &lan->ports[port];
    uint64_t begins_ns = from->free_ns != LAN_NEVER && from->free_ns > now_ns ? from->free_ns : now_ns;
    uint64_t ends_ns = begins_ns + bits_ns(lan, frame->length * 8u);
    from->free_ns = ends_ns + bits_ns(lan, LAN_GAP_BITS);
    from->counters.damaged += damage(lan, from, FROM_STATION, frame);
    from->waiting++;
    frame->to_switch = true;
    arrive(lan, frame, port, ends_ns + lan->config.propagation_ns);
}

bool lan_put(struct lan *lan, int port, uint64_t now_ns, const uint8_t *wire, uint32_t length) {
    struct port *from = &lan->ports[port];
    struct travelling *frame = from->waiting < LAN_QUEUE_MAX ? make_frame(wire, length, 0) : NULL;
    if (!frame)
        return false;
    recognize(from, wire, length);
    frame->number = chance_of(lan, from, SENDER, from->frames++);
    if (lan->config.is_switch) {
        enter_switch(lan, port, now_ns, frame);
        return true;
    }
    if (from->first)
        from->last->next = frame;
    else
        from->first = frame;
    from->last = frame;
    if (from->waiting++ == 0 && !from->sending && (from->free_ns == LAN_NEVER || from->free_ns < now_ns))
        from->free_ns = now_ns;
    return true;
}

static struct travelling *take_first(struct port *port) {
    struct travelling *frame = port->first;
    port->first = frame->next;
    port->last = port->first ? port->last : NULL;
    port->waiting--;
    frame->next = NULL;
    return frame;
}

/* Until when a station that wants to send at `now_ns` hears another; 0: it hears nobody. One that has waited
 * for the gap does not listen in its last third (IEEE 802.3 clause 4.2.3.2.1), or who sent last would always
 * be first again. */
static uint64_t hears_until(const struct lan *lan, int self, uint64_t now_ns) {
    uint64_t until_ns = 0, gap_ns = bits_ns(lan, LAN_GAP_BITS), delay_ns = lan->config.propagation_ns;
    uint64_t deaf_ns = lan->ports[self].waited ? gap_ns / 3 : 0;
    for (int i = 0; i < LAN_PORTS_MAX; i++) {
        const struct port *port = &lan->ports[i];
        if (i != self && port->ends_ns && port->began_ns + delay_ns + deaf_ns <= now_ns &&
            now_ns < port->ends_ns + delay_ns + gap_ns && port->ends_ns + delay_ns + gap_ns > until_ns)
            until_ns = port->ends_ns + delay_ns + gap_ns;
    }
    return until_ns;
}

/* A station has heard another while it was sending, at `heard_ns`: it jams, and backs off. */
static void collide(struct lan *lan, struct port *port, uint64_t heard_ns) {
    uint64_t slots = UINT64_C(1) << (port->attempts < 9 ? port->attempts + 1 : 10);
    if (port->collided)
        return; /* it has stopped already */
    port->collided = true;
    uint64_t random = chance_of(lan, port, BACKOFF, port->counters.collisions++);
    port->ends_ns = heard_ns + bits_ns(lan, LAN_JAM_BITS);
    port->free_ns = port->ends_ns + random % slots * bits_ns(lan, LAN_SLOT_BITS);
    if (++port->attempts < LAN_ATTEMPTS_MAX)
        return;
    port->counters.given_up++;
    port->attempts = 0;
    free(take_first(port));
}

static void begin_frame(struct lan *lan, int self, uint64_t now_ns) {
    struct port *port = &lan->ports[self];
    uint64_t delay_ns = lan->config.propagation_ns;
    uint64_t busy_ns = hears_until(lan, self, now_ns);
    if (busy_ns) {
        port->counters.deferred++;
        port->waited = true;
        port->free_ns = busy_ns;
        return;
    }
    port->waited = false;
    port->sending = true;
    port->collided = false;
    port->began_ns = now_ns;
    port->ends_ns = now_ns + bits_ns(lan, port->first->length * 8u);
    port->free_ns = LAN_NEVER;
    for (int i = 0; i < LAN_PORTS_MAX; i++) {
        struct port *other = &lan->ports[i];
        if (i == self || !other->sending || other->ends_ns <= now_ns)
            continue;
        collide(lan, other, now_ns + delay_ns);
        collide(lan, port, other->began_ns + delay_ns > now_ns ? other->began_ns + delay_ns : now_ns);
    }
}

/* What a station sent has left it: if unharmed, it goes to all others. */
static void finish(struct lan *lan, int self) {
    struct port *port = &lan->ports[self];
    port->sending = false;
    if (!port->collided) {
        struct travelling *frame = take_first(port);
        port->counters.sent++;
        port->attempts = 0;
        port->free_ns = port->ends_ns + bits_ns(lan, LAN_GAP_BITS);
        for (int i = 0; i < LAN_PORTS_MAX; i++) {
            struct travelling *copy = i != self && lan->ports[i].used ? copy_of(frame) : NULL;
            if (!copy)
                continue;
            port->counters.damaged += damage(lan, &lan->ports[i], TO_STATION, copy);
            arrive(lan, copy, i, port->ends_ns + lan->config.propagation_ns);
        }
        free(frame);
    }
    if (!port->first)
        port->free_ns = LAN_NEVER;
}

/* The next thing to happen on a hub: a station's try, or its end. A collision may still shorten what is being
 * sent, but not after its signal has reached everybody. */
static uint64_t next_on_hub(const struct lan *lan, int *who) {
    uint64_t soonest_ns = LAN_NEVER;
    for (int i = 0; i < LAN_PORTS_MAX; i++) {
        const struct port *port = &lan->ports[i];
        uint64_t when_ns = !port->used ? LAN_NEVER : port->sending ? port->ends_ns : port->free_ns;
        if (when_ns < soonest_ns) {
            soonest_ns = when_ns;
            *who = i;
        }
    }
    return soonest_ns;
}

static void run_hub(struct lan *lan, uint64_t now_ns) {
    int who = 0;
    uint64_t when_ns;
    while ((when_ns = next_on_hub(lan, &who)) <= now_ns) {
        if (lan->ports[who].sending)
            finish(lan, who);
        else
            begin_frame(lan, who, when_ns);
    }
}

static struct learned *look_up(struct lan *lan, const uint8_t *mac, uint64_t now_ns) {
    for (uint32_t i = lan->learned; i-- > 0;) {
        if (now_ns - lan->table[i].seen_ns > LAN_AGE_NS)
            forget_station(lan, i);
        else if (memcmp(lan->table[i].mac, mac, 6) == 0)
            return &lan->table[i];
    }
    return NULL;
}

static void learn(struct lan *lan, const uint8_t *mac, int port, uint64_t now_ns) {
    struct learned *entry = mac[0] & 1 ? NULL : look_up(lan, mac, now_ns);
    if (mac[0] & 1 || (!entry && lan->learned == LAN_TABLE_MAX))
        return; /* a table that is full floods */
    entry = entry ? entry : &lan->table[lan->learned++];
    memcpy(entry->mac, mac, 6);
    entry->port = port;
    entry->seen_ns = now_ns;
}

static void leave_switch(struct lan *lan, int port, const struct travelling *frame, uint64_t now_ns) {
    struct port *to = &lan->ports[port];
    struct travelling *copy = to->out_waiting < LAN_QUEUE_MAX ? copy_of(frame) : NULL;
    if (!copy) {
        to->counters.dropped++;
        return;
    }
    uint64_t begins_ns = to->out_free_ns > now_ns ? to->out_free_ns : now_ns;
    uint64_t ends_ns = begins_ns + bits_ns(lan, copy->length * 8u);
    to->out_free_ns = ends_ns + bits_ns(lan, LAN_GAP_BITS);
    to->out_waiting++;
    to->counters.damaged += damage(lan, to, TO_STATION, copy);
    arrive(lan, copy, port, ends_ns + lan->config.propagation_ns);
}

/* A whole frame is in the switch. */
static void forward(struct lan *lan, const struct travelling *frame) {
    const uint8_t *destination = frame->wire + LAN_PREAMBLE_BYTES;
    struct port *from = &lan->ports[frame->port];
    from->waiting--;
    if (!lan_wire_check(frame->wire, frame->length)) {
        from->counters.bad_fcs++;
        return;
    }
    from->counters.sent++;
    learn(lan, destination + 6, frame->port, frame->arrives_ns);
    const struct learned *known = destination[0] & 1 ? NULL : look_up(lan, destination, frame->arrives_ns);
    for (int i = 0; i < LAN_PORTS_MAX; i++)
        if (lan->ports[i].used && i != frame->port && (!known || known->port == i))
            leave_switch(lan, i, frame, frame->arrives_ns);
}

int lan_get(struct lan *lan, uint64_t now_ns, uint8_t *wire, uint32_t *length) {
    struct travelling *frame;
    if (!lan->config.is_switch)
        run_hub(lan, now_ns);
    while ((frame = lan->arrivals) && frame->arrives_ns <= now_ns) {
        int port = frame->port;
        lan->arrivals = frame->next;
        if (frame->to_switch) {
            forward(lan, frame);
            free(frame);
            continue;
        }
        lan->ports[port].counters.received++;
        lan->ports[port].out_waiting -= lan->config.is_switch;
        *length = frame->length;
        memcpy(wire, frame->wire, frame->length);
        free(frame);
        return port;
    }
    return -1;
}

uint64_t lan_next(const struct lan *lan) {
    int who;
    uint64_t arrival_ns = lan->arrivals ? lan->arrivals->arrives_ns : LAN_NEVER;
    uint64_t hub_ns = lan->config.is_switch ? LAN_NEVER : next_on_hub(lan, &who);
    return arrival_ns < hub_ns ? arrival_ns : hub_ns;
}

const struct lan_counters *lan_counters(const struct lan *lan, int port) {
    return &lan->ports[port].counters;
}

bool lan_learned(const struct lan *lan, uint32_t index, uint64_t now_ns, uint8_t mac[6], int *port) {
    if (index >= lan->learned || now_ns - lan->table[index].seen_ns > LAN_AGE_NS)
        return false;
    memcpy(mac, lan->table[index].mac, 6);
    *port = lan->table[index].port;
    return true;
}
