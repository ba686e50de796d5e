/* SPDX-License-Identifier: MIT */
/*
 * orphan.c - see orphan.h.
 */
#include "shim/library/wait/orphan.h"
#include "shim/region/wake.h"
#include <sys/epoll.h>

#define CONNECTION_EVENTS (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLRDHUP | POLLERR | POLLHUP)

static bool is_connection(const struct socket *socket) {
    return socket->tcp && socket->tcp->remote_port;
}

unsigned orphan_events(const struct fd_entry *entry, unsigned wanted) {
    if (is_connection(entry->socket))
        return CONNECTION_EVENTS & (wanted | POLLERR | POLLHUP);
    return entry->orphan_told ? 0 : POLLERR | POLLHUP;
}

void orphan_told(struct fd_entry *entry) {
    entry->orphan_told = true;
}

/* The handle of an item that this process still has; the account of what it closes is not kept any more. */
static struct fd_entry *fd_entry_of(const struct epoll_item *item) {
    struct fd_entry *entry = descriptor_find(item->descriptor);
    return entry && entry->kind == FILE_REF_SOCKET && entry->socket == item->socket ? entry : NULL;
}

static unsigned item_events(const struct epoll_item *item) {
    const struct fd_entry *entry = item->disarmed ? NULL : fd_entry_of(item);
    return entry ? orphan_events(entry, item->events) : 0;
}

bool orphan_set_ready(const struct epoll_set *set) {
    for (const struct list *link = set->items.next; link != &set->items; link = link->next)
        if (item_events(container_of(link, const struct epoll_item, link)))
            return true;
    return false;
}

int orphan_collect(struct epoll_set *set, struct epoll_event *events, int limit) {
    struct list *link, seen;
    int count = 0;
    list_init(&seen);
    while (count < limit && (link = list_first(&set->items))) {
        struct epoll_item *item = container_of(link, struct epoll_item, link);
        unsigned mask = item_events(item);
        list_move_tail(&seen, link);
        if (!mask)
            continue;
        events[count++] = (struct epoll_event){.events = mask, .data.u64 = item->data};
        item->disarmed = item->events & (EPOLLONESHOT | EPOLLET);
        orphan_told(fd_entry_of(item));
    }
    while ((link = list_first(&seen)))
        list_move_tail(&set->items, link); /* the others first, next time */
    return count;
}
