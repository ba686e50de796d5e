/* SPDX-License-Identifier: MIT */
/*
 * bind_low.c - binds ports below 1024 as somebody who may or may not. bind_low
 * root|other|other-capable|root-less
 *
 * Says what each bind(2) gave: TCP 80, UDP 53, UDP 1024.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OTHER 65534
#define BIND (1u << CAP_NET_BIND_SERVICE)

static int set_capabilities(unsigned capabilities) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = capabilities, .permitted = capabilities}};
    return (int)syscall(SYS_capset, &header, data);
}

static const char *try_bind(int type, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, type, 0);
    int result = fd < 0 ? fd : bind(fd, (struct sockaddr *)&address, sizeof address);
    return result < 0 ? strerrorname_np(errno) : "ok";
}

int main(int count, char **arguments) {
    const char *who = count > 1 ? arguments[1] : "root";
    close(socket(AF_INET, SOCK_DGRAM, 0));
    if (strncmp(who, "other", 5) == 0) {
        prctl(PR_SET_KEEPCAPS, strcmp(who, "other-capable") == 0);
        if (setgroups(0, NULL) || setgid(OTHER) || setuid(OTHER))
            return 2;
    }
    if (strcmp(who, "other-capable") == 0 && set_capabilities(BIND))
        return 2;
    if (strcmp(who, "root-less") == 0 && set_capabilities(0))
        return 2;
    printf("%s, ", try_bind(SOCK_STREAM, 80));
    printf("%s, ", try_bind(SOCK_DGRAM, 53));
    printf("%s\n", try_bind(SOCK_DGRAM, 1024));
    return 0;
}
