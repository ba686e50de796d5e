/* SPDX-License-Identifier: MIT */
/*
 * start.c - how long a program takes from its start to its end: start COUNT PROGRAM [ARG...]
 *
 * Prints the 10th percentile of so many starts, in milliseconds: what else the machine does makes the others longer.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

int main(int count, char **arguments) {
    int starts = count > 2 ? atoi(arguments[1]) : 0, status;
    double *took = starts > 0 ? calloc((size_t)starts, sizeof *took) : NULL;
    if (!took)
        return 2;
    for (int i = 0; i < starts; i++) {
        double begun = now_ms();
        pid_t child;
        if (posix_spawnp(&child, arguments[2], NULL, NULL, arguments + 2, environ) != 0 ||
            waitpid(child, &status, 0) != child || status != 0)
            return 1;
        took[i] = now_ms() - begun;
    }
    qsort(took, (size_t)starts, sizeof *took, compare);
    printf("%.3f\n", took[starts / 10]);
    return 0;
}
