/* SPDX-License-Identifier: MIT */
/*
 * tcp_rtx.c - see tcp_rtx.h.
 */
#include "stack/tcp/tcp_rtx.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"

#define WAITING_LOOKED_AT 64 /* records, for the time when RACK looks again */

static struct tcp_rtx *sent_of(struct list *link) {
    return container_of(link, struct tcp_rtx, link);
}

static struct tcp_rtx *sent_at(struct treap_node *node) {
    return container_of(node, struct tcp_rtx, node);
}

static uint32_t end_of(const struct tcp_rtx *sent) {
    return sent->sequence + tcp_rtx_span(sent);
}

uint32_t tcp_duplicates(const struct stack *stack, const struct tcp *tcp) {
    uint32_t usual = stack->sysctl.tcp_reordering, seen = tcp->reordering.distance;
    return seen > usual ? seen : usual;
}

uint32_t tcp_pipe(const struct tcp *tcp) {
    const struct tcp_scoreboard *board = &tcp->active->scoreboard;
    uint32_t flight = tcp->snd_nxt - tcp->snd_una;
    uint32_t left = board->sacked_bytes + board->lost_bytes + board->duplicate_acks * tcp->mss;
    return flight > left ? flight - left : 0;
}

static void set_place(struct tcp_rtx *sent, struct byte_cursor place) {
    sent->buffer = place.buffer;
    sent->position = (uint16_t)place.position;
}

static uint64_t own_earliest(const struct tcp_rtx *sent) {
    return sent->sacked || sent->lost ? TIMER_NEVER : sent->sent_ns;
}

/* A treap_sum: what a record says of itself and of those below it. */
static bool sum_up(struct treap_node *node) {
    struct tcp_rtx *sent = sent_at(node);
    struct treap_node *below[] = {node->left, node->right};
    bool unsacked = !sent->sacked, lost = sent->lost;
    uint64_t earliest_ns = own_earliest(sent);
    for (int i = 0; i < 2; i++) {
        if (!below[i])
            continue;
        const struct tcp_rtx *child = sent_at(below[i]);
        unsacked |= child->below_unsacked;
        lost |= child->below_lost;
        earliest_ns = min_u64(earliest_ns, child->below_earliest_ns);
    }
    bool same = sent->below_unsacked == unsacked && sent->below_lost == lost &&
                sent->below_earliest_ns == earliest_ns;
    sent->below_unsacked = unsacked;
    sent->below_lost = lost;
    sent->below_earliest_ns = earliest_ns;
    return !same;
}

/* The addresses and times are nobody's outside, and mixed well (splitmix64's last steps). */
static uint32_t priority_of(const struct tcp_rtx *sent) {
    uint64_t mixed = (uintptr_t)sent ^ sent->sent_ns;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(mixed >> 32);
}

static void plant(struct tcp *tcp, struct tcp_rtx *sent) {
    struct list *before = sent->link.previous;
    treap_add(&tcp->active->sent_root, &sent->node,
              before == &tcp->active->sent ? NULL : &sent_of(before)->node, priority_of(sent), sum_up);
}

/* What is in flight does not fare alike any more. */
static void need_tree(struct tcp *tcp) {
    struct list *link, *next;
    tcp->active->scoreboard.tree_end = tcp->snd_nxt;
    if (tcp->active->sent_root)
        return;
    list_for_each(link, next, &tcp->active->sent)
        plant(tcp, sent_of(link));
}

static void changed(struct tcp *tcp, struct tcp_rtx *sent) {
    if (tcp->active->sent_root)
        treap_changed(&sent->node, sum_up);
}

/* The record that has a sequence number, or is the last before it; NULL: there is none. */
static struct tcp_rtx *at_sequence(const struct tcp *tcp, uint32_t sequence) {
    struct tcp_rtx *found = NULL;
    for (struct treap_node *node = tcp->active->sent_root; node;) {
        bool before = seq_le(sent_at(node)->sequence, sequence);
        found = before ? sent_at(node) : found;
        node = before ? node->right : node->left;
    }
    return found;
}

static bool has_unsacked(struct treap_node *node) {
    return node && sent_at(node)->below_unsacked;
}

static struct tcp_rtx *first_unsacked(struct treap_node *node) {
    while (has_unsacked(node->left) || sent_at(node)->sacked)
        node = has_unsacked(node->left) ? node->left : node->right;
    return sent_at(node);
}

