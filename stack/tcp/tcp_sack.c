/* SPDX-License-Identifier: MIT */
/*
 * tcp_sack.c - what we tell a peer of the segments that we hold (RFC 2018), and of those that came twice (RFC
 * 2883).
 */
#include "stack/tcp/tcp_sack.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include <string.h>

void tcp_sack_duplicate(struct stack *stack, struct tcp *tcp, uint32_t start, uint32_t end) {
    if (!stack->sysctl.tcp_dsack)
        return;
    if (!tcp->sack_permitted || seq_le(end, start))
        return;
    stack->mib.TcpExtTCPDSACKOldSent++;
    tcp->duplicate = (struct tcp_sack_block){start, end};
    tcp->has_duplicate = true;
}

static struct tcp_sack_block block_of(const struct tcp_out_of_order *held) {
    return (struct tcp_sack_block){held->sequence, held->sequence + held->data.length + held->fin};
}

static bool is_in(uint32_t sequence, struct tcp_sack_block block) {
    return seq_le(block.start, sequence) && seq_lt(sequence, block.end);
}

bool tcp_sack_held(struct tcp *tcp, const struct tcp_out_of_order *held, uint32_t sequence) {
    struct tcp_sack_block block = block_of(held);
    uint32_t *recent = tcp->active->held_recently, kept = 1;
    uint32_t before[TCP_SACK_BLOCKS_MAX];
    uint8_t count = tcp->active->held_recently_count;
    bool same = count > 0 && is_in(recent[0], block);
    memcpy(before, recent, sizeof before);
    recent[0] = sequence;
    for (uint8_t i = 0; i < count && kept < TCP_SACK_BLOCKS_MAX; i++)
        if (!is_in(before[i], block))
            recent[kept++] = before[i];
    tcp->active->held_recently_count = (uint8_t)kept;
    return !same;
}

static void put_once(struct tcp_segment *segment, uint8_t first, struct tcp_sack_block block) {
    for (uint8_t i = first; i < segment->sack_count; i++)
        if (segment->sack[i].start == block.start)
            return;
    segment->sack[segment->sack_count++] = block;
}

/* RFC 2018 section 4: the block with the latest news comes first, and then those that had news before it, so
 * that each is told of several times, should acknowledgments get lost. */
void tcp_sack_put(struct tcp *tcp, struct tcp_segment *segment) {
    bool signature = tcp_md5_find(tcp, tcp->remote_address);
    uint8_t most = signature ? 2 : tcp->timestamps ? 3 : 4, first;
    struct list *link, *next;
    if (!tcp->sack_permitted)
        return;
    if (tcp->has_duplicate)
        segment->sack[segment->sack_count++] = tcp->duplicate;
    tcp->has_duplicate = false;
    first = segment->sack_count;
    for (uint8_t i = 0; i < tcp->active->held_recently_count && segment->sack_count < most; i++) {
        uint32_t sequence = tcp->active->held_recently[i];
        const struct tcp_out_of_order *held = tcp_out_of_order_find(&tcp->active->out_of_order, sequence);
        if (held && is_in(sequence, block_of(held)))
            put_once(segment, first, block_of(held));
    }
    list_for_each(link, next, &tcp->active->out_of_order.list) {
        if (segment->sack_count == most)
            break;
        put_once(segment, first, block_of(tcp_out_of_order_of(link)));
    }
}
