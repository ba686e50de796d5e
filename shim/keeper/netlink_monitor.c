/* SPDX-License-Identifier: MIT */
/*
 * netlink_monitor.c - tells programs' netlink sockets of changes: rtnetlink(7)'s groups for the link, addresses, routes
 * and neighbours.
 *
 * Theory of operation. A program's NETLINK_ROUTE socket is one of NETLINK_USERSOCK that takes messages from its process's
 * own answering socket alone (netlink.h). When it joins a group, the library hands the keeper a copy of that answering
 * socket. Whoever changes something that is told of counts it in stack->changes; while there are members, that rings the
 * doorbell. The keeper then makes the messages that dumps of everything would have, compares them with those of the last
 * time, and tells what is new, different or gone; at most once per PICTURE_PAUSE_NS, as whoever is on the link can make
 * changes. A member that is closed is found out when it is told something.
 */
#include "shim/keeper/keeper.h"
#include "shim/region/lock.h"
#include "shim/region/netlink_route.h"
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMBERS_MAX 128
#define PICTURE_BYTES (512u * 1024)
#define PICTURE_PAUSE_NS 20000000u
#define MESSAGES_MAX 4096

struct member {
    int descriptor; /* the answering socket of its process ... */
    ino_t inode;    /* ... which says whose port it is: another network namespace has the same numbers */
    uint32_t port;
    uint64_t groups; /* a bit each; 0: a free place */
};

/* A message, by what it is about and by what it says of that. */
struct told {
    uint32_t at;
    uint16_t type;
    uint64_t key, value;
};

struct picture {
    uint8_t bytes[PICTURE_BYTES];
    struct told messages[MESSAGES_MAX];
    size_t count, used;
};

static struct member members[MEMBERS_MAX];
static pthread_mutex_t members_lock = PTHREAD_MUTEX_INITIALIZER; /* before the stack's, if both */
static struct picture pictures[2];
static unsigned newest; /* of the pictures */

/* Attributes by which a message's subject is known, and those that say something of it, as bits. */
#define BIT(attribute) (UINT64_C(1) << (attribute))

static const struct {
    size_t header;
    uint64_t key, value;
} KINDS[] = {
    [RTM_NEWLINK - RTM_BASE] = {sizeof(struct ifinfomsg), 0, BIT(IFLA_MTU) | BIT(IFLA_ADDRESS)},
    [RTM_NEWADDR - RTM_BASE] = {sizeof(struct ifaddrmsg), BIT(IFA_ADDRESS), BIT(IFA_FLAGS)},
    [RTM_NEWROUTE - RTM_BASE] = {sizeof(struct rtmsg),
                                 BIT(RTA_DST) | BIT(RTA_GATEWAY) | BIT(RTA_PRIORITY) | BIT(RTA_TABLE),
                                 BIT(RTA_PREF) | BIT(RTA_METRICS) | BIT(RTA_PREFSRC)},
    [RTM_NEWNEIGH - RTM_BASE] = {sizeof(struct ndmsg), BIT(NDA_DST), BIT(NDA_LLADDR)},
};

static uint64_t add(uint64_t hash, const void *bytes, size_t length) {
    const uint64_t key[2] = {hash, length};
    return siphash(key, bytes, length);
}

/* What of a header changes while its subject stays: it is taken out of `header`, and returned. */
static uint32_t take_value(uint16_t type, void *header) {
    struct ifinfomsg *link = header;
    struct ifaddrmsg *address = header;
    struct ndmsg *neighbour = header;
    uint32_t value = 0;
    if (type == RTM_NEWLINK) {
        value = link->ifi_flags;
        link->ifi_flags = 0;
    } else if (type == RTM_NEWADDR) {
        address->ifa_flags = 0; /* IFA_FLAGS says them all */
    } else if (type == RTM_NEWNEIGH) {
        value = (uint32_t)neighbour->ndm_flags << 16 |
                (neighbour->ndm_state == NUD_DELAY ? NUD_STALE : neighbour->ndm_state);
        neighbour->ndm_flags = 0;
        neighbour->ndm_state = 0;
    }
    return value;
}

