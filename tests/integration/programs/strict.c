/* SPDX-License-Identifier: MIT */
/*
 * strict.c - a program that goes into SECCOMP_MODE_STRICT with a connection, as prctl(2) has it: after that it reads and
 * writes, and ends.
 *
 *   strict ADDRESS PORT prctl|seccomp end|kill      a web server's; the last: whether it ends by exit(2), or by another call
 */
#include <arpa/inet.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **arguments) {
    static const char request[] = "GET /1M HTTP/1.0\r\n\r\n";
    static char bytes[65536];
    if (count < 5)
        return 2;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    inet_aton(arguments[1], &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return 3;
    if (strcmp(arguments[3], "prctl") == 0 ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)
                                           : syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL))
        return 4;
    ssize_t got = write(fd, request, sizeof request - 1), all = 0;
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        all += got;
    if (got == 0 && all > 1 << 20 && write(1, "all\n", 4) == 4 && strcmp(arguments[4], "kill") == 0)
        getuid();
    syscall(SYS_exit, 0);
}
