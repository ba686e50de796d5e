/* SPDX-License-Identifier: MIT */
/*
 * getaddrinfo.c - what getaddrinfo(3) says of every host in every family with every set of flags, as lines to
 * compare: getaddrinfo HOST...
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void tell(const struct addrinfo *one) {
    char host[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *in = (const void *)one->ai_addr;
    const struct sockaddr_in6 *in6 = (const void *)one->ai_addr;
    bool six = one->ai_family == AF_INET6;
    inet_ntop(one->ai_family, six ? (const void *)&in6->sin6_addr : &in->sin_addr, host, sizeof host);
    printf(" %s:%d/%d/%d/%x%s%s%s", host, ntohs(six ? in6->sin6_port : in->sin_port), one->ai_socktype,
           one->ai_protocol, (unsigned)one->ai_flags, one->ai_canonname ? "(" : "",
           one->ai_canonname ? one->ai_canonname : "", one->ai_canonname ? ")" : "");
}

static void ask(const char *host, const char *service, int family, int type, int flags) {
    const struct addrinfo hints = {.ai_family = family, .ai_socktype = type, .ai_flags = flags};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(host, service, &hints, &found);
    printf("%s %s family %d type %d flags %x:", host ? host : "NULL", service ? service : "NULL", family,
           type, (unsigned)flags);
    if (error)
        printf(" %s", gai_strerror(error));
    for (struct addrinfo *one = found; one; one = one->ai_next)
        tell(one);
    printf("\n");
    if (found)
        freeaddrinfo(found);
}

static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
static const char *const services[] = {"80", "http", "nosuchservice", "*", NULL};
static const int flag_bits[] = {AI_ADDRCONFIG, AI_V4MAPPED, AI_ALL, AI_PASSIVE, AI_CANONNAME, AI_NUMERICHOST};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

int main(int count, char **hosts) {
    for (int i = 1; i < count; i++) {
        const char *host = strcmp(hosts[i], "NULL") == 0 ? NULL : hosts[i];
        for (size_t family = 0; family < COUNT(families); family++) {
            for (unsigned set = 0; set < 1u << COUNT(flag_bits); set++) {
                int flags = 0;
                for (size_t bit = 0; bit < COUNT(flag_bits); bit++)
                    flags |= set & 1u << bit ? flag_bits[bit] : 0;
                ask(host, "80", families[family], SOCK_STREAM, flags);
            }
            for (size_t service = 0; service < COUNT(services); service++) {
                ask(host, services[service], families[family], 0, AI_ADDRCONFIG);
                ask(host, services[service], families[family], SOCK_DGRAM, AI_NUMERICSERV);
            }
            ask(host, "80", families[family], SOCK_STREAM, 0x8000);
            ask(host, "80", families[family], 99, 0);
        }
    }
    struct addrinfo *found;
    printf("no hints: %s\n", gai_strerror(getaddrinfo("127.0.0.1", "80", NULL, &found)));
    return 0;
}
