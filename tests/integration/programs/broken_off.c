/* SPDX-License-Identifier: MIT */
/*
 * broken_off.c - connects to a process that breaks each connection off at once: connect(2) has done its work by then, and
 * says so. Prints how many of 1,000 calls failed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLS = 1000 };

static void break_off(int listener) {
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        struct linger linger = {.l_onoff = 1};
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(peer);
    }
}

int main(void) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(9203), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), failed = 0;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 10)) {
        perror("listen");
        return 1;
    }
    pid_t child = fork();
    if (child == 0)
        break_off(listener);
    for (int i = 0; i < CALLS; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        usleep(200); /* the other waits for it */
        failed += connect(client, (struct sockaddr *)&address, sizeof address) != 0;
        close(client);
    }
    kill(child, SIGKILL);
    printf("%d\n", failed);
    return 0;
}
