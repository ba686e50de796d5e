/* SPDX-License-Identifier: MIT */
/*
 * resolve_a.c - getaddrinfo_a(3): resolves its arguments at the same time, and prints what became of each.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
    struct gaicb requests[16], *list[16];
    const struct timespec patience = {10, 0};
    int names = count - 1;
    if (names < 1 || names > 16)
        return 2;
    memset(requests, 0, sizeof requests);
    for (int i = 0; i < names; i++) {
        requests[i].ar_name = arguments[i + 1];
        list[i] = &requests[i];
    }
    if (getaddrinfo_a(GAI_NOWAIT, list, names, NULL))
        return 1;
    for (int i = 0; i < names; i++) {
        const struct gaicb *one[] = {&requests[i]};
        while (gai_error(&requests[i]) == EAI_INPROGRESS)
            if (gai_suspend(one, 1, &patience) == EAI_AGAIN)
                return 1;
        if (gai_error(&requests[i])) {
            printf("%s %d, ", arguments[i + 1], gai_error(&requests[i]));
            continue;
        }
        char text[INET_ADDRSTRLEN];
        struct sockaddr_in *address = (struct sockaddr_in *)requests[i].ar_result->ai_addr;
        printf("%s %s, ", arguments[i + 1], inet_ntop(AF_INET, &address->sin_addr, text, sizeof text));
        freeaddrinfo(requests[i].ar_result);
    }
    printf("\n");
    return 0;
}