static struct told look_at(const struct picture *picture, uint32_t at) {
    const struct nlmsghdr *message = (const struct nlmsghdr *)(picture->bytes + at);
    struct told told = {.at = at, .type = message->nlmsg_type};
    size_t header = KINDS[told.type - RTM_BASE].header;
    union {
        uint8_t bytes[32];
        uint64_t align;
    } copy = {0};
    memcpy(&copy, message + 1, header);
    uint32_t value = take_value(told.type, &copy);
    told.key = add(told.type, &copy, header);
    told.value = add(0, &value, sizeof value);
    const uint8_t *next = (const uint8_t *)(message + 1) + NLMSG_ALIGN(header);
    const uint8_t *end = (const uint8_t *)message + message->nlmsg_len;
    while (next + sizeof(struct rtattr) <= end) {
        const struct rtattr *attribute = (const struct rtattr *)next;
        uint64_t bit = attribute->rta_type < 64 ? BIT(attribute->rta_type) : 0;
        if (KINDS[told.type - RTM_BASE].key & bit)
            told.key = add(told.key, attribute, attribute->rta_len);
        if (KINDS[told.type - RTM_BASE].value & bit)
            told.value = add(told.value, attribute, attribute->rta_len);
        next += RTA_ALIGN(attribute->rta_len);
    }
    return told;
}

/* One who is only being asked is nobody yet. */
static bool is_to_be_told(const struct nlmsghdr *message) {
    const struct ndmsg *neighbour = (const struct ndmsg *)(message + 1);
    return message->nlmsg_type != RTM_NEWNEIGH || neighbour->ndm_state != NUD_INCOMPLETE;
}

/* The messages of a dump. The lock is held. */
static void dump(struct netlink_answer *answer, struct picture *picture, uint16_t type, unsigned interface,
                 const struct interface *all) {
    struct {
        struct nlmsghdr header;
        union {
            struct ifinfomsg link;
            struct ifaddrmsg address;
            struct rtmsg route;
            struct ndmsg neighbour;
        } body;
    } request = {.header = {.nlmsg_len = sizeof request, .nlmsg_type = type, .nlmsg_flags = NLM_F_DUMP}};
    size_t at = answer->used;
    if (type == RTM_GETLINK) {
        request.header.nlmsg_flags = 0;
        request.body.link.ifi_index = (int)interface;
    } else if (type == RTM_GETADDR) {
        request.body.address.ifa_index = interface;
    }
    answer->request = &request.header;
    answer->strict = type == RTM_GETADDR;
    netlink_route(answer, all);
    answer->request = NULL;
    while (at < answer->used && picture->count < MESSAGES_MAX) {
        struct nlmsghdr *message = (struct nlmsghdr *)(answer->bytes + at);
        message->nlmsg_flags = 0;
        if (is_to_be_told(message))
            picture->messages[picture->count++] = look_at(picture, (uint32_t)at);
        at += NLMSG_ALIGN(message->nlmsg_len);
    }
}

/* Makes room for the next one. The stack's lock is not held: this takes a while. */
static void clear(struct picture *picture) {
    memset(picture->bytes, 0, picture->used);
    picture->used = picture->count = 0;
}

/* The stack as it is, for the next comparison, into one that is clear. The lock is held. */
static void take_picture(struct picture *picture) {
    static const uint16_t types[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH};
    struct netlink_answer answer = {.bytes = picture->bytes, .room = PICTURE_BYTES};
    struct interface all[INTERFACES];
    interfaces_describe_by(all, keeper.config.nic);
    all[INTERFACE_LOOPBACK].inet6 = true; /* so that IPv6's are told */
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        dump(&answer, picture, types[i], all[INTERFACE_OWN].index, all);
    picture->used = answer.used;
    shared->changes_told = shared->stack.changes;
    shared->next_picture_ns = shared->stack.now_ns + PICTURE_PAUSE_NS;
}

static const struct told *find(const struct picture *picture, const struct told *like) {
    for (size_t i = 0; i < picture->count; i++)
        if (picture->messages[i].key == like->key && picture->messages[i].type == like->type)
            return &picture->messages[i];
    return NULL;
}

static unsigned group_of(const struct nlmsghdr *message) {
    bool six = *(const uint8_t *)(message + 1) == AF_INET6; /* all of their headers begin with the family */
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
        return RTNLGRP_LINK;
    case RTM_NEWADDR:
        return six ? RTNLGRP_IPV6_IFADDR : RTNLGRP_IPV4_IFADDR;
    case RTM_NEWROUTE:
        return six ? RTNLGRP_IPV6_ROUTE : RTNLGRP_IPV4_ROUTE;
    default:
        return RTNLGRP_NEIGH;
    }
}

