/*
 * tcp_sack.c - what we tell a peer of the segments that we hold (RFC 2018), and of those that came twice (RFC
 * 2883).
 */
#include "stack.h"
#include "tcp.h"

static struct tcp_held *held_of(struct list *link) {
    return container_of(link, struct tcp_held, link);
}

void tcp_sack_duplicate(struct stack *stack, struct tcp *tcp, uint32_t start, uint32_t end) {
    if (!stack->sysctl.tcp_dsack)
        return;
    if (!tcp->sack_permitted || seq_le(end, start))
        return;
    stack->mib.TcpExtTCPDSACKOldSent++;
    tcp->duplicate = (struct tcp_sack_block){start, end};
    tcp->has_duplicate = true;
}

/* The block around a held segment: its neighbours, as long as nothing is missing between them. */
static struct tcp_sack_block block_at(const struct tcp *tcp, struct list *link, struct list **after) {
    struct tcp_sack_block block = {held_of(link)->sequence, held_of(link)->sequence};
    for (; link != &tcp->out_of_order && held_of(link)->sequence == block.end; link = link->next)
        block.end += held_of(link)->length + held_of(link)->fin;
    *after = link;
    return block;
}

void tcp_sack_put(struct tcp *tcp, struct tcp_segment *segment) {
    bool signature = tcp_md5_find(tcp, tcp->remote_address);
    uint8_t most = signature ? 2 : tcp->timestamps ? 3 : 4, *count = &segment->sack_count;
    struct tcp_sack_block recent = {0, 0};
    struct list *link;
    if (!tcp->sack_permitted)
        return;
    if (tcp->has_duplicate)
        segment->sack[(*count)++] = tcp->duplicate;
    tcp->has_duplicate = false;
    /* The block with the latest news comes first: it tells most when acknowledgments get lost. */
    for (link = tcp->out_of_order.next; link != &tcp->out_of_order;) {
        struct tcp_sack_block block = block_at(tcp, link, &link);
        if (seq_le(block.start, tcp->held_recently) && seq_lt(tcp->held_recently, block.end))
            recent = block;
    }
    if (recent.start != recent.end && *count < most)
        segment->sack[(*count)++] = recent;
    for (link = tcp->out_of_order.next; link != &tcp->out_of_order && *count < most;) {
        struct tcp_sack_block block = block_at(tcp, link, &link);
        if (block.start != recent.start && block.start != block.end)
            segment->sack[(*count)++] = block;
    }
}
