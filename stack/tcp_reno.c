/*
 * tcp_reno.c - see tcp_reno.h.
 */
#include "tcp_reno.h"

#define CWND_MAX (UINT32_C(1) << 30)

static uint32_t half_flight(uint32_t in_flight, uint32_t mss) {
    return in_flight / 2 > 2 * mss ? in_flight / 2 : 2 * mss;
}

void tcp_reno_init(struct tcp_congestion *congestion, uint32_t mss, uint32_t iss) {
    *congestion =
        (struct tcp_congestion){.cwnd = TCP_INITIAL_SEGMENTS * mss, .ssthresh = CWND_MAX, .recover = iss};
}

void tcp_reno_acknowledged(struct tcp_congestion *congestion, uint32_t bytes, uint32_t mss) {
    if (congestion->cwnd < congestion->ssthresh) {
        congestion->cwnd += bytes;
    } else {
        congestion->acked += bytes;
        if (congestion->acked >= congestion->cwnd) {
            congestion->acked -= congestion->cwnd;
            congestion->cwnd += mss;
        }
    }
    if (congestion->cwnd > CWND_MAX)
        congestion->cwnd = CWND_MAX;
}

void tcp_reno_enter_recovery(struct tcp_congestion *congestion, uint32_t in_flight, uint32_t snd_max,
                             uint32_t mss) {
    congestion->ssthresh = half_flight(in_flight, mss);
    congestion->cwnd = congestion->ssthresh + 3 * mss;
    congestion->recovering = true;
    congestion->recover = snd_max;
    congestion->acked = 0;
}

void tcp_reno_inflate(struct tcp_congestion *congestion, uint32_t mss) {
    if (congestion->cwnd < CWND_MAX)
        congestion->cwnd += mss;
}

bool tcp_reno_partial(struct tcp_congestion *congestion, uint32_t snd_una, uint32_t bytes, uint32_t in_flight,
                      uint32_t mss) {
    if (seq_ge(snd_una, congestion->recover)) {
        /* RFC 6582 section 3.2 step 3, the first option: no burst after recovery. */
        uint32_t gentle = (in_flight > mss ? in_flight : mss) + mss;
        congestion->cwnd = gentle < congestion->ssthresh ? gentle : congestion->ssthresh;
        congestion->recovering = false;
        congestion->duplicate_acks = 0;
        return false;
    }
    congestion->cwnd = congestion->cwnd > bytes ? congestion->cwnd - bytes : 0;
    if (bytes >= mss)
        congestion->cwnd += mss;
    if (congestion->cwnd < mss)
        congestion->cwnd = mss;
    return true;
}

void tcp_reno_timeout(struct tcp_congestion *congestion, uint32_t in_flight, uint32_t mss, bool first) {
    if (first)
        congestion->ssthresh = half_flight(in_flight, mss);
    congestion->cwnd = mss;
    congestion->acked = 0;
    congestion->recovering = false;
    congestion->duplicate_acks = 0;
}
