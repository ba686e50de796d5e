/* SPDX-License-Identifier: MIT */
/*
 * test_software_gso.c - software_gso.c, and bursts in tcp_output.c: a NIC that cuts segments and computes
 * checksums is given long ones. (run-offload has all other tests see that what is on the wire stays the
 * same.)
 */
#include "stack/base/checksum.h"
#include "stack/link/software_gso.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/* A connection whose congestion window is no limit. */
static void begin(struct scene *scene) {
    connected(scene, 65535, MSS);
    scene->socket->tcp->congestion.cwnd = 100 * MSS;
}

static const struct frame *sent_frame(struct scene *scene) {
    return stack_frame(scene->host.stack, 0);
}

static void write_bytes(struct scene *scene, uint32_t length, int flags) {
    assert_int_equal(send_bytes(&scene->host, scene->socket, bytes, length, flags), length);
}

static void a_write_leaves_as_one_frame(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene);
    write_bytes(&scene, 20 * MSS + 100, 0);
    const struct frame *frame = sent_frame(&scene);
    assert_int_equal(frame->segment, MSS);
    assert_int_equal(frame->payload_length, 20 * MSS + 100); /* nothing small is in flight: the tail, too */
    assert_int_equal(frame->checksum_offset, 16);
    uint16_t sum;
    memcpy(&sum, frame->header + FRAME_TRANSPORT_AT + 16, sizeof sum);
    uint16_t length = (uint16_t)(frame->header_length - FRAME_TRANSPORT_AT + frame->payload_length);
    assert_int_equal(sum, checksum_fold(checksum_pseudo_header(ip_from_v4(HOST_A), ip_from_v4(HOST_B),
                                                               IP_PROTOCOL_TCP, length)));
    assert_null(stack_frame(scene.host.stack, 1));
    assert_int_equal(scene.socket->tcp->history.data_segments_sent, 21);
    assert_int_equal(scene.socket->tcp->active->scoreboard.count, 21);
    for (uint32_t i = 0; i < 21; i++) { /* as the wire has it; peer_read looks at the checksums */
        expect(&scene, TCP_ACK, scene.local + i * MSS, i < 20 ? MSS : 100);
        assert_int_equal(scene.packet.tcp.flags & TCP_PSH, i < 20 ? 0 : TCP_PSH);
        assert_memory_equal(scene.packet.payload, bytes + i * MSS, scene.packet.tcp.length);
    }
    expect_nothing(&scene);
    scene_end(&scene);
}

static void the_tail_waits_for_nagle(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene);
    write_bytes(&scene, 10, 0);
    assert_int_equal(sent_frame(&scene)->segment, 0);
    host_discard(&scene.host);
    write_bytes(&scene, 5 * MSS, 0); /* 10 more than four segments and a part, which waits */
    assert_int_equal(sent_frame(&scene)->payload_length, 5 * MSS);
    host_discard(&scene.host);
    write_bytes(&scene, 3 * MSS + 7, 0);
    assert_int_equal(sent_frame(&scene)->payload_length, 3 * MSS);
    assert_null(stack_frame(scene.host.stack, 1));
    scene_end(&scene);
}

/* When the peer's window stays smaller than a segment, as much as it takes is sent in the end: from then on
 * the ends of what was queued as one lie within segments. */
static void bursts_do_not_stop_within_a_segment(void **state) {
    (void)state;
    struct scene scene;
    uint32_t total = 60000, sent = 0;
    begin(&scene);
    say(&scene, TCP_ACK, scene.remote, scene.local, 10 * MSS, NULL, 0);
    write_bytes(&scene, total, 0);
    while (hear(&scene))
        sent = scene.packet.tcp.sequence + scene.packet.tcp.length - scene.local;
    assert_int_equal(sent, 10 * MSS);
    say(&scene, TCP_ACK, scene.remote, scene.local + sent, 500, NULL, 0);
    host_run(&scene.host, 2 * SECOND);
    while (hear(&scene))
        sent = scene.packet.tcp.sequence + scene.packet.tcp.length - scene.local;
    assert_int_equal(sent, 10 * MSS + 500);
    for (int i = 0; i < 20 && sent < total; i++) {
        say(&scene, TCP_ACK, scene.remote, scene.local + sent, 65535, NULL, 0);
        while (hear(&scene))
            sent = scene.packet.tcp.sequence + scene.packet.tcp.length - scene.local;
    }
    assert_int_equal(sent, total); /* without another timer */
    scene_end(&scene);
}

