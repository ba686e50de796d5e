/* SPDX-License-Identifier: MIT */
/*
 * preload.c - what read(2) and write(2) of files cost: nanoseconds of each, the median of several rounds.
 * With the library preloaded and without, the difference is what it adds to what is none of its business.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 15
#define CALLS 200000

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

int main(void) {
    double rounds[ROUNDS];
    char byte = 0;
    int from = open("/dev/null", O_RDONLY), to = open("/dev/null", O_WRONLY);
    if (from < 0 || to < 0)
        return 1;
    for (int round = 0; round < ROUNDS; round++) {
        double begun = now_ns();
        for (int i = 0; i < CALLS; i++)
            if (read(from, &byte, 1) != 0 || write(to, &byte, 1) != 1)
                return 1;
        rounds[round] = (now_ns() - begun) / (2 * CALLS);
    }
    qsort(rounds, ROUNDS, sizeof *rounds, compare);
    printf("%.2f\n", rounds[ROUNDS / 2]);
    return 0;
}
