/* SPDX-License-Identifier: MIT */
/*
 * ip_reassembly.c - see ip_reassembly.h.
 */
#include "stack/ip/ip_reassembly.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/stack.h"

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

void ip_reassembly_end(struct stack *stack, struct ip_reassembly *reassembly) {
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
    if (ip_is_v4(reassembly->name.source))
        stack->mib.IpReasmFails++;
    else
        stack->mib.Ip6ReasmFails++;
    ip_reassembly_end(stack, reassembly);
}

/* RFC 1122 section 3.3.2, RFC 8200 section 4.5: the sender is told, if the first fragment is there to quote.
 */
static void tell_timeout(struct stack *stack, const struct ip_datagram_name *name,
                         const struct ip_fragment *first) {
    const struct ip_packet packet = {.source = name->source,
                                     .destination = name->destination,
                                     .protocol = (uint8_t)name->protocol,
                                     .multicast = ip_is_multicast(name->destination),
                                     .header_at = first->header_at,
                                     .length = first->length,
                                     .chain = first->chain};
    if (!ip_is_v4(name->source))
        icmp6_send_error(stack, &packet, ICMP6_TIME_EXCEEDED, ICMP6_REASSEMBLY_TIME, 0);
    else if (ip_is_local(stack, name->destination))
        icmp_send_error(stack, &packet, ICMP_TIME_EXCEEDED, ICMP_REASSEMBLY_TIME, 0);
}

void ip_reassembly_timer(struct stack *stack, struct ip_reassembly *reassembly) {
    struct list *link = list_first(&reassembly->fragments);
    const struct ip_fragment *first = link ? container_of(link, struct ip_fragment, link) : NULL;
    if (ip_is_v4(reassembly->name.source))
        stack->mib.IpReasmTimeout++;
    else
        stack->mib.Ip6ReasmTimeout++;
    if (first && first->offset == 0)
        tell_timeout(stack, &reassembly->name, first);
    fail(stack, reassembly);
}

static bool same_name(const struct ip_datagram_name *a, const struct ip_datagram_name *b) {
    return ip_equal(a->source, b->source) && ip_equal(a->destination, b->destination) &&
           a->identification == b->identification && a->protocol == b->protocol;
}

static struct ip_reassembly *find(struct stack *stack, const struct ip_datagram_name *name,
                                  uint64_t wait_ns) {
    struct ip_reassemblies *all = &stack->reassemblies;
    struct hash_link **bucket =
        &all->buckets[random_hash(&stack->random, name, sizeof *name) % IP_REASSEMBLY_BUCKETS];
    for (struct hash_link *link = *bucket; link; link = link->next) {
        struct ip_reassembly *reassembly = container_of(link, struct ip_reassembly, hash);
        if (same_name(&reassembly->name, name))
            return reassembly;
    }
    if (all->pool.used == IP_REASSEMBLIES_MAX)
        fail(stack, container_of(all->ages.next, struct ip_reassembly, age));
    struct ip_reassembly *made = pool_take_zeroed(&all->pool);
    if (!made)
        return NULL;
    made->name = *name;
    list_init(&made->fragments);
    list_init(&made->age);
    list_add_tail(&all->ages, &made->age);
    timer_init(&made->timer, TIMER_REASSEMBLY);
    timer_start(&stack->timers, &made->timer, stack->now_ns + wait_ns);
    hash_add(bucket, &made->hash);
    return made;
}

struct buffer *ip_reassembly_join(struct stack *stack, const struct ip_reassembly *reassembly,
                                  const uint8_t *header, uint32_t length) {
    struct byte_queue queue = {0};
    struct list *link, *next;
    struct iovec piece = {(void *)header, length};
    byte_queue_append(&queue, &stack->buffers, &piece, 1, 0, length);
    list_for_each(link, next, &reassembly->fragments) {
        const struct ip_fragment *fragment = container_of(link, struct ip_fragment, link);
        for (struct buffer *buffer = fragment->chain; buffer; buffer = buffer->next) {
            piece = (struct iovec){buffer_data(buffer), buffer_length(buffer)};
            byte_queue_append(&queue, &stack->buffers, &piece, 1, 0, buffer_length(buffer));
        }
    }
    if (queue.length < length + reassembly->total) {
        buffer_drop_chain(&stack->buffers, queue.head);
        return NULL;
    }
    return queue.head;
}