static void forget(struct member *member) {
    close(member->descriptor);
    *member = (struct member){0};
}

/* Whether there is a member yet. members_lock is held; the stack's is not. */
static void note_members(void) {
    bool any = false;
    for (int i = 0; i < MEMBERS_MAX; i++)
        any |= members[i].groups != 0;
    region_enter();
    shared->monitored = any;
    region_leave();
}

static void tell_members(struct nlmsghdr *message, bool gone) {
    uint64_t group = BIT(group_of(message));
    message->nlmsg_type += gone; /* RTM_DEL... follows RTM_NEW... */
    for (struct member *member = members; member < members + MEMBERS_MAX; member++) {
        struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = member->port};
        if (!(member->groups & group))
            continue;
        ssize_t sent = sendto(member->descriptor, message, message->nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL,
                              (struct sockaddr *)&to, sizeof to);
        if (sent < 0 && errno == ECONNREFUSED)
            forget(member); /* it is closed; anything else passes */
    }
    message->nlmsg_type -= gone;
}

static _Atomic bool pictured; /* and not compared yet */

void netlink_monitor_look(void) {
    if (pictured || netlink_monitor_deadline() > shared->stack.now_ns)
        return;
    take_picture(&pictures[newest ^= 1]);
    pictured = true;
}

uint64_t netlink_monitor_deadline(void) {
    bool due = shared->monitored && shared->stack.changes != shared->changes_told;
    return due ? shared->next_picture_ns : TIMER_NEVER;
}

void netlink_monitor_tell(void) {
    if (!pictured)
        return;
    struct picture *now = &pictures[newest], *before = &pictures[newest ^ 1];
    pthread_mutex_lock(&members_lock);
    for (size_t i = 0; i < before->count; i++)
        if (!find(now, &before->messages[i]))
            tell_members((struct nlmsghdr *)(before->bytes + before->messages[i].at), true);
    for (size_t i = 0; i < now->count; i++) {
        const struct told *was = find(before, &now->messages[i]);
        if (!was || was->value != now->messages[i].value)
            tell_members((struct nlmsghdr *)(now->bytes + now->messages[i].at), false);
    }
    clear(before); /* the next one's place */
    pictured = false;
    note_members();
    pthread_mutex_unlock(&members_lock);
}

/* Nothing else is written to: it could make the keeper wait, or be the kernel's ear. */
static bool is_answering_socket(int descriptor) {
    int domain = 0, protocol = 0;
    socklen_t length = sizeof domain;
    return descriptor >= 0 && getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
           getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && domain == AF_NETLINK &&
           protocol == NETLINK_USERSOCK;
}

static struct member *find_member(uint32_t port, ino_t inode) {
    for (struct member *member = members; member < members + MEMBERS_MAX; member++)
        if (member->groups && member->port == port && member->inode == inode)
            return member;
    return NULL;
}

/* A free place; when there is none, that of one of the others in turn. */
static struct member *place_for_another(void) {
    static unsigned next;
    for (struct member *member = members; member < members + MEMBERS_MAX; member++)
        if (!member->groups)
            return member;
    return &members[next++ % MEMBERS_MAX];
}

/* Processes ask at the same time: numbers may come in another order than they were given in. */
static void note_taken(uint32_t number) {
    if ((int32_t)(number - shared->monitors_taken) > 0)
        shared->monitors_taken = number;
}

/* What there is when the first one becomes a member is not told. Nobody makes pictures before; members_lock is held. */
static void begin(void) {
    if (!pictured)
        clear(&pictures[newest]);
    region_enter();
    if (!pictured && !shared->broken)
        take_picture(&pictures[newest]);
    shared->monitored = true;
    region_leave();
}

bool netlink_monitor_take(const struct ipc_monitor *monitor, int descriptor) {
    struct stat file;
    bool kept = monitor->port && is_answering_socket(descriptor) && fstat(descriptor, &file) == 0;
    if (kept) {
        pthread_mutex_lock(&members_lock);
        struct member *member = find_member(monitor->port, file.st_ino);
        kept = monitor->groups;
        if (kept && !member)
            member = place_for_another();
        if (member && member->groups)
            forget(member);
        if (kept)
            *member = (struct member){descriptor, file.st_ino, monitor->port, monitor->groups};
        if (kept && !shared->monitored)
            begin();
        else
            note_members();
        pthread_mutex_unlock(&members_lock);
    }
    note_taken(monitor->number);
    return kept;
}