static void a_part_of_a_burst_is_acknowledged(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene);
    const struct tcp *tcp = scene.socket->tcp;
    uint32_t delivered = tcp->history.delivered;
    write_bytes(&scene, 10 * MSS, 0);
    host_discard(&scene.host);
    say(&scene, TCP_ACK, scene.remote, scene.local + 3 * MSS + 40, 65535, NULL, 0);
    assert_int_equal(tcp->active->scoreboard.count, 7);
    assert_int_equal(tcp->history.delivered, delivered + 3);
    assert_int_equal(scene.host.stack->sent.used, 1); /* the record was shortened, none was added */
    say(&scene, TCP_ACK, scene.remote, scene.local + 10 * MSS, 65535, NULL, 0);
    assert_int_equal(tcp->active->scoreboard.count, 0);
    assert_int_equal(scene.host.stack->sent.used, 0);
    scene_end(&scene);
}

static void urgent_data_is_no_burst(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene);
    write_bytes(&scene, 5 * MSS, MSG_OOB);
    for (uint32_t i = 0; i < 5; i++) {
        assert_non_null(sent_frame(&scene));
        assert_int_equal(sent_frame(&scene)->segment, 0);
        stack_frames_sent(scene.host.stack, 1);
    }
    expect_nothing(&scene);
    scene_end(&scene);
}

static void corked_data_leaves_its_tail_behind(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene);
    assert_int_equal(set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_CORK, 1), 0);
    write_bytes(&scene, 5 * MSS + 9, 0);
    assert_int_equal(sent_frame(&scene)->payload_length, 5 * MSS);
    assert_null(stack_frame(scene.host.stack, 1));
    scene_end(&scene);
}

static void datagrams_leave_their_checksum_to_the_nic(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    struct socket *socket = make_socket(&scene.host, SOCK_DGRAM, 0, 0);
    struct iovec piece = {bytes, 500};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .address = ip_from_v4(HOST_B), .port = 9, .has_address = true};
    assert_int_equal(socket_send(scene.host.stack, socket, &message), 500);
    assert_int_equal(sent_frame(&scene)->checksum_offset, 6);
    uint8_t packet[2000];
    uint32_t length = frame_cut(sent_frame(&scene), 0, packet);
    assert_int_equal(length, 542);
    uint64_t sum = checksum_pseudo_header(ip_from_v4(HOST_A), ip_from_v4(HOST_B), IP_PROTOCOL_UDP, 508);
    assert_int_equal(checksum_fold(checksum_add(sum, packet + 34, 508)), 0xffff);
    host_discard(&scene.host);
    message.segment = 400; /* a burst of them: three, and a part */
    piece.iov_len = 1300;
    assert_int_equal(socket_send(scene.host.stack, socket, &message), 1300);
    assert_int_equal(sent_frame(&scene)->segment, 400);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t payload = i < 3 ? 400 : 100;
        assert_int_equal(frame_cut(sent_frame(&scene), i, packet), 42 + payload);
        assert_int_equal(wire_get16(packet + 38), 8 + payload);
        assert_memory_equal(packet + 42, bytes + i * 400, payload);
        sum = checksum_pseudo_header(ip_from_v4(HOST_A), ip_from_v4(HOST_B), IP_PROTOCOL_UDP,
                                     (uint16_t)(8 + payload));
        assert_int_equal(checksum_fold(checksum_add(sum, packet + 34, 8 + payload)), 0xffff);
    }
    host_discard(&scene.host);
    message.segment = 0;
    piece.iov_len = 5000; /* in fragments it can't */
    assert_int_equal(socket_send(scene.host.stack, socket, &message), 5000);
    assert_int_equal(sent_frame(&scene)->checksum_offset, 0);
    socket_release(scene.host.stack, socket);
    host_discard(&scene.host);
    scene_end(&scene);
}

static void to_ourselves_segments_are_as_long_as_packets_can_be(void **state) {
    (void)state;
    struct scene scene;
    struct socket *accepted, *client;
    listen_on(&scene, 5);
    scene.host.stack->sysctl.rmem_max = 4 << 20;
    assert_int_equal(set_option(&scene.host, scene.listener, SOL_SOCKET, SO_RCVBUF, 1 << 20), 0);
    assert_int_equal(socket_create(scene.host.stack, SOCK_STREAM, 0, &client), 0);
    assert_int_equal(socket_connect(scene.host.stack, client, ip_from_v4(HOST_A), 8080), -EINPROGRESS);
    host_run(&scene.host, SECOND);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &accepted), 0);
    uint32_t sent = 0, got = 0;
    static uint8_t read[sizeof bytes];
    for (int i = 0; i < 100 && got < sizeof bytes; i++) {
        ssize_t result =
            sent < sizeof bytes ? send_bytes(&scene.host, client, bytes + sent, sizeof bytes - sent, 0) : 0;
        sent += result > 0 ? (uint32_t)result : 0;
        host_run(&scene.host, SECOND);
        result = receive_bytes(&scene.host, accepted, read + got, sizeof bytes - got, 0);
        got += result > 0 ? (uint32_t)result : 0;
    }
    assert_int_equal(got, sizeof bytes);
    assert_memory_equal(read, bytes, sizeof bytes);
    socket_release(scene.host.stack, client);
    socket_release(scene.host.stack, accepted);
    host_run(&scene.host, 200 * SECOND);
    scene_end(&scene);
}

