/* SPDX-License-Identifier: MIT */
/*
 * tcp_model.c - see tcp_model.h. A connection lies in memory that processes share, each of which has the operations
 * elsewhere: it is the algorithm's number that leads to them.
 */
#include "stack/tcp/tcp_model.h"
#include "stack/tcp/tcp.h"

static const struct tcp_model_operations *const models[TCP_ALGORITHMS] = {
    [TCP_BBR] = &tcp_bbr_operations,
    [TCP_BBR3] = &tcp_bbr3_operations,
};

const struct tcp_model_operations *tcp_model_of(enum tcp_algorithm algorithm) {
    return algorithm < TCP_ALGORITHMS ? models[algorithm]
                                      : NULL; /* whoever is on the stack can write to its memory */
}

const struct tcp_model_operations *tcp_model(const struct tcp *tcp) {
    return tcp->congestion.model ? tcp_model_of((enum tcp_algorithm)tcp->congestion.algorithm) : NULL;
}
