/* SPDX-License-Identifier: MIT */
/*
 * tcp_congestion_name.c - the algorithms of tcp_congestion.h by their names, also for a program that has no stack.
 */
#include "stack/tcp/tcp_congestion.h"
#include <string.h>

static const char *const names[TCP_ALGORITHMS] = {[TCP_CUBIC] = "cubic",
                                                  [TCP_RENO] = "reno",
                                                  [TCP_BBR] = "bbr",
                                                  [TCP_BBR3] = "bbr3",
                                                  [TCP_DCTCP] = "dctcp"};

const char *tcp_congestion_name(enum tcp_algorithm algorithm) {
    return names[algorithm];
}

int tcp_congestion_find(const char *name, uint32_t length) {
    for (int i = 0; i < TCP_ALGORITHMS; i++)
        if (strnlen(name, length) == strlen(names[i]) && memcmp(name, names[i], strlen(names[i])) == 0)
            return i;
    return -1;
}