#define ONE 1400
#define MANY (40 * ONE + 100)

/* Sends a burst of datagrams from memory that is lent. */
static void lend(struct scene *scene, struct socket *socket, uint8_t *from) {
    struct iovec piece = {from, MANY};
    struct socket_message message = {.pieces = &piece,
                                     .count = 1,
                                     .has_address = true,
                                     .address = ip_from_v4(HOST_B),
                                     .port = 53,
                                     .segment = ONE,
                                     .borrow = true};
    memcpy(from, bytes, MANY);
    stack_advance(scene->host.stack, now);
    assert_int_equal(socket_send(scene->host.stack, socket, &message), MANY);
}

/* ... all of which arrives as it was sent. */
static void expect_burst(struct scene *scene) {
    struct seen seen;
    uint8_t *udp;
    uint32_t length, at = 0;
    while (at < MANY && next_packet(&scene->host, IP_PROTOCOL_UDP, &seen, &udp, &length)) {
        assert_int_equal(length - 8, MANY - at < ONE ? MANY - at : ONE);
        assert_memory_equal(udp + 8, bytes + at, length - 8);
        assert_int_equal(
            checksum_fold(checksum_add(checksum_pseudo_header(ip_from_v4(HOST_A), ip_from_v4(HOST_B),
                                                              IP_PROTOCOL_UDP, (uint16_t)length),
                                       udp, length)),
            0xffff);
        at += length - 8;
    }
    assert_int_equal(at, MANY);
}

static void burst_of_datagrams_is_sent_from_where_it_lies(void **state) {
    (void)state;
    static uint8_t own[MANY];
    struct scene scene;
    scene_begin(&scene);
    struct socket *socket = make_socket(&scene.host, SOCK_DGRAM, 0, 4000);
    uint32_t before = scene.host.stack->buffers.used;
    lend(&scene, socket, own);
    assert_ptr_equal(sent_frame(&scene)->borrowed, own);
    assert_int_equal(scene.host.stack->buffers.used, before);
    expect_burst(&scene);
    lend(&scene, socket, own);
    stack_frames_keep(scene.host.stack); /* it can't be sent now: the program goes on */
    assert_null(sent_frame(&scene)->borrowed);
    memset(own, 0xee, MANY);
    expect_burst(&scene);
    socket_release(scene.host.stack, socket);
    scene_end(&scene);
}

static void lent_burst_waits_for_its_neighbour_as_a_copy(void **state) {
    (void)state;
    static uint8_t own[MANY];
    struct scene scene;
    scene_begin(&scene);
    host_run(&scene.host, 100 * SECOND); /* the peer is forgotten */
    host_discard(&scene.host);
    struct socket *socket = make_socket(&scene.host, SOCK_DGRAM, 0, 4000);
    lend(&scene, socket, own);
    assert_int_equal(scene.host.stack->neighbours.pendings.used, 1);
    memset(own, 0xee, MANY);
    peer_answer_arp(&scene.host);
    expect_burst(&scene);
    socket_release(scene.host.stack, socket);
    scene_end(&scene);
}

static void lent_burst_is_lost_when_memory_is_out(void **state) {
    (void)state;
    static uint8_t own[MANY];
    struct scene scene;
    scene_begin(&scene);
    struct stack *stack = scene.host.stack;
    struct socket *socket = make_socket(&scene.host, SOCK_DGRAM, 0, 4000);
    uint32_t limit = stack->buffers.limit;
    lend(&scene, socket, own);
    stack->buffers.limit = stack->buffers.used + 7;
    stack_frames_keep(stack);
    assert_null(sent_frame(&scene));
    stack->buffers.limit = limit;
    socket_release(stack, socket);
    scene_end(&scene); /* nothing is left of it */
}

int main(void) {
    setenv("BAREWIRE_OFFLOAD", "1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_leaves_as_one_frame),
        cmocka_unit_test(the_tail_waits_for_nagle),
        cmocka_unit_test(bursts_do_not_stop_within_a_segment),
        cmocka_unit_test(a_part_of_a_burst_is_acknowledged),
        cmocka_unit_test(urgent_data_is_no_burst),
        cmocka_unit_test(corked_data_leaves_its_tail_behind),
        cmocka_unit_test(to_ourselves_segments_are_as_long_as_packets_can_be),
        cmocka_unit_test(datagrams_leave_their_checksum_to_the_nic),
        cmocka_unit_test(burst_of_datagrams_is_sent_from_where_it_lies),
        cmocka_unit_test(lent_burst_waits_for_its_neighbour_as_a_copy),
        cmocka_unit_test(lent_burst_is_lost_when_memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
