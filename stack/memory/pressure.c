/* SPDX-License-Identifier: MIT */
/*
 * pressure.c - see pressure.h.
 */
#include "stack/memory/pressure.h"
#include "stack/base/minmax.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_reassembly.h"

#define LINE 64u      /* bytes: a cache line */
#define PRUNE_MOST 16 /* connections at a time */

/* Above tcp_mem[1] a connection's share of what there is up to tcp_mem[2] is a fourth of its part: as
 * connections come, each fills its share and keeps it, and the sum of 1/n over 55 times as many is four. */
#define SHARES 4u

void memory_init(struct stack *stack) {
    const struct arena *arena = &stack->arena;
    uint32_t blocks = arena->block_limit, per_block = stack->buffers.objects_per_block;
    uint32_t pages = blocks * (ARENA_BLOCK_BYTES / MEMORY_PAGE_BYTES);
    struct sysctl *sysctl = &stack->sysctl;
    /* In Linux's proportion to each other. Linux takes a sixteenth and an eighth of all memory; this is the
     * stack's own. */
    sysctl->tcp_mem[0] = pages / 4;
    sysctl->tcp_mem[1] = pages / 3;
    sysctl->tcp_mem[2] = pages / 2;
    sysctl->udp_mem[0] = pages / 8;
    sysctl->udp_mem[1] = pages / 6;
    sysctl->udp_mem[2] = pages / 4;
    stack->buffers.limit = (blocks - blocks / 8) * per_block;
    stack->buffers.reserve = 0;
    size_classes_init(&stack->memory.out_of_order);
}

uint32_t memory_tcp_pages(const struct stack *stack) {
    uint64_t lines =
        (uint64_t)(stack->buffers.used - stack->memory.datagram_buffers) * (BUFFER_BYTES / LINE) +
        ((uint64_t)stack->sent.used * stack->sent.object_bytes +
         (uint64_t)stack->out_of_order_segments.used * stack->out_of_order_segments.object_bytes) /
            LINE;
    return (uint32_t)(lines / (MEMORY_PAGE_BYTES / LINE));
}

uint32_t memory_udp_pages(const struct stack *stack) {
    return (uint32_t)(((uint64_t)stack->memory.datagram_buffers * BUFFER_BYTES +
                       (uint64_t)stack->datagrams.used * stack->datagrams.object_bytes) /
                      MEMORY_PAGE_BYTES);
}

static uint32_t held_by(const struct tcp *tcp) {
    return tcp->send.buffers + tcp->receive.buffers + tcp->active->out_of_order.buffers;
}

uint32_t memory_room(struct stack *stack, const struct tcp *tcp) {
    const uint32_t *marks = stack->sysctl.tcp_mem, of_page = MEMORY_PAGE_BYTES / BUFFER_BYTES;
    uint32_t pages = memory_tcp_pages(stack);
    if (pages <= marks[0])
        stack->memory.pressure = false;
    else if (pages > marks[1])
        stack->memory.pressure = true;
    if (pages >= marks[2])
        return 0;
    uint32_t left = marks[2] - pages;
    if (stack->memory.pressure) {
        uint32_t beyond = marks[2] - min_u32(marks[1], marks[2]);
        uint32_t open = stack->connections.used + stack->time_waits.used - stack->time_wait_count;
        uint32_t share = beyond / (SHARES * open);
        uint32_t held = held_by(tcp) / of_page;
        left = min_u32(left, share > held ? share - held : 0);
    }
    return min_u32(left, UINT32_MAX / of_page) * of_page;
}

bool memory_has_least(const struct stack *stack) {
    return stack->buffers.used < stack->buffers.limit - stack->buffers.limit / 8;
}

void memory_prune(struct stack *stack) {
    struct list *link;
    for (int i = 0; i < PRUNE_MOST && memory_tcp_pages(stack) > stack->sysctl.tcp_mem[2] &&
                    (link = size_class_largest(&stack->memory.out_of_order));
         i++) {
        stack->mib.TcpExtOfoPruned++;
        tcp_reassembly_purge(stack, container_of(link, struct tcp_active, memory_link)->owner);
    }
}

bool memory_admits_datagram(const struct stack *stack, const struct socket *socket, uint32_t buffers) {
    const struct sysctl *sysctl = &stack->sysctl;
    uint32_t pages = memory_udp_pages(stack) + buffers * BUFFER_BYTES / MEMORY_PAGE_BYTES;
    if (pages <= sysctl->udp_mem[0])
        return true;
    return pages <= sysctl->udp_mem[2] && socket->datagram_bytes < sysctl->udp_rmem_min;
}