/* Makes one packet of all fragments, with the header of the first. */
static bool put_together(struct stack *stack, struct ip_reassembly *reassembly, struct ip_packet *packet) {
    uint8_t header[IP_HEADER_BYTES];
    struct ip_fragment *first = container_of(reassembly->fragments.next, struct ip_fragment, link);
    memcpy(header, first->chain->storage + first->header_at, sizeof header);
    header[0] = 0x45; /* options have been seen to */
    wire_put16(header + 2, (uint16_t)(reassembly->total + IP_HEADER_BYTES));
    wire_put16(header + 6, 0);
    ip_seal_header(header);
    packet->chain = ip_reassembly_join(stack, reassembly, header, sizeof header);
    if (!packet->chain)
        return false;
    packet->header_at = packet->chain->start;
    packet->chain->start += IP_HEADER_BYTES;
    packet->length = reassembly->total;
    packet->longest_fragment = reassembly->longest;
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

static bool add(struct stack *stack, struct ip_reassembly *reassembly, const struct ip_piece *piece,
                struct list *after) {
    struct ip_fragment *fragment = pool_take_zeroed(&stack->reassemblies.fragments);
    if (!fragment)
        return false;
    fragment->offset = piece->offset;
    fragment->length = piece->length;
    fragment->header_at = piece->header_at;
    fragment->chain = *piece->chain;
    list_init(&fragment->link);
    list_add_head(after, &fragment->link);
    uint32_t storage = storage_of(fragment->chain);
    *piece->chain = NULL;
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

static enum ip_piece_fate refuse(struct stack *stack, struct ip_reassembly *reassembly) {
    fail(stack, reassembly);
    return IP_PIECE_REFUSED;
}

enum ip_piece_fate ip_reassembly_keep(struct stack *stack, const struct ip_datagram_name *name,
                                      const struct ip_piece *piece, uint64_t wait_ns,
                                      struct ip_reassembly **whole) {
    struct list *after;
    struct ip_reassembly *reassembly = find(stack, name, wait_ns);
    if (!reassembly) {
        if (ip_is_v4(name->source))
            stack->mib.IpReasmFails++;
        else
            stack->mib.Ip6ReasmFails++;
        return IP_PIECE_REFUSED;
    }
    switch (place(reassembly, piece->offset, piece->length, piece->last, &after)) {
    case KNOWN:
        return IP_PIECE_HELD;
    case CONTRADICTS:
        stack->mib.IpExtReasmOverlaps++;
        return refuse(stack, reassembly);
    case PLACED:
        break;
    }
    if (piece->last)
        reassembly->total = piece->offset + piece->length;
    if (piece->packet_bytes > reassembly->longest)
        reassembly->longest = piece->packet_bytes;
    if (!add(stack, reassembly, piece, after) || !make_room(stack, reassembly))
        return refuse(stack, reassembly);
    if (reassembly->received != reassembly->total)
        return IP_PIECE_HELD;
    *whole = reassembly;
    return IP_PIECE_WHOLE;
}

bool ip_reassemble(struct stack *stack, struct ip_packet *packet, uint16_t flags_and_offset) {
    const uint8_t *header = packet->chain->storage + packet->header_at;
    const struct ip_datagram_name name = {packet->source, packet->destination, wire_get16(header + 4),
                                          packet->protocol};
    const struct ip_piece piece = {.chain = &packet->chain,
                                   .header_at = packet->header_at,
                                   .offset = (flags_and_offset & IP_OFFSET_MASK) * 8u,
                                   .length = packet->length,
                                   .packet_bytes = IP_HEADER_BYTES + packet->options.length + packet->length,
                                   .last = !(flags_and_offset & IP_MORE_FRAGMENTS)};
    struct ip_reassembly *reassembly;
    stack->mib.IpReasmReqds++;
    if (piece.length == 0 || (!piece.last && piece.length % 8) ||
        piece.offset + piece.length + IP_HEADER_BYTES > IP_DATAGRAM_MAX) {
        stack->mib.IpReasmFails++;
        return false;
    }
    if (ip_reassembly_keep(stack, &name, &piece, IP_REASSEMBLY_NS, &reassembly) != IP_PIECE_WHOLE)
        return false;
    if (!put_together(stack, reassembly, packet)) {
        fail(stack, reassembly);
        return false;
    }
    stack->mib.IpReasmOKs++;
    ip_reassembly_end(stack, reassembly);
    return true;
}
