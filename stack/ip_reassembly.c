/*
 * ip_reassembly.c - see ip_reassembly.h.
 */
#include "ip_reassembly.h"
#include "stack.h"
#include "wire.h"

struct fragment_key {
    struct ip_address source, destination;
    uint16_t identification;
    uint16_t protocol;
};

void ip_reassembly_init(struct stack *stack) {
    struct ip_reassemblies *all = &stack->reassemblies;
    pool_init(&all->pool, &stack->arena, sizeof(struct ip_reassembly), IP_REASSEMBLIES_MAX);
    pool_init(&all->fragments, &stack->arena, sizeof(struct ip_fragment), UINT32_MAX);
    list_init(&all->ages);
}

static void drop_fragment(struct stack *stack, struct ip_fragment *fragment) {
    list_remove(&fragment->link);
    buffer_drop_chain(&stack->buffers, fragment->chain);
    pool_return(&stack->reassemblies.fragments, fragment);
}

static void drop(struct stack *stack, struct ip_reassembly *reassembly) {
    struct list *link;
    while ((link = list_first(&reassembly->fragments)))
        drop_fragment(stack, container_of(link, struct ip_fragment, link));
    timer_stop(&stack->timers, &reassembly->timer);
    hash_remove(&reassembly->hash);
    list_remove(&reassembly->age);
    stack->reassemblies.storage -= reassembly->storage;
    pool_return(&stack->reassemblies.pool, reassembly);
}

static void fail(struct stack *stack, struct ip_reassembly *reassembly) {
    stack->mib.IpReasmFails++;
    drop(stack, reassembly);
}

void ip_reassembly_timer(struct stack *stack, struct ip_reassembly *reassembly) {
    struct list *link = list_first(&reassembly->fragments);
    stack->mib.IpReasmTimeout++;
    if (link && ip_is_local(stack, reassembly->destination)) {
        const struct ip_fragment *first = container_of(link, struct ip_fragment, link);
        struct ip_packet packet = {.source = reassembly->source,
                                   .destination = reassembly->destination,
                                   .protocol = reassembly->protocol,
                                   .header_at = first->header_at,
                                   .length = first->length,
                                   .chain = first->chain};
        if (first->offset == 0) /* RFC 1122 section 3.3.2: with it, or not at all */
            icmp_send_error(stack, &packet, ICMP_TIME_EXCEEDED, ICMP_REASSEMBLY_TIME, 0);
    }
    fail(stack, reassembly);
}

static struct ip_reassembly *find(struct stack *stack, const struct ip_packet *packet,
                                  uint16_t identification) {
    struct ip_reassemblies *all = &stack->reassemblies;
    struct fragment_key key = {packet->source, packet->destination, identification, packet->protocol};
    struct hash_link **bucket =
        &all->buckets[random_hash(&stack->random, &key, sizeof key) % IP_REASSEMBLY_BUCKETS];
    for (struct hash_link *link = *bucket; link; link = link->next) {
        struct ip_reassembly *reassembly = container_of(link, struct ip_reassembly, hash);
        if (ip_equal(reassembly->source, packet->source) &&
            ip_equal(reassembly->destination, packet->destination) &&
            reassembly->identification == identification && reassembly->protocol == packet->protocol)
            return reassembly;
    }
    if (all->pool.used == IP_REASSEMBLIES_MAX)
        fail(stack, container_of(all->ages.next, struct ip_reassembly, age));
    struct ip_reassembly *made = pool_take_zeroed(&all->pool);
    if (!made)
        return NULL;
    made->source = packet->source;
    made->destination = packet->destination;
    made->identification = identification;
    made->protocol = packet->protocol;
    list_init(&made->fragments);
    list_init(&made->age);
    list_add_tail(&all->ages, &made->age);
    timer_init(&made->timer, TIMER_REASSEMBLY);
    timer_start(&stack->timers, &made->timer, stack->now_ns + IP_REASSEMBLY_NS);
    hash_add(bucket, &made->hash);
    return made;
}

/* Makes one packet of all fragments, with the header of the first. */
static bool put_together(struct stack *stack, struct ip_reassembly *reassembly, struct ip_packet *packet) {
    struct byte_queue queue = {0};
    struct list *link, *next;
    uint8_t header[IP_HEADER_BYTES];
    struct ip_fragment *first = container_of(reassembly->fragments.next, struct ip_fragment, link);
    memcpy(header, first->chain->storage + first->header_at, sizeof header);
    header[0] = 0x45; /* options have been seen to */
    wire_put16(header + 2, (uint16_t)(reassembly->total + IP_HEADER_BYTES));
    wire_put16(header + 6, 0);
    ip_seal_header(header);
    struct iovec piece = {header, sizeof header};
    uint32_t wanted = IP_HEADER_BYTES + reassembly->total;
    byte_queue_append(&queue, &stack->buffers, &piece, 1, 0, sizeof header);
    list_for_each(link, next, &reassembly->fragments) {
        const struct ip_fragment *fragment = container_of(link, struct ip_fragment, link);
        for (struct buffer *buffer = fragment->chain; buffer; buffer = buffer->next) {
            piece = (struct iovec){buffer_data(buffer), buffer_length(buffer)};
            byte_queue_append(&queue, &stack->buffers, &piece, 1, 0, buffer_length(buffer));
        }
    }
    if (queue.length < wanted) {
        buffer_drop_chain(&stack->buffers, queue.head);
        return false;
    }
    packet->chain = queue.head;
    packet->header_at = packet->chain->start;
    packet->chain->start += IP_HEADER_BYTES;
    packet->length = reassembly->total;
    packet->checksum_good = false; /* whatever is known of the fragment that came last */
    packet->ttl = header[8];
    packet->tos = header[1];
    return true;
}

