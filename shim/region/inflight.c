/*
 * inflight.c - see inflight.h.
 */
#include "shim/region/inflight.h"
#include "shim/region/process.h"
#include "shim/region/wake.h"

static struct flight *find(const struct socket *socket) {
    struct list *link, *next;
    list_for_each(link, next, &shared->flights) {
        struct flight *flight = container_of(link, struct flight, link);
        if (flight->socket == socket)
            return flight;
    }
    return NULL;
}

uint64_t flight_begin(struct socket *socket) {
    struct flight *flight = find(socket);
    if (!flight) {
        flight = pool_take_zeroed(&shared->flights_pool);
        if (!flight)
            return 0;
        flight->number = ++shared->flights_made;
        flight->socket = socket;
        flight->sender = account_of(wake_self);
        list_init(&flight->link);
        list_add_tail(&shared->flights, &flight->link);
        socket->holders++;
    }
    flight->messages++;
    shared->flights_changed = true;
    return flight->listed ? 0 : flight->number;
}

static void flight_free(struct flight *flight) {
    struct socket *socket = flight->socket;
    list_remove(&flight->link);
    pool_return(&shared->flights_pool, flight);
    socket_drop(socket);
}

void flight_end(struct socket *socket) {
    struct flight *flight = find(socket);
    if (flight && --flight->messages == 0)
        flight_free(flight);
}

void flight_list(uint64_t number) {
    struct list *link, *next;
    list_for_each(link, next, &shared->flights) {
        struct flight *flight = container_of(link, struct flight, link);
        if (flight->number == number)
            flight->listed = true;
    }
}

bool flight_is_last(const struct socket *socket) {
    return socket->holders == 1 && find(socket);
}

static bool found(const uint64_t *numbers, size_t count, uint64_t number) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && numbers[low] == number;
}

/* Whether the process that began a flight may still tell the keeper of it. */
static bool has_sender(const struct flight *flight) {
    return account_find(flight->sender);
}

void flight_expire(const uint64_t *numbers, size_t count) {
    struct list *link, *next;
    list_for_each(link, next, &shared->flights) {
        struct flight *flight = container_of(link, struct flight, link);
        if (flight->listed ? !found(numbers, count, flight->number) : !has_sender(flight))
            flight_free(flight);
    }
}
