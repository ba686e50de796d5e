/* SPDX-License-Identifier: MIT */
/*
 * test_parts.c - a stream's data that the caller copies itself: reserved, held, and given back.
 */
#include "stack/repair.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <string.h>

struct pair {
    struct host a, b;
    struct cable cable;
    struct socket *client, *server, *listener;
};

static uint8_t bytes[200000], got[200000];

static void open_pair(struct pair *pair) {
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    pair->a = host_create(HOST_A, 1500);
    pair->b = host_create(HOST_B, 1500);
    cable_join(&pair->cable, &pair->a, &pair->b, MS);
    cable_connect(&pair->cable, 80, &pair->client, &pair->server, &pair->listener);
}

static void close_pair(struct pair *pair) {
    socket_release(pair->a.stack, pair->client);
    socket_release(pair->b.stack, pair->server);
    socket_release(pair->b.stack, pair->listener);
    cable_run(&pair->cable, 200 * SECOND);
    assert_nothing_left(&pair->a);
    assert_nothing_left(&pair->b);
    host_destroy(&pair->a);
    host_destroy(&pair->b);
}

static struct buffer *chain_of(struct host *host, const uint8_t *from, uint32_t length) {
    struct byte_queue queue = {0};
    struct iovec piece = {(void *)from, length};
    assert_int_equal(byte_queue_append(&queue, &host->stack->buffers, &piece, 1, 0, length), length);
    return queue.head;
}

static void parts_arrive_as_the_whole_would(void **state) {
    struct pair pair;
    uint32_t sent = 0, received = 0;
    (void)state;
    open_pair(&pair);
    for (int tries = 0; received < sizeof bytes && tries < 1000; tries++) {
        bool begins = true;
        ssize_t room;
        while (sent < sizeof bytes && (room = socket_send_room(pair.a.stack, pair.client, 0, begins)) > 0) {
            uint32_t left = (uint32_t)sizeof bytes - sent, part = left < room ? left : (uint32_t)room;
            socket_send_part(pair.a.stack, pair.client, chain_of(&pair.a, bytes + sent, part), part,
                             part == room, left > part);
            sent += part;
            begins = false;
        }
        if (!begins)
            socket_send_written(pair.a.stack, pair.client, &(struct socket_message){0}, sent == sizeof bytes);
        cable_run(&pair.cable, 10 * MS);
        ssize_t here = receive_bytes(&pair.b, pair.server, got + received, sizeof got - received, 0);
        received += here > 0 ? (uint32_t)here : 0;
    }
    assert_int_equal(received, sizeof bytes);
    assert_memory_equal(got, bytes, sizeof bytes);
    close_pair(&pair);
}

/* Parts that each end in a buffer of their own: a packet that has all of them lies in many buffers. */
static void parts_to_a_socket_of_the_same_stack_are_not_lost(void **state) {
    (void)state;
    enum { PART = 2100 };
    struct host host = host_create(HOST_A, 1500);
    struct socket *client, *server, *listener;
    host_connect_inside(&host, 80, &client, &server, &listener);
    uint32_t sent = 0, received = 0;
    for (int tries = 0; received < sizeof bytes / PART * PART && tries < 1000; tries++) {
        while (sent < sizeof bytes / PART * PART && socket_send_room(host.stack, client, 0, true) >= PART) {
            socket_send_part(host.stack, client, chain_of(&host, bytes + sent, PART), PART, false, false);
            socket_send_written(host.stack, client, &(struct socket_message){0}, true);
            sent += PART;
        }
        stack_advance(host.stack, now += MS);
        ssize_t here = receive_bytes(&host, server, got + received, sizeof got - received, 0);
        received += here > 0 ? (uint32_t)here : 0;
    }
    assert_int_equal(received, sizeof bytes / PART * PART);
    assert_memory_equal(got, bytes, received);
    assert_int_equal(host.stack->mib.TcpRetransSegs, 0);
    host_destroy(&host);
}