enum placement { PLACED, KNOWN, CONTRADICTS };

/* Where a fragment belongs. What is there already, exactly, is no news; what overlaps in any other way is an
 * attack or a fault. */
static enum placement place(struct ip_reassembly *reassembly, uint32_t offset, uint32_t length, bool last,
                            struct list **after) {
    struct list *link, *next;
    uint32_t end = offset + length;
    if (last ? (reassembly->total && reassembly->total != end)
             : (reassembly->total && end > reassembly->total))
        return CONTRADICTS;
    *after = &reassembly->fragments;
    list_for_each(link, next, &reassembly->fragments) {
        const struct ip_fragment *there = container_of(link, struct ip_fragment, link);
        if (there->offset == offset && there->length == length)
            return KNOWN;
        if (there->offset < end && there->offset + there->length > offset)
            return CONTRADICTS;
        if (there->offset < offset)
            *after = link;
        if (last && there->offset >= end)
            return CONTRADICTS;
    }
    return PLACED;
}

/* Memory that a chain takes, however little is in it. */
static uint32_t storage_of(const struct buffer *chain) {
    uint32_t bytes = sizeof(struct ip_fragment);
    for (; chain; chain = chain->next)
        bytes += BUFFER_BYTES;
    return bytes;
}

static bool add(struct stack *stack, struct ip_reassembly *reassembly, struct ip_packet *packet,
                uint32_t offset, struct list *after) {
    struct ip_fragment *fragment = pool_take_zeroed(&stack->reassemblies.fragments);
    if (!fragment)
        return false;
    fragment->offset = offset;
    fragment->length = packet->length;
    fragment->header_at = packet->header_at;
    fragment->chain = packet->chain;
    list_init(&fragment->link);
    list_add_head(after, &fragment->link);
    uint32_t storage = storage_of(packet->chain);
    packet->chain = NULL;
    reassembly->received += fragment->length;
    reassembly->storage += storage;
    stack->reassemblies.storage += storage;
    return true;
}

/* The oldest makes room for the newest, which itself may not take too much. */
static bool make_room(struct stack *stack, struct ip_reassembly *newest) {
    struct list *link, *next;
    if (newest->storage > IP_REASSEMBLY_DATAGRAM_MAX)
        return false;
    list_for_each(link, next, &stack->reassemblies.ages) {
        struct ip_reassembly *oldest = container_of(link, struct ip_reassembly, age);
        if (stack->reassemblies.storage <= IP_REASSEMBLY_BYTES_MAX)
            break;
        if (oldest != newest)
            fail(stack, oldest);
    }
    return true;
}

bool ip_reassemble(struct stack *stack, struct ip_packet *packet, uint16_t flags_and_offset) {
    const uint8_t *header = packet->chain->storage + packet->header_at;
    uint32_t offset = (flags_and_offset & IP_OFFSET_MASK) * 8u;
    bool last = !(flags_and_offset & IP_MORE_FRAGMENTS);
    struct list *after;
    stack->mib.IpReasmReqds++;
    if (packet->length == 0 || (!last && packet->length % 8) ||
        offset + packet->length + IP_HEADER_BYTES > IP_DATAGRAM_MAX) {
        stack->mib.IpReasmFails++;
        return false;
    }
    struct ip_reassembly *reassembly = find(stack, packet, wire_get16(header + 4));
    if (!reassembly) {
        stack->mib.IpReasmFails++;
        return false;
    }
    switch (place(reassembly, offset, packet->length, last, &after)) {
    case KNOWN:
        return false;
    case CONTRADICTS:
        stack->mib.IpExtReasmOverlaps++;
        fail(stack, reassembly);
        return false;
    case PLACED:
        break;
    }
    if (last)
        reassembly->total = offset + packet->length;
    if (!add(stack, reassembly, packet, offset, after) || !make_room(stack, reassembly)) {
        fail(stack, reassembly);
        return false;
    }
    if (reassembly->received != reassembly->total)
        return false;
    if (!put_together(stack, reassembly, packet)) {
        fail(stack, reassembly);
        return false;
    }
    stack->mib.IpReasmOKs++;
    drop(stack, reassembly);
    return true;
}