/* The next record that is not sacked, from this one on; NULL: there is none. */
static struct tcp_rtx *unsacked_from(struct tcp_rtx *sent) {
    struct treap_node *node = &sent->node;
    if (!sent->sacked)
        return sent;
    while (!has_unsacked(node->right)) {
        for (; node->parent && node->parent->right == node; node = node->parent)
            ;
        node = node->parent;
        if (!node || !sent_at(node)->sacked)
            return node ? sent_at(node) : NULL;
    }
    return first_unsacked(node->right);
}

static struct tcp_rtx *first_lost(const struct tcp *tcp) {
    struct treap_node *node = tcp->active->sent_root;
    if (!node || !sent_at(node)->below_lost)
        return NULL;
    for (;;) {
        if (node->left && sent_at(node->left)->below_lost)
            node = node->left;
        else if (sent_at(node)->lost)
            return sent_at(node);
        else
            node = node->right;
    }
}

/* Of those that are neither sacked nor lost the one that was sent first; NULL: there is none. */
static struct tcp_rtx *sent_earliest(const struct tcp *tcp) {
    struct treap_node *node = tcp->active->sent_root;
    struct list *first = list_first(&tcp->active->sent);
    if (!node)
        return first ? sent_of(first) : NULL;
    uint64_t earliest_ns = sent_at(node)->below_earliest_ns;
    if (earliest_ns == TIMER_NEVER)
        return NULL;
    while (own_earliest(sent_at(node)) != earliest_ns)
        node = node->left && sent_at(node->left)->below_earliest_ns == earliest_ns ? node->left : node->right;
    return sent_at(node);
}

static void set_lost(struct tcp *tcp, struct tcp_rtx *sent, bool lost) {
    if (sent->lost == lost)
        return;
    sent->lost = lost;
    if (lost)
        need_tree(tcp);
    changed(tcp, sent);
    tcp->active->scoreboard.lost_bytes += lost ? tcp_rtx_span(sent) : -tcp_rtx_span(sent);
    if (lost) {
        tcp->active->rate.lost += tcp_rtx_span(sent);
        tcp_congestion_lost(tcp, sent);
    }
}

/* Now, or as little later as it takes to be after the segment before. */
static uint64_t transmission_time(struct stack *stack, const struct tcp_rtx *sent) {
    uint64_t first_ns = stack->now_ns > stack->sent_ns ? stack->now_ns : stack->sent_ns + 1;
    stack->sent_ns = first_ns + tcp_rtx_segments(sent) - 1;
    return first_ns;
}

static void add_behind(struct tcp *tcp, struct tcp_rtx *sent, struct list *before) {
    list_init(&sent->link);
    list_add_head(before, &sent->link);
    if (tcp->active->sent_root)
        plant(tcp, sent);
}

struct tcp_rtx *tcp_rtx_add(struct stack *stack, struct tcp *tcp, uint32_t length, uint32_t size, bool fin,
                            struct byte_cursor place) {
    struct tcp_rtx *sent = pool_take(&stack->sent);
    if (!sent)
        return NULL;
    *sent = (struct tcp_rtx){.sequence = tcp->snd_nxt,
                             .length = (uint16_t)length,
                             .size = (uint16_t)size,
                             .transmissions = 1,
                             .fin = fin};
    sent->sent_ns = transmission_time(stack, sent);
    set_place(sent, place);
    tcp_rate_sent(stack, tcp, sent);
    add_behind(tcp, sent, tcp->active->sent.previous);
    tcp->active->scoreboard.count += tcp_rtx_segments(sent);
    return sent;
}

static void return_record(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent) {
    struct tcp_scoreboard *board = &tcp->active->scoreboard;
    set_lost(tcp, sent, false);
    if (sent->sacked) {
        board->sacked_bytes -= tcp_rtx_span(sent);
        board->sacked_count -= tcp_rtx_segments(sent);
    }
    board->count -= tcp_rtx_segments(sent);
    list_remove(&sent->link);
    if (tcp->active->sent_root)
        treap_remove(&tcp->active->sent_root, &sent->node, sum_up);
    pool_return(&stack->sent, sent);
}

void tcp_rtx_retract(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent) {
    return_record(stack, tcp, sent);
}

void tcp_rtx_purge(struct stack *stack, struct tcp *tcp) {
    struct list *link;
    while ((link = list_first(&tcp->active->sent)))
        return_record(stack, tcp, sent_of(link));
}

/* Makes two records of one, the first of `length` bytes, of whole segments unless it is lost. False: there is
 * no memory. */
