/* SPDX-License-Identifier: MIT */
/*
 * netlink_message.c - see netlink_message.h. Formats: netlink(7).
 */
#include "shim/region/netlink_message.h"
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <string.h>

static void *append(struct netlink_answer *answer, size_t length) {
    size_t aligned = NLMSG_ALIGN(length);
    if (answer->used + aligned > answer->room) {
        answer->full = true;
        return NULL;
    }
    void *at = answer->bytes + answer->used; /* zero: it is fresh */
    answer->used += aligned;
    return at;
}

void netlink_begin(struct netlink_answer *answer, uint16_t type, const void *header, size_t length) {
    bool dump = answer->request->nlmsg_flags & NLM_F_DUMP;
    answer->message = answer->used;
    struct nlmsghdr *message = append(answer, NLMSG_HDRLEN);
    void *body = append(answer, length);
    if (!message || !body)
        return;
    *message = (struct nlmsghdr){.nlmsg_type = type,
                                 .nlmsg_flags =
                                     dump ? NLM_F_MULTI | (answer->filtered ? NLM_F_DUMP_FILTERED : 0) : 0,
                                 .nlmsg_seq = answer->request->nlmsg_seq,
                                 .nlmsg_pid = answer->port};
    memcpy(body, header, length);
}

void netlink_put(struct netlink_answer *answer, uint16_t type, const void *value, size_t length) {
    struct rtattr *attribute = append(answer, RTA_LENGTH(length));
    if (!attribute)
        return;
    *attribute = (struct rtattr){.rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(length)};
    if (length > 0)
        memcpy(RTA_DATA(attribute), value, length);
}

void netlink_put_u8(struct netlink_answer *answer, uint16_t type, uint8_t value) {
    netlink_put(answer, type, &value, sizeof value);
}

void netlink_put_u32(struct netlink_answer *answer, uint16_t type, uint32_t value) {
    netlink_put(answer, type, &value, sizeof value);
}

void netlink_put_address(struct netlink_answer *answer, uint16_t type, uint32_t host) {
    netlink_put_u32(answer, type, htonl(host));
}

void netlink_put_text(struct netlink_answer *answer, uint16_t type, const char *text) {
    netlink_put(answer, type, text, strlen(text) + 1);
}

size_t netlink_begin_nest(struct netlink_answer *answer, uint16_t type) {
    size_t place = answer->used;
    netlink_put(answer, type, NULL, 0);
    return place;
}

void netlink_end_nest(struct netlink_answer *answer, size_t place) {
    if (!answer->full)
        ((struct rtattr *)(answer->bytes + place))->rta_len = (uint16_t)(answer->used - place);
}

/* A message that does not fit is left away, whole. */
void netlink_end(struct netlink_answer *answer) {
    if (answer->full) {
        answer->used = answer->message;
        return;
    }
    struct nlmsghdr *message = (struct nlmsghdr *)(answer->bytes + answer->message);
    message->nlmsg_len = (uint32_t)(answer->used - answer->message);
}

void netlink_tell_error(struct netlink_answer *answer, int error) {
    const struct nlmsghdr *request = answer->request;
    struct nlmsgerr body = {.error = error, .msg = *request};
    netlink_begin(answer, NLMSG_ERROR, &body, sizeof body);
    if (answer->full)
        return;
    ((struct nlmsghdr *)(answer->bytes + answer->message))->nlmsg_flags = error ? 0 : NLM_F_CAPPED;
    size_t rest = request->nlmsg_len - NLMSG_HDRLEN;
    void *copy = error && rest > 0 ? append(answer, rest) : NULL;
    if (copy)
        memcpy(copy, request + 1, rest);
    netlink_end(answer);
}

void netlink_tell_done(struct netlink_answer *answer, int result) {
    netlink_begin(answer, NLMSG_DONE, &result, sizeof result);
    netlink_end(answer);
}

/* Where the search for an attribute ends: at it, or where the request's attributes do, or make no sense. */
static const struct rtattr *search(const struct nlmsghdr *request, size_t header, uint16_t type, size_t least,
                                   size_t *left) {
    *left = request->nlmsg_len < NLMSG_SPACE(header) ? 0 : request->nlmsg_len - NLMSG_SPACE(header);
    const struct rtattr *at = (const void *)((const uint8_t *)request + NLMSG_SPACE(header));
    while (*left >= sizeof *at && at->rta_len >= sizeof *at && at->rta_len <= *left) {
        if ((at->rta_type & NLA_TYPE_MASK) == type && RTA_PAYLOAD(at) >= least)
            return at;
        size_t step = RTA_ALIGN(at->rta_len);
        *left -= step < *left ? step : *left;
        at = (const void *)((const uint8_t *)at + step);
    }
    return NULL;
}

const void *netlink_attribute(const struct nlmsghdr *request, size_t header, uint16_t type, size_t least) {
    size_t left;
    const struct rtattr *found = search(request, header, type, least, &left);
    return found ? RTA_DATA(found) : NULL;
}

bool netlink_text(const struct nlmsghdr *request, size_t header, uint16_t type, char *text, size_t room) {
    size_t left;
    const struct rtattr *found = search(request, header, type, 1, &left);
    if (!found)
        return false;
    size_t length = strnlen(RTA_DATA(found), RTA_PAYLOAD(found));
    if (length >= room)
        length = 0;
    memcpy(text, RTA_DATA(found), length);
    text[length] = 0;
    return true;
}

bool netlink_attributes_make_sense(const struct nlmsghdr *request, size_t header) {
    size_t left;
    search(request, header, 0, SIZE_MAX, &left);
    return left == 0;
}

bool netlink_is_whole(const struct nlmsghdr *message, size_t left) {
    return left >= sizeof *message && message->nlmsg_len >= sizeof *message && message->nlmsg_len <= left;
}

struct nlmsghdr *netlink_next(const struct nlmsghdr *message, size_t *left) {
    size_t step = NLMSG_ALIGN(message->nlmsg_len);
    step = step < *left ? step : *left;
    *left -= step;
    return (struct nlmsghdr *)((uint8_t *)message + step);
}

/* A request's body, of which a short one has what it has. */
void netlink_body(const struct nlmsghdr *request, void *body, size_t size) {
    size_t there = request->nlmsg_len - NLMSG_HDRLEN;
    memset(body, 0, size);
    memcpy(body, request + 1, there < size ? there : size);
}