static void where_there_is_no_room_or_no_connection_the_reason_is_told(void **state) {
    struct pair pair;
    ssize_t room;
    (void)state;
    open_pair(&pair);
    pair.client->send_limit = SOCKET_SEND_MIN;
    while ((room = socket_send_room(pair.a.stack, pair.client, 0, true)) > 0) {
        socket_send_part(pair.a.stack, pair.client, chain_of(&pair.a, bytes, (uint32_t)room), (uint32_t)room,
                         true, false);
        socket_send_written(pair.a.stack, pair.client, &(struct socket_message){0}, true);
    }
    assert_int_equal(room, -EAGAIN);
    assert_true(pair.client->no_space);
    assert_int_equal(socket_shutdown(pair.a.stack, pair.client, SHUT_WR), 0);
    assert_int_equal(socket_send_room(pair.a.stack, pair.client, 0, true), -EPIPE);
    close_pair(&pair);
}

/* Copies an extent as a caller does, without the lock. */
static void copy(struct byte_cursor cursor, uint32_t length, uint8_t *to) {
    const uint8_t *data;
    while (length > 0) {
        uint32_t here = buffer_data_step(&cursor, length, &data);
        memcpy(to, data, here);
        to += here;
        length -= here;
    }
}

static void what_is_held_stays_while_more_comes_and_is_then_taken(void **state) {
    struct pair pair;
    struct socket_message message = {0};
    struct byte_cursor start;
    (void)state;
    open_pair(&pair);
    send_bytes(&pair.a, pair.client, bytes, 7000, 0);
    cable_run(&pair.cable, SECOND);
    uint32_t length = socket_receive_extent(pair.b.stack, pair.server, &message, 6500, &start);
    assert_int_equal(length, 6500);
    uint32_t count = buffer_hold_data(start, length);
    send_bytes(&pair.a, pair.client, bytes + 7000, 30000, 0);
    cable_run(&pair.cable, SECOND);
    copy(start, length, got);
    struct buffer *first = start.buffer;
    buffer_drop_count(&pair.b.stack->buffers, first, count);
    socket_receive_taken(pair.b.stack, pair.server, &message, start, length);
    assert_int_equal(receive_bytes(&pair.b, pair.server, got + length, sizeof got, 0), 37000 - 6500);
    assert_memory_equal(got, bytes, 37000);
    close_pair(&pair);
}

static void what_is_held_outlives_the_connection_s_end_and_is_not_taken_from_another(void **state) {
    struct pair pair;
    struct socket_message message = {0};
    struct byte_cursor start;
    (void)state;
    open_pair(&pair);
    send_bytes(&pair.a, pair.client, bytes, 9000, 0);
    cable_run(&pair.cable, SECOND);
    uint32_t length = socket_receive_extent(pair.b.stack, pair.server, &message, 9000, &start);
    uint32_t count = buffer_hold_data(start, length);
    assert_int_equal(socket_disconnect(pair.b.stack, pair.server), 0);
    copy(start, length, got);
    assert_memory_equal(got, bytes, 9000);
    socket_receive_taken(pair.b.stack, pair.server, &message, start, length);
    buffer_drop_count(&pair.b.stack->buffers, start.buffer, count);
    close_pair(&pair);
}

static void a_look_takes_nothing_and_urgent_data_is_the_stacks_to_give(void **state) {
    struct pair pair;
    struct socket_message look = {.flags = MSG_PEEK}, other = {.flags = MSG_TRUNC};
    struct byte_cursor start;
    (void)state;
    open_pair(&pair);
    send_bytes(&pair.a, pair.client, bytes, 5000, 0);
    cable_run(&pair.cable, SECOND);
    assert_int_equal(socket_receive_extent(pair.b.stack, pair.server, &look, 4000, &start), 4000);
    socket_receive_taken(pair.b.stack, pair.server, &look, start, 4000);
    assert_int_equal(pair.server->tcp->receive.length, 5000);
    assert_int_equal(socket_receive_extent(pair.b.stack, pair.server, &other, 4000, &start), 0);
    send_bytes(&pair.a, pair.client, "!", 1, MSG_OOB);
    cable_run(&pair.cable, SECOND);
    look.flags = 0;
    assert_int_equal(socket_receive_extent(pair.b.stack, pair.server, &look, 4000, &start), 0);
    close_pair(&pair);
}

