/* SPDX-License-Identifier: MIT */
/*
 * reserved_port.c - bindresvport(3) and rresvport(3): what they say, and whether the stack knows the port.
 * reserved_port
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void tell(const char *what, int result, int fd) {
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    int error = errno;
    getsockname(fd, (struct sockaddr *)&name, &length);
    int port = ntohs(((struct sockaddr_in *)&name)->sin_port);
    printf("%s: %s, family %d, port %s\n", what, result < 0 ? strerror(error) : "fine", name.ss_family,
           port == 0     ? "none"
           : port < 600  ? "below 600"
           : port < 1024 ? "reserved"
                         : "other");
}

int main(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), second = socket(AF_INET, SOCK_DGRAM, 0), port = 1023,
        other = 1023;
    struct sockaddr_in address = {.sin_family = AF_INET}, wrong = {.sin_family = AF_UNIX};
    tell("bindresvport", bindresvport(fd, NULL), fd);
    tell("again", bindresvport(fd, NULL), fd);
    tell("with an address", bindresvport(second, &address), second);
    printf("told: %d\n", ntohs(address.sin_port) >= 600 && ntohs(address.sin_port) < 1024);
    tell("of another family", bindresvport(second, &wrong), second);
    fd = rresvport(&port);
    tell("rresvport", fd, fd);
    second = rresvport(&other);
    tell("another", second, second);
    printf("%d, %d\n", port, port - other);
    port = 5;
    fd = rresvport_af(&port, AF_INET6);
    tell("of AF_INET6", fd, fd);
    tell("of AF_UNIX", rresvport_af(&port, AF_UNIX), -1);
    return 0;
}
