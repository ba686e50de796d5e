/* SPDX-License-Identifier: MIT */
/*
 * tcp_pmtu.c - what a connection learns of the way to its peer: ICMP errors (RFC 5927), the path's MTU (RFC
 * 1191), and routers that swallow what is too long without a word (RFC 4821).
 *
 * A black hole is suspected when segments longer than the default MSS time out three times in a row: the MSS
 * is halved. As soon as data gets through again a single segment of the full length is tried: when the line
 * was merely down, it gets through and all is as before; when it is lost, the next is tried after ten
 * minutes.
 */
#include "stack/tcp/tcp_pmtu.h"
#include "stack/base/wire.h"
#include "stack/stack.h"
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_handshake.h"
#include "stack/tcp/tcp_time_wait.h"
#include <errno.h>

#define PROBE_AGAIN_NS UINT64_C(600000000000) /* net.ipv4.tcp_probe_interval */
#define SUSPICIOUS_TIMEOUTS 2

static uint16_t full_mss(const struct stack *stack, const struct tcp *tcp) {
    const struct ip_options *ip_options = socket_ip_options(tcp->socket);
    uint32_t mss =
        ip_mtu(stack, tcp->remote_address) - ip_header_bytes(tcp->remote_address) - TCP_HEADER_BYTES;
    if (ip_options)
        mss = mss > 64u + ip_options->length ? mss - ip_options->length : 64;
    if (!ip_is_v4(tcp->remote_address) && tcp->socket && tcp->socket->filters) {
        uint32_t extensions = ip6_extensions_bytes(socket_extensions6(tcp->socket));
        mss = mss > 64u + extensions ? mss - extensions : 64;
    }
    if (mss > tcp->path.mss_peer)
        mss = tcp->path.mss_peer;
    /* Options that are in each segment: RFC 6691. */
    uint32_t options = (tcp->timestamps ? TCP_TIMESTAMP_BYTES : 0) +
                       (tcp_md5_find(tcp, tcp->remote_address) ? TCP_MD5_OPTION_BYTES : 0);
    return (uint16_t)(mss - options);
}

void tcp_path_begin(const struct stack *stack, struct tcp *tcp, uint16_t mss_peer) {
    tcp->path = (struct tcp_path){.mss_peer = mss_peer, .generation = stack->paths.generation};
    tcp->mss = tcp->path.mss_full = full_mss(stack, tcp);
    tcp->path.may_fragment = !ip_path_whole(stack, tcp->remote_address);
}

void tcp_path_measure(struct stack *stack, struct tcp *tcp) {
    tcp->path.generation = stack->paths.generation;
    if (!tcp->path.mss_peer || tcp->state == TCP_CLOSE)
        return;
    uint16_t full = full_mss(stack, tcp);
    bool shorter = full < tcp->mss;
    tcp->path.may_fragment = !ip_path_whole(stack, tcp->remote_address);
    tcp->path.mss_full = full;
    if (shorter || !tcp->path.mss_reduced)
        tcp->mss = full;
    if (shorter && tcp->state != TCP_SYN_RECV) {
        tcp_rtx_lose_longer(tcp, full); /* it did not get through, and that is no congestion */
        tcp_want_output(stack, tcp);
    }
}

void tcp_path_timeout(struct stack *stack, struct tcp *tcp) {
    tcp_path_lost(stack, tcp);
    uint32_t in_flight = tcp->snd_nxt - tcp->snd_una;
    uint16_t least = tcp_default_mss(tcp);
    if (tcp->retransmits < SUSPICIOUS_TIMEOUTS || tcp->mss <= least || in_flight <= least)
        return;
    stack->mib.TcpExtTCPMTUPFail++;
    tcp->mss = tcp->mss / 2 > least ? tcp->mss / 2 : least;
    tcp->path.mss_reduced = true;
    tcp->path.probe_due_ns = stack->now_ns;
}

void tcp_path_lost(struct stack *stack, struct tcp *tcp) {
    if (!tcp->active->mtu_probing)
        return;
    stack->mib.TcpExtTCPMTUPFail++;
    tcp->active->mtu_probing = false;
    tcp->path.probe_due_ns = stack->now_ns + PROBE_AGAIN_NS;
}

bool tcp_path_probe_due(const struct stack *stack, const struct tcp *tcp, uint32_t left, uint32_t room) {
    const struct tcp_path *path = &tcp->path;
    return path->mss_reduced && !tcp->active->mtu_probing && tcp->retransmits == 0 &&
           stack->now_ns >= path->probe_due_ns && left >= path->mss_full && room >= path->mss_full;
}

void tcp_path_probed(struct tcp *tcp) {
    tcp->active->mtu_probing = true;
    tcp->active->mtu_probe_end = tcp->snd_nxt;
}

void tcp_path_acknowledged(struct stack *stack, struct tcp *tcp) {
    if (!tcp->active->mtu_probing || seq_lt(tcp->snd_una, tcp->active->mtu_probe_end))
        return;
    stack->mib.TcpExtTCPMTUPSuccess++;
    tcp->active->mtu_probing = tcp->path.mss_reduced = false;
    tcp->mss = tcp->path.mss_full;
}

void tcp_error(struct stack *stack, const struct icmp_quoted *quoted, const struct icmp_error *error) {
    struct tcp *tcp = tcp_lookup(stack, quoted->local, wire_get16(quoted->transport), quoted->remote,
                                 wire_get16(quoted->transport + 2));
    uint32_t sequence = wire_get32(quoted->transport + 4);
    if (!tcp) {
        stack->mib.TcpExtOutOfWindowIcmps +=
            tcp_time_wait_find(stack, quoted->local, wire_get16(quoted->transport), quoted->remote,
                               wire_get16(quoted->transport + 2)) != NULL;
        return;
    }
    /* RFC 5927: an error that quotes nothing in flight is not about us. */
    uint32_t first = tcp_is_opening(tcp) ? tcp->iss : tcp->snd_una;
    if (tcp->state == TCP_TIME_WAIT || seq_lt(sequence, first) || seq_gt(sequence, tcp->snd_nxt)) {
        stack->mib.TcpExtOutOfWindowIcmps++;
        return;
    }
    if (icmp_is_too_long(error)) {
        bool syn_data = tcp->state == TCP_SYN_SENT && tcp->fastopen & TCP_FASTOPEN_DATA;
        if (tcp->snd_una != tcp->snd_nxt && (tcp->state != TCP_SYN_SENT || syn_data))
            ip_path_reduce(stack, tcp->remote_address, error->info, quoted->total);
        if (tcp->path.generation != stack->paths.generation) {
            tcp_work_on(stack, tcp);
            tcp_path_measure(stack, tcp);
        }
        if (syn_data)
            tcp_send_syn(stack, tcp); /* without the data, which was too long */
        return;
    }
    tcp_work_on(stack, tcp);
    if (tcp->state == TCP_SYN_RECV && tcp->listener && !tcp->in_accept_queue) {
        /* Who asked can't be reached: as if it had not. */
        if (icmp_is_unreachable(error))
            tcp_destroy(stack, tcp);
    } else if (tcp->state == TCP_SYN_SENT) {
        stack->mib.TcpAttemptFails++;
        tcp->history.icmp_from = error->offender;
        tcp_end(stack, tcp, error->error);
    } else {
        /* Soft (RFC 1122 section 4.2.3.9): the connection goes on trying, and tells when it gives up. */
        tcp->soft_error = error->error;
    }
}