static void what_could_not_be_passed_on_is_the_next_again(void **state) {
    struct pair pair;
    (void)state;
    open_pair(&pair);
    send_bytes(&pair.a, pair.client, bytes, 5000, 0);
    cable_run(&pair.cable, SECOND);
    assert_int_equal(receive_bytes(&pair.b, pair.server, got, 3000, 0), 3000);
    socket_receive_undone(pair.b.stack, pair.server, got, 3000);
    memset(got, 0, sizeof got);
    assert_int_equal(receive_bytes(&pair.b, pair.server, got, sizeof got, 0), 5000);
    assert_memory_equal(got, bytes, 5000);
    assert_int_equal(receive_bytes(&pair.b, pair.server, got, 5000, 0), -EAGAIN);
    socket_receive_undone(pair.b.stack, pair.server, got, 0);
    close_pair(&pair);
}

static void what_can_t_be_read_of_a_write_is_a_fault_if_nothing_else_is_wrong(void **state) {
    struct pair pair;
    struct iovec piece = {bytes, 100};
    struct socket_message message = {.pieces = &piece, .count = 1, .unreadable = true};
    (void)state;
    open_pair(&pair);
    assert_int_equal(socket_send(pair.a.stack, pair.client, &message), -EFAULT);
    assert_int_equal(pair.client->tcp->send.length, 0);
    socket_shutdown(pair.a.stack, pair.client, SHUT_WR);
    assert_int_equal(socket_send(pair.a.stack, pair.client, &message), -EPIPE);
    struct socket *datagrams = make_socket(&pair.a, SOCK_DGRAM, 0, 0);
    assert_int_equal(socket_send(pair.a.stack, datagrams, &message), -EDESTADDRREQ);
    assert_int_equal(socket_connect(pair.a.stack, datagrams, ip_from_v4(HOST_B), 9), 0);
    assert_int_equal(socket_send(pair.a.stack, datagrams, &message), -EFAULT);
    socket_release(pair.a.stack, datagrams);
    close_pair(&pair);
}

static struct buffer *staged, *held;
static uint32_t held_count;
static struct stack *repaired;

static void each_held(void) {
    assert_true(stack_repair_hold_chain(repaired, staged));
    assert_true(stack_repair_hold_buffers(repaired, held, held_count));
}

/* Another process died; this one was copying. */
static void a_repair_leaves_what_is_being_copied(void **state) {
    struct pair pair;
    struct socket_message message = {0};
    struct byte_cursor start;
    (void)state;
    open_pair(&pair);
    send_bytes(&pair.a, pair.client, bytes, 9000, 0);
    cable_run(&pair.cable, SECOND);
    pair.server->holders = pair.listener->holders = 1;
    repaired = pair.b.stack;
    uint32_t length = socket_receive_extent(repaired, pair.server, &message, 8000, &start);
    held = start.buffer;
    held_count = buffer_hold_data(start, length);
    staged = chain_of(&pair.b, bytes, 6000);
    uint32_t used = repaired->buffers.used;
    stack_repair_memory(repaired);
    assert_true(stack_repair(repaired, now, each_held));
    assert_int_equal(repaired->buffers.used, used);
    copy(start, length, got);
    assert_memory_equal(got, bytes, 8000);
    socket_receive_taken(repaired, pair.server, &message, start, length);
    buffer_drop_count(&repaired->buffers, held, held_count);
    buffer_drop_chain(&repaired->buffers, staged);
    assert_int_equal(receive_bytes(&pair.b, pair.server, got, sizeof got, 0), 1000);
    assert_memory_equal(got, bytes + 8000, 1000);
    assert_false(stack_repair_hold_buffers(repaired, (struct buffer *)got, 1));
    assert_false(stack_repair_hold_chain(repaired, (struct buffer *)got));
    close_pair(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_arrive_as_the_whole_would),
        cmocka_unit_test(parts_to_a_socket_of_the_same_stack_are_not_lost),
        cmocka_unit_test(where_there_is_no_room_or_no_connection_the_reason_is_told),
        cmocka_unit_test(what_is_held_stays_while_more_comes_and_is_then_taken),
        cmocka_unit_test(what_is_held_outlives_the_connection_s_end_and_is_not_taken_from_another),
        cmocka_unit_test(a_look_takes_nothing_and_urgent_data_is_the_stacks_to_give),
        cmocka_unit_test(what_could_not_be_passed_on_is_the_next_again),
        cmocka_unit_test(what_can_t_be_read_of_a_write_is_a_fault_if_nothing_else_is_wrong),
        cmocka_unit_test(a_repair_leaves_what_is_being_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