static bool cut(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent, uint32_t length) {
    struct tcp_scoreboard *board = &tcp->active->scoreboard;
    struct tcp_rtx *rest = pool_take(&stack->sent);
    if (!rest)
        return false;
    uint32_t before = tcp_rtx_segments(sent);
    struct byte_cursor place = byte_cursor_after(tcp_rtx_place(sent), length);
    if (place.position == place.buffer->end)
        place = (struct byte_cursor){place.buffer->next, 0};
    *rest = *sent;
    rest->sequence += length;
    rest->length = (uint16_t)(rest->length - length);
    set_place(rest, place);
    sent->length = (uint16_t)length;
    sent->fin = sent->pushed = false;
    rest->sent_ns += tcp_rtx_segments(sent);
    add_behind(tcp, rest, &sent->link);
    uint32_t more = tcp_rtx_segments(sent) + tcp_rtx_segments(rest) - before;
    board->count += more;
    board->sacked_count += sent->sacked ? more : 0;
    return true;
}

/* How far a segment came after those that were sent later. */
static void note_distance(const struct stack *stack, struct tcp *tcp, uint32_t bytes) {
    uint32_t segments = (bytes + tcp->mss - 1) / tcp->mss, most = stack->sysctl.tcp_max_reordering;
    segments = segments < most ? segments : most;
    if (segments > tcp->reordering.distance)
        tcp->reordering.distance = (uint16_t)(segments < UINT16_MAX ? segments : UINT16_MAX);
}

/* A segment has arrived: RFC 8985 section 6.2, steps 1 to 3. */
static void delivered(struct stack *stack, struct tcp *tcp, const struct tcp_rtx *sent,
                      struct tcp_delivery *delivery) {
    struct tcp_scoreboard *board = &tcp->active->scoreboard;
    uint32_t segments = tcp_rtx_segments(sent);
    uint64_t last_ns = sent->sent_ns + segments - 1;
    tcp->history.delivered += segments;
    tcp_rate_delivered(stack, tcp, sent, &delivery->rate);
    delivery->original |= sent->transmissions == 1 && seq_lt(sent->sequence, tcp->active->recovery.recover);
    uint64_t rtt_ns = stack->now_ns > sent->sent_ns ? stack->now_ns - sent->sent_ns : 1;
    if (sent->transmissions == 1)
        delivery->rtt_ns = rtt_ns;
    else if (rtt_ns < tcp->rtt.min_ns ||
             (delivery->has_echo && seq_lt(delivery->echo, tcp_timestamp_at(tcp, sent->sent_ns))))
        return; /* that was the first of its transmissions, not the last */
    if (sent->transmissions == 1 && board->any_sacked && seq_lt(end_of(sent), board->highest_sacked)) {
        tcp->reordering.seen = true;
        tcp->history.reorderings++;
        note_distance(stack, tcp, board->highest_sacked - sent->sequence);
        if (!tcp->reordering.steps)
            tcp->reordering.steps = 1;
    }
    if (last_ns > board->rack_sent_ns) {
        board->rack_sent_ns = last_ns;
        board->rack_rtt_ns = rtt_ns;
    }
}

/* The first segments of a burst are acknowledged, `length` bytes. */
static void acknowledge_some(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent, uint32_t length,
                             struct tcp_delivery *delivery) {
    struct tcp_scoreboard *board = &tcp->active->scoreboard;
    struct tcp_rtx some = *sent;
    some.length = (uint16_t)length;
    some.fin = false;
    if (sent->sacked) {
        board->sacked_bytes -= length;
        board->sacked_count -= tcp_rtx_segments(&some);
    } else {
        delivery->delivered += length;
        delivered(stack, tcp, &some, delivery);
    }
    if (sent->lost)
        board->lost_bytes -= length;
    board->count -= tcp_rtx_segments(&some);
    sent->sequence += length;
    sent->length = (uint16_t)(sent->length - length);
    sent->sent_ns += tcp_rtx_segments(&some);
    changed(tcp, sent);
}

