/* SPDX-License-Identifier: MIT */
/*
 * tcp_syncookie.c - see tcp_syncookie.h. The sequence number: 8 bits of time, 24 of hash and MSS.
 */
#include "stack/tcp/tcp_syncookie.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"

#define PERIOD_NS UINT64_C(64000000000)
#define PERIODS_VALID 2u
#define NO_SCALE 15u

enum stamp_bits { /* of a timestamp */
                  STAMP_SCALE = 0x0f,
                  STAMP_SACK = 0x10,
                  STAMP_ECN = 0x20,
                  STAMP_ALL = 0x3f,
};

static const uint16_t mss_values[] = {536, 1300, 1440, 1460};
#define MSS_VALUES (sizeof mss_values / sizeof *mss_values)

struct input {
    struct ip_address local, remote;
    uint16_t local_port, remote_port;
    uint32_t irs, period;
};

#define SECRET 0x5ca1ab1e /* another use of the key than initial sequence numbers */

static uint32_t hash_of(const struct stack *stack, const struct input *input) {
    uint64_t key[2];
    uint32_t words[3 + IP_TUPLE_WORDS] = {input->irs, input->period, SECRET};
    size_t length = 3 * sizeof *words +
                    ip_tuple(words + 3, input->local, input->local_port, input->remote, input->remote_port);
    memcpy(key, stack->isn_key, sizeof key);
    return (uint32_t)siphash(key, words, length) & 0xffffff;
}

static uint32_t period_now(const struct stack *stack) {
    return (uint32_t)(stack->now_ns / PERIOD_NS);
}

void tcp_syncookie_make(struct stack *stack, struct tcp *tcp) {
    struct input input = {.local = tcp->binding.address,
                          .remote = tcp->remote_address,
                          .irs = tcp->irs,
                          .period = period_now(stack),
                          .local_port = tcp->binding.port,
                          .remote_port = tcp->remote_port};
    uint32_t index = MSS_VALUES - 1;
    while (index > 0 && mss_values[index] > tcp->path.mss_peer)
        index--;
    tcp->iss = input.period << 24 | ((hash_of(stack, &input) + index) & 0xffffff);
    tcp->snd_una = tcp->snd_nxt = tcp->iss;
    if (!tcp->timestamps) {
        tcp->scaling = tcp->sack_permitted = false; /* nothing would tell us later */
        tcp->rcv_scale = tcp->snd_scale = 0;
    }
}

void tcp_syncookie_put(const struct tcp *tcp, struct tcp_segment *answer) {
    uint32_t bits = (tcp->scaling ? tcp->snd_scale : NO_SCALE) | (tcp->sack_permitted ? STAMP_SACK : 0);
    uint32_t stamp = (answer->timestamp & ~(uint32_t)STAMP_ALL) | bits;
    if (seq_gt(stamp, answer->timestamp))
        stamp -= STAMP_ALL + 1; /* never ahead of the clock */
    answer->timestamp = stamp;
}

bool tcp_syncookie_check(struct stack *stack, const struct ip_packet *packet,
                         const struct tcp_segment *segment, struct tcp_segment *syn) {
    uint32_t cookie = segment->acknowledgment - 1;
    struct input input = {.local = packet->destination,
                          .remote = packet->source,
                          .irs = segment->sequence - 1,
                          .local_port = segment->destination_port,
                          .remote_port = segment->source_port};
    if (!stack->syncookies_sent_ns || stack->now_ns - stack->syncookies_sent_ns > PERIODS_VALID * PERIOD_NS)
        return false;
    uint32_t age = (period_now(stack) - (cookie >> 24)) & 0xff;
    if (age >= PERIODS_VALID) {
        stack->mib.TcpExtSyncookiesFailed++;
        return false;
    }
    input.period = period_now(stack) - age;
    uint32_t index = (cookie - hash_of(stack, &input)) & 0xffffff;
    if (index >= MSS_VALUES) {
        stack->mib.TcpExtSyncookiesFailed++;
        return false;
    }
    uint32_t stamp = segment->has_timestamp ? segment->timestamp_echo : NO_SCALE;
    bool scaled = (stamp & STAMP_SCALE) != NO_SCALE && segment->has_timestamp;
    *syn = (struct tcp_segment){.sequence = segment->sequence - 1,
                                .source_port = segment->source_port,
                                .destination_port = segment->destination_port,
                                .window = segment->window,
                                .flags = TCP_SYN,
                                .mss = mss_values[index],
                                .window_scale = (int8_t)(scaled ? (int)(stamp & STAMP_SCALE) : -1),
                                .sack_permitted = segment->has_timestamp && stamp & STAMP_SACK,
                                .has_timestamp = segment->has_timestamp,
                                .timestamp = segment->timestamp};
    return true;
}
