/* SPDX-License-Identifier: MIT */
/*
 * messages.c - sendmmsg(2) and recvmmsg(2).
 *
 *   messages send ADDRESS PORT     ten datagrams of 1 to 10 bytes, in one call
 *   messages receive PORT          the same, in as few calls as it takes
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT 10

int main(int count, char **arguments) {
    char bytes[COUNT][100];
    struct iovec pieces[COUNT];
    struct mmsghdr messages[COUNT];
    int sending = count == 4, fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (count < 3)
        return 2;
    address.sin_port = htons((unsigned short)atoi(arguments[count - 1]));
    if (sending)
        inet_pton(AF_INET, arguments[2], &address.sin_addr);
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < COUNT; i++) {
        memset(bytes[i], 'a' + i, sizeof bytes[i]);
        pieces[i] = (struct iovec){bytes[i], sending ? (size_t)i + 1 : sizeof bytes[i]};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        if (sending) {
            messages[i].msg_hdr.msg_name = &address;
            messages[i].msg_hdr.msg_namelen = sizeof address;
        }
    }
    if (sending) {
        printf("sent %d\n", sendmmsg(fd, messages, COUNT, 0));
        return 0;
    }
    int got = 0;
    struct timeval patience = {5, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return 1;
    while (got < COUNT) {
        int more = recvmmsg(fd, messages + got, (unsigned)(COUNT - got), MSG_WAITFORONE, NULL);
        if (more <= 0)
            return 1;
        got += more;
    }
    for (int i = 0; i < COUNT; i++)
        if (messages[i].msg_len != (unsigned)i + 1 || bytes[i][0] != 'a' + i)
            return 1;
    printf("received %d of 1 to %d bytes\n", got, COUNT);
    return 0;
}