void tcp_rtx_acknowledge(struct stack *stack, struct tcp *tcp, struct tcp_delivery *delivery) {
    struct list *link;
    while ((link = list_first(&tcp->active->sent))) {
        struct tcp_rtx *sent = sent_of(link);
        if (seq_ge(sent->sequence, tcp->snd_una))
            break;
        if (seq_le(end_of(sent), tcp->snd_una)) {
            if (!sent->sacked) {
                delivery->delivered += tcp_rtx_span(sent);
                delivered(stack, tcp, sent, delivery);
            }
            return_record(stack, tcp, sent);
            continue;
        }
        /* A part of it: the rest begins where the queue does now. */
        uint32_t part = tcp->snd_una - sent->sequence;
        uint32_t some = sent->length > sent->size ? part / sent->size * sent->size : 0;
        if (some > 0)
            acknowledge_some(stack, tcp, sent, some, delivery);
        part -= some;
        if (sent->lost)
            tcp->active->scoreboard.lost_bytes -= part;
        if (sent->sacked) {
            tcp->active->scoreboard.sacked_bytes -= part;
        } else if (part > 0) {
            delivery->delivered += part;
            tcp_rate_delivered_part(stack, tcp, part);
        }
        uint32_t before = tcp_rtx_segments(sent);
        sent->sequence += part;
        sent->length = (uint16_t)(sent->length - part);
        uint32_t fewer = before - tcp_rtx_segments(sent);
        tcp->active->scoreboard.count -= fewer;
        tcp->active->scoreboard.sacked_count -= sent->sacked ? fewer : 0;
        if (sent->length > 0)
            set_place(sent, byte_queue_at(&tcp->send, 0));
        break;
    }
    if (tcp->active->scoreboard.any_sacked && seq_le(tcp->active->scoreboard.highest_sacked, tcp->snd_una))
        tcp->active->scoreboard.any_sacked = false;
    if (tcp->active->sent_root && seq_ge(tcp->snd_una, tcp->active->scoreboard.tree_end))
        tcp->active->sent_root = NULL;
}

static void sack(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent, struct tcp_delivery *delivery) {
    struct tcp_scoreboard *board = &tcp->active->scoreboard;
    uint32_t span = tcp_rtx_span(sent);
    delivered(stack, tcp, sent, delivery);
    set_lost(tcp, sent, false);
    sent->sacked = true;
    need_tree(tcp);
    changed(tcp, sent);
    board->sacked_bytes += span;
    board->sacked_count += tcp_rtx_segments(sent);
    delivery->delivered += span;
    delivery->newly_sacked += span;
    if (!board->any_sacked || seq_gt(end_of(sent), board->highest_sacked))
        board->highest_sacked = end_of(sent);
    board->any_sacked = true;
}

/* RFC 2883: the first block is of what came twice when it lies below the acknowledgment, or within the
 * second. */
static bool is_duplicate(const struct tcp_segment *segment) {
    const struct tcp_sack_block *blocks = segment->sack;
    if (segment->sack_count == 0)
        return false;
    if (seq_lt(blocks[0].start, segment->acknowledgment))
        return seq_le(blocks[0].end, segment->acknowledgment);
    return segment->sack_count > 1 && seq_ge(blocks[0].start, blocks[1].start) &&
           seq_le(blocks[0].end, blocks[1].end);
}

/* Cuts a burst so that a record begins, or ends, where a block does. False: it does not overlap the block, or
 * there is no memory. */
static bool cut_for(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent,
                    const struct tcp_sack_block *block) {
    uint32_t at = 0;
    if (sent->length <= sent->size || sent->sacked || seq_le(end_of(sent), block->start) ||
        seq_ge(sent->sequence, block->end))
        return false;
    if (seq_lt(sent->sequence, block->start)) /* from the next segment on */
        at = (block->start - sent->sequence + sent->size - 1) / sent->size * sent->size;
    else if (seq_gt(end_of(sent), block->end)) /* up to the last that is all there */
        at = (block->end - sent->sequence) / sent->size * sent->size;
    return at > 0 && at < sent->length && cut(stack, tcp, sent, at);
}

void tcp_rtx_sack(struct stack *stack, struct tcp *tcp, const struct tcp_segment *segment,
                  struct tcp_delivery *delivery) {
    delivery->duplicate = is_duplicate(segment);
    for (int i = delivery->duplicate; i < segment->sack_count; i++) {
        const struct tcp_sack_block *block = &segment->sack[i];
        if (seq_le(block->end, block->start) || seq_lt(block->start, tcp->snd_una) ||
            seq_gt(block->end, tcp->snd_nxt))
            continue; /* of what was never sent, or long ago */
        need_tree(tcp);
        struct tcp_rtx *sent = at_sequence(tcp, block->start);
        while (sent && (sent = unsacked_from(sent)) && seq_lt(sent->sequence, block->end)) {
            cut_for(stack, tcp, sent, block);
            if (seq_ge(sent->sequence, block->start) && seq_le(end_of(sent), block->end))
                sack(stack, tcp, sent, delivery);
            sent = sent->link.next == &tcp->active->sent ? NULL : sent_of(sent->link.next);
        }
    }
}

