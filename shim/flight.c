/*
 * flight.c - see flight.h.
 */
#include "flight.h"
#include "process.h"

bool flight_begin(struct socket *socket) {
    struct flight *flight = pool_take_zeroed(&shared->flights_pool);
    if (!flight)
        return false;
    flight->socket = socket;
    list_init(&flight->link);
    list_add_tail(&shared->flights, &flight->link);
    socket->holders++;
    return true;
}

static void flight_free(struct flight *flight) {
    struct socket *socket = flight->socket;
    list_remove(&flight->link);
    pool_return(&shared->flights_pool, flight);
    socket_drop(socket);
}

void flight_end(struct socket *socket) {
    struct list *link, *next;
    list_for_each(link, next, &shared->flights) {
        struct flight *flight = container_of(link, struct flight, link);
        if (flight->socket == socket) {
            flight_free(flight);
            return;
        }
    }
}

static bool found(const uint64_t *inodes, size_t count, uint64_t inode) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (inodes[middle] < inode)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && inodes[low] == inode;
}

void flight_expire(const uint64_t *inodes, size_t count) {
    struct list *link, *next;
    list_for_each(link, next, &shared->flights) {
        struct flight *flight = container_of(link, struct flight, link);
        if (!found(inodes, count, flight->socket->name))
            flight_free(flight);
    }
}
