/* SPDX-License-Identifier: MIT */
/*
 * ip6_label.h - flow labels that programs lease (IPV6_FLOWLABEL_MGR of <linux/in6.h>;
 * RFC 6437).
 *
 * Theory of operation. A program asks for a label, one that it names or any that is free, and says who else may use it:
 * nobody, its process, its user, or anybody. The label is the socket's until it gives it back or ends, and is not
 * given to others for a while afterwards (linger), so that packets on their way are not taken for another flow's. As long
 * as there is one that is not for anybody, a socket sends with labels that it has leased, and no others.
 */
#ifndef STACK_IP_IP6_LABEL_H
#define STACK_IP_IP6_LABEL_H

#include "stack/ip/ip_address.h"

#define IP6_LABELS_MAX 256u
#define IP6_LABELS_OF_SOCKET 32u

struct stack;
struct socket;

/* struct in6_flowlabel_req of <linux/in6.h>, which does not go with <netinet/in.h>. */
struct ip6_label_request {
    struct ip_address destination;
    uint32_t label;           /* as on the wire */
    uint8_t action;           /* enum ip6_label_action */
    uint8_t share;            /* enum ip6_label_share */
    uint16_t flags;           /* enum ip6_label_flag */
    uint16_t expires, linger; /* s */
    uint32_t pad;
};

enum ip6_label_action { IP6_LABEL_GET, IP6_LABEL_PUT, IP6_LABEL_RENEW };
enum ip6_label_share {
    IP6_LABEL_NONE,
    IP6_LABEL_EXCLUSIVE,
    IP6_LABEL_PROCESS,
    IP6_LABEL_USER,
    IP6_LABEL_ANYBODY = 255
};
enum ip6_label_flag {
    IP6_LABEL_CREATE = 1,
    IP6_LABEL_ALONE = 2, /* IPV6_FL_F_EXCL: it must be new */
    IP6_LABEL_REFLECT = 4,
    IP6_LABEL_REMOTE = 8
};

/* Who asks. */
struct ip6_label_owner {
    uint32_t process, user;
    bool privileged; /* CAP_NET_ADMIN */
};

struct ip6_label {
    uint32_t label; /* 0: this place is free */
    uint32_t owner; /* a process or a user, by `share` */
    uint8_t share;
    uint64_t linger_ns;
    uint64_t expires_ns, used_ns; /* when */
    struct ip_address destination;
};

struct ip6_labels {
    struct ip6_label entries[IP6_LABELS_MAX];
};

/* setsockopt(2): does what a request says; the label is written into one that names none. Returns 0, or what Linux's
 * ipv6_flowlabel_opt says: -EINVAL, -EPERM, -EEXIST, -ENOENT, -ESRCH, -ENOBUFS, -ENOPROTOOPT. */
int ip6_label_set(struct stack *stack, struct socket *socket, struct ip6_label_request *request,
                  const struct ip6_label_owner *owner);

/* getsockopt(2): tells of the label that the socket is connected with. Returns 0, -EINVAL or -ENOENT. */
int ip6_label_get(const struct stack *stack, const struct socket *socket, struct ip6_label_request *request);

/* Whether a socket may send with a label. */
bool ip6_label_may(struct stack *stack, const struct socket *socket, uint32_t label);

/* A socket ends, with all that it has leased. */
void ip6_label_release(struct stack *stack, struct socket *socket);

/* How many sockets have a label. */
uint32_t ip6_label_users(const struct stack *stack, uint32_t label);

#endif