/* How long something may be on its way for longer than what was sent after it: RFC 8985 section 6.2, step 4.
 */
static uint64_t reordering_window(const struct stack *stack, const struct tcp *tcp, bool recovering) {
    const struct tcp_scoreboard *board = &tcp->active->scoreboard;
    if (!tcp->reordering.seen && (recovering || board->sacked_count >= tcp_duplicates(stack, tcp)))
        return 0;
    uint64_t window = tcp->rtt.min_ns / 4 * (tcp->reordering.steps ? tcp->reordering.steps : 1);
    return window < tcp->rtt.srtt_ns ? window : tcp->rtt.srtt_ns;
}

/* RFC 6675's IsLost, for who has no faith in clocks (tcp_recovery 0): enough of what was sent later has
 * arrived. */
static bool detect_by_count(struct stack *stack, struct tcp *tcp) {
    uint32_t later = 0, enough = tcp_duplicates(stack, tcp);
    bool news = false;
    for (struct list *link = tcp->active->sent.previous; link != &tcp->active->sent; link = link->previous) {
        struct tcp_rtx *sent = sent_of(link);
        later += sent->sacked ? tcp_rtx_segments(sent) : 0;
        if (later >= enough && !sent->sacked && !sent->lost && sent->transmissions == 1) {
            set_lost(tcp, sent, true);
            news = true;
        }
    }
    return news;
}

/* How long it takes until the last of them is due, those near the first at least: its time will come when
 * theirs has. A record is due when what was sent at its time was `due_ns`. */
static uint64_t longest_wait(const struct tcp *tcp, const struct tcp_rtx *first, uint64_t due_ns) {
    uint64_t latest_ns = first->sent_ns;
    const struct list *link = first->link.next;
    for (int i = 0; i < WAITING_LOOKED_AT && link != &tcp->active->sent; i++, link = link->next) {
        uint64_t sent_ns = own_earliest(container_of(link, struct tcp_rtx, link));
        if (sent_ns <= tcp->active->scoreboard.rack_sent_ns)
            latest_ns = max_u64(latest_ns, sent_ns);
    }
    return latest_ns - due_ns;
}

bool tcp_rtx_detect(struct stack *stack, struct tcp *tcp, bool recovering, uint64_t *wait_ns) {
    struct tcp_scoreboard *board = &tcp->active->scoreboard;
    uint64_t window = reordering_window(stack, tcp, recovering);
    struct tcp_rtx *sent;
    bool news = false;
    *wait_ns = 0;
    if (!(stack->sysctl.tcp_recovery & 1))
        return detect_by_count(stack, tcp);
    if (!board->rack_sent_ns)
        return false;
    uint64_t patience_ns = board->rack_rtt_ns + window;
    while ((sent = sent_earliest(tcp)) && sent->sent_ns <= board->rack_sent_ns) {
        if (sent->sent_ns + patience_ns > stack->now_ns) {
            *wait_ns = longest_wait(tcp, sent, stack->now_ns - patience_ns);
            break;
        }
        set_lost(tcp, sent, true);
        news = true;
    }
    return news;
}

bool tcp_rtx_lose_first(struct stack *stack, struct tcp *tcp) {
    struct list *link = list_first(&tcp->active->sent);
    if (!link || sent_of(link)->lost || sent_of(link)->sacked)
        return false;
    if (sent_of(link)->length > sent_of(link)->size)
        cut(stack, tcp, sent_of(link), sent_of(link)->size); /* or, without memory, all of it is lost */
    set_lost(tcp, sent_of(link), true);
    return true;
}

void tcp_rtx_lose_all(struct tcp *tcp) {
    struct tcp_scoreboard *board = &tcp->active->scoreboard;
    struct list *link, *next;
    /* A peer that had the first would have acknowledged it: it reneges (RFC 2018 section 8). */
    link = list_first(&tcp->active->sent);
    bool reneges = link && sent_of(link)->sacked;
    list_for_each(link, next, &tcp->active->sent) {
        struct tcp_rtx *sent = sent_of(link);
        if (sent->sacked && reneges) {
            sent->sacked = false;
            changed(tcp, sent);
            board->sacked_bytes -= tcp_rtx_span(sent);
            board->sacked_count -= tcp_rtx_segments(sent);
        }
        if (!sent->sacked)
            set_lost(tcp, sent, true);
    }
    board->duplicate_acks = 0;
}

void tcp_rtx_lose_longer(struct tcp *tcp, uint32_t mss) {
    struct list *link, *next;
    list_for_each(link, next, &tcp->active->sent) {
        struct tcp_rtx *sent = sent_of(link);
        if (!sent->sacked && sent->length > mss && sent->size > mss)
            set_lost(tcp, sent, true);
    }
}

void tcp_rtx_lose_none(struct tcp *tcp) {
    struct list *link, *next;
    list_for_each(link, next, &tcp->active->sent)
        set_lost(tcp, sent_of(link), false);
}

/* Makes one record of several that are lost: what a program wrote little by little need not be sent so again.
 */
static void join(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent, uint32_t mss) {
    while (sent->length > 0 && !sent->fin && sent->link.next != &tcp->active->sent) {
        struct tcp_rtx *next = sent_of(sent->link.next);
        if (!next->lost || sent->length + next->length > mss ||
            (tcp->active->mark_count > 0 &&
             tcp_write_mark_cut(tcp, sent->sequence, sent->length + next->length) <= sent->length))
            return;
        uint32_t before = tcp_rtx_segments(sent) + tcp_rtx_segments(next);
        sent->length = (uint16_t)(sent->length + next->length);
        sent->fin = next->fin;
        sent->pushed = next->pushed;
        next->length = 0; /* what it had is counted with the other now */
        tcp->active->scoreboard.count += tcp_rtx_segments(sent) + tcp_rtx_segments(next) - before;
        next->fin = false;
        return_record(stack, tcp, next);
    }
}

struct tcp_rtx *tcp_rtx_lost(struct stack *stack, struct tcp *tcp, uint32_t mss) {
    struct tcp_rtx *sent = first_lost(tcp);
    if (!sent)
        return NULL;
    join(stack, tcp, sent, mss);
    if (sent->length > mss && !cut(stack, tcp, sent, mss))
        return NULL;
    uint32_t before = tcp_rtx_segments(sent);
    sent->size = (uint16_t)mss;
    tcp->active->scoreboard.count -= before - tcp_rtx_segments(sent);
    return sent;
}

struct tcp_rtx *tcp_rtx_last(struct stack *stack, struct tcp *tcp) {
    if (list_empty(&tcp->active->sent))
        return NULL;
    struct tcp_rtx *last = sent_of(tcp->active->sent.previous);
    uint32_t all_but_one = (tcp_rtx_segments(last) - 1) * last->size;
    if (all_but_one > 0 && cut(stack, tcp, last, all_but_one))
        last = sent_of(tcp->active->sent.previous);
    return last;
}

void tcp_rtx_again(struct stack *stack, struct tcp *tcp, struct tcp_rtx *sent) {
    tcp_rate_sent(stack, tcp, sent);
    set_lost(tcp, sent, false);
    sent->sent_ns = transmission_time(stack, sent);
    need_tree(tcp);
    changed(tcp, sent);
    if (sent->transmissions < UINT8_MAX)
        sent->transmissions++;
}

bool tcp_rtx_repair(struct stack *stack, struct tcp *tcp) {
    struct tcp_scoreboard *board = &tcp->active->scoreboard;
    uint32_t next = tcp->snd_una, steps = 0;
    board->sacked_bytes = board->sacked_count = board->lost_bytes = board->count = 0;
    tcp->active->sent_root = NULL;
    for (struct list *link = tcp->active->sent.next; link != &tcp->active->sent; link = link->next) {
        struct tcp_rtx *sent = sent_of(link);
        if (!pool_has(&stack->sent, sent) || steps++ > stack->sent.used || sent->sequence != next)
            return false;
        uint32_t offset = next - tcp->snd_una;
        if (offset + sent->length > tcp->send.length)
            return false;
        if (sent->length > 0)
            set_place(sent, byte_queue_at(&tcp->send, offset));
        next += tcp_rtx_span(sent);
        board->count += tcp_rtx_segments(sent);
        if (sent->sacked) {
            board->sacked_bytes += tcp_rtx_span(sent);
            board->sacked_count += tcp_rtx_segments(sent);
        } else if (sent->lost) {
            board->lost_bytes += tcp_rtx_span(sent);
        }
    }
    need_tree(tcp);
    return next == tcp->snd_nxt;
}
