/* SPDX-License-Identifier: MIT */
/*
 * test_flow.c - when data and acknowledgments leave, and how much is offered: tcp_nagle.c, tcp_write_mark.c,
 * tcp_urgent.c, tcp_ack.c, tcp_autotune.c, tcp_window.c, tcp_info.c.
 */
#include "tests/unit/scene.h"
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

static ssize_t send_all(struct scene *scene, size_t length, int flags) {
    return send_bytes(&scene->host, scene->socket, bytes, length, flags);
}

static void acknowledge(struct scene *scene, uint32_t end) {
    say(scene, TCP_ACK, scene->remote, scene->local + end, 65535, NULL, 0);
}

static bool hear_pushed(struct scene *scene) {
    assert_true(hear(scene));
    return scene->packet.tcp.flags & TCP_PSH;
}

static void more_holds_back_until_the_next_acknowledgment(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NODELAY, 1);
    assert_int_equal(send_all(&scene, 2100, MSG_MORE), 2100);
    expect(&scene, TCP_ACK, scene.local, 1000);
    expect(&scene, TCP_ACK, scene.local + 1000, 1000);
    expect_nothing(&scene);
    acknowledge(&scene, 1000);
    expect(&scene, TCP_ACK, scene.local + 2000, 100);
    assert_false(scene.packet.tcp.flags & TCP_PSH); /* the write is not over */
    scene_end(&scene);
}

static void cork_holds_back_until_it_is_drawn_or_delay_is_forbidden(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_CORK, 1);
    send_all(&scene, 40, 0);
    send_all(&scene, 40, 0);
    expect_nothing(&scene);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_CORK, 0);
    expect(&scene, TCP_ACK, scene.local, 80);
    acknowledge(&scene, 80);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_CORK, 1);
    send_all(&scene, 40, 0);
    expect_nothing(&scene);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NODELAY, 1);
    expect(&scene, TCP_ACK, scene.local + 80, 40);
    scene_end(&scene);
}

static void bursts_end_with_a_push(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    scene.socket->tcp->rtt.min_ns = 100 * MS; /* a slow path: two segments a burst */
    scene.socket->tcp->rtt.srtt_ns = 100 * MS;
    send_all(&scene, 30000, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(hear_pushed(&scene), i % 2);
    expect_nothing(&scene);
    scene_end(&scene);
}

static void record_ends_are_segment_ends_when_sent_again_too(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(send_all(&scene, 300, MSG_EOR), 300);
    for (uint32_t i = 0; i < 3; i++) /* the last has nothing after it yet: Nagle holds it */
        expect(&scene, TCP_ACK, scene.local + i * 300, 300);
    expect_nothing(&scene);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NODELAY, 1);
    expect(&scene, TCP_ACK, scene.local + 900, 300);
    host_run(&scene.host, 2 * SECOND);
    peer_introduce(&scene.host);
    host_run(&scene.host, 4 * SECOND); /* a timeout, and then all */
    while (hear(&scene))
        assert_int_equal(scene.packet.tcp.length, 300);
    assert_true(scene.host.stack->mib.TcpRetransSegs > 0);
    scene_end(&scene);
}

static struct icmp_error next_told(struct scene *scene) {
    struct socket_message message = {.flags = MSG_ERRQUEUE};
    assert_int_equal(socket_receive(scene->host.stack, scene->socket, &message), 0);
    return message.error;
}

static void memory_is_said_to_be_free_once_all_is_acknowledged(void **state) {
    (void)state;
    struct scene scene;
    struct socket_message message = {.flags = MSG_ERRQUEUE};
    connected(&scene, 65535, 1000);
    assert_int_equal(set_option(&scene.host, scene.socket, SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    send_all(&scene, 2000, MSG_ZEROCOPY);
    send_all(&scene, 1000, MSG_ZEROCOPY);
    send_all(&scene, 1000, MSG_ZEROCOPY);
    acknowledge(&scene, 1999);
    assert_int_equal(socket_receive(scene.host.stack, scene.socket, &message), -EAGAIN);
    assert_false(socket_poll(scene.host.stack, scene.socket) & POLLERR);
    acknowledge(&scene, 3000);
    assert_true(socket_poll(scene.host.stack, scene.socket) & POLLERR);
    struct icmp_error told = next_told(&scene);
    assert_int_equal(told.origin, SO_EE_ORIGIN_ZEROCOPY);
    assert_int_equal(told.info, 0); /* the first two, in one */
    assert_int_equal(told.data, 1);
    acknowledge(&scene, 4000);
    told = next_told(&scene);
    assert_int_equal(told.info, 2);
    assert_int_equal(told.data, 2);
    scene_end(&scene);
}

static void urgent_byte_is_read_out_of_band_or_in_its_place(void **state) {
    (void)state;
    for (int in_line = 0; in_line < 2; in_line++) {
        struct scene scene;
        char got[20];
        int mark;
        connected(&scene, 65535, 1000);
        set_option(&scene.host, scene.socket, SOL_SOCKET, SO_OOBINLINE, in_line);
        struct tcp_segment urgent = segment_from_peer(&scene, TCP_ACK | TCP_URG);
        urgent.urgent = 4;
        peer_send_segment(&scene.host, &urgent, "abc!def", 7);
        scene.remote += 7;
        assert_true(socket_poll(scene.host.stack, scene.socket) & POLLPRI);
        assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0),
                         3); /* as far as the mark */
        socket_control(scene.socket, SIOCATMARK, &mark);
        assert_int_equal(mark, 1);
        if (in_line) {
            assert_int_equal(receive_bytes(&scene.host, scene.socket, got, 1, MSG_OOB), -EINVAL);
            assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 4);
            assert_memory_equal(got, "!def", 4);
        } else {
            assert_int_equal(receive_bytes(&scene.host, scene.socket, got, 1, MSG_OOB), 1);
            assert_int_equal(got[0], '!');
            assert_int_equal(receive_bytes(&scene.host, scene.socket, got, 1, MSG_OOB), -EINVAL);
            assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 3);
            assert_memory_equal(got, "def", 3);
        }
        assert_false(socket_poll(scene.host.stack, scene.socket) & POLLPRI);
        scene_end(&scene);
    }
}

static void urgent_byte_is_announced(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    assert_int_equal(send_bytes(&scene.host, scene.socket, "abc!", 4, MSG_OOB), 4);
    expect(&scene, TCP_ACK | TCP_URG, scene.local, 4);
    assert_int_equal(scene.packet.tcp.urgent, 4);
    acknowledge(&scene, 4);
    send_bytes(&scene.host, scene.socket, "rest", 4, 0);
    expect(&scene, TCP_ACK, scene.local + 4, 4);
    scene_end(&scene);
}

static void unsent_bytes_are_bounded_when_the_program_says_so(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000);
    ssize_t taken = send_all(&scene, sizeof bytes, 0);
    assert_in_range(taken, 10000, 10000 + 32000); /* what the window lets go, and one chunk */
    assert_false(socket_poll(scene.host.stack, scene.socket) & POLLOUT);
    uint32_t unsent = tcp_unsent(scene.socket->tcp);
    assert_true(unsent >= 4000);
    host_discard(&scene.host);
    for (uint32_t end = 1000; unsent >= 2000; end += 1000) {
        assert_false(socket_poll(scene.host.stack, scene.socket) & POLLOUT);
        acknowledge(&scene, end);
        host_discard(&scene.host);
        unsent = tcp_unsent(scene.socket->tcp);
    }
    assert_true(socket_poll(scene.host.stack, scene.socket) & POLLOUT);
    scene_end(&scene);
}

static void rate_that_the_program_asks_for_is_kept(void **state) {
    (void)state;
    struct scene scene;
    uint32_t sent = 0;
    connected(&scene, 65535, 1000);
    scene.socket->tcp->congestion.cwnd = 1000000;
    assert_int_equal(set_option(&scene.host, scene.socket, SOL_SOCKET, SO_MAX_PACING_RATE, 1058000),
                     0); /* 1 ms a segment */
    uint64_t begun = now;
    send_all(&scene, 60000, 0);
    while (sent < 60) {
        uint32_t burst = 0;
        while (hear(&scene)) {
            burst++;
            sent++;
        }
        assert_in_range(burst, 0, 4);
        acknowledge(&scene, sent * 1000);
        host_run(&scene.host, MS / 2);
        assert_true(now - begun < SECOND);
    }
    assert_in_range((now - begun) / MS, 55, 65);
    scene_end(&scene);
}

static void feed(struct scene *scene, uint32_t length) {
    say(scene, TCP_ACK, scene->remote, scene->local, 65535, bytes, length);
    scene->remote += length;
}

static void first_segments_are_acknowledged_one_by_one(void **state) {
    (void)state;
    struct scene scene;
    int quick = 0;
    connected(&scene, 65535, 1000);
    for (int i = 0; i < 40; i++) {
        feed(&scene, 1000);
        if (!hear(&scene))
            break;
        quick++;
    }
    assert_int_equal(quick, 16); /* then every second one */
    feed(&scene, 1000);
    assert_true(hear(&scene));
    scene_end(&scene);
}

static void program_that_answers_has_its_acknowledgments_wait(void **state) {
    (void)state;
    struct scene scene;
    char got[100];
    connected(&scene, 65535, 1000);
    uint32_t sent = 0;
    for (int i = 0; i < 5; i++) {
        feed(&scene, 100);
        if (i > 0)
            expect_nothing(&scene);
        host_discard(&scene.host);
        receive_bytes(&scene.host, scene.socket, got, sizeof got, 0);
        expect_nothing(&scene);
        send_all(&scene, 10, 0);
        expect(&scene, TCP_ACK, scene.local + sent, 10);
        sent += 10;
        scene.local += sent;
        acknowledge(&scene, 0);
        sent = 0;
        now += MS;
    }
    scene_end(&scene);
}

static void window_opens_as_data_comes_and_buffer_grows_as_it_is_read(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[200000];
    int before, after;
    socklen_t length = sizeof before;
    connected(&scene, 65535, 1000);
    socket_get_option(scene.host.stack, scene.socket, SOL_SOCKET, SO_RCVBUF, &before, &length);
    assert_int_equal(before, 131072); /* tcp_rmem */
    for (int round = 0; round < 12; round++) {
        uint32_t burst = scene.socket->tcp->rcv_adv - scene.socket->tcp->rcv_nxt;
        for (uint32_t done = 0; done + 1000 <= burst; done += 1000) {
            feed(&scene, 1000);
            host_discard(&scene.host);
            receive_bytes(&scene.host, scene.socket, got, sizeof got, 0);
            host_discard(&scene.host);
        }
        now += 50 * MS;
    }
    socket_get_option(scene.host.stack, scene.socket, SOL_SOCKET, SO_RCVBUF, &after, &length);
    assert_in_range(after, 1000000, 6291456);
    assert_in_range(scene.socket->tcp->tuning.offered, 300000, 6291456);
    scene_end(&scene);
}

static void buffer_that_the_program_chose_does_not_grow(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[200000];
    int size;
    socklen_t length = sizeof size;
    connected(&scene, 65535, 1000);
    set_option(&scene.host, scene.socket, SOL_SOCKET, SO_RCVBUF, 30000);
    for (int i = 0; i < 300; i++) {
        feed(&scene, 1000);
        receive_bytes(&scene.host, scene.socket, got, sizeof got, 0);
        host_discard(&scene.host);
        now += 10 * MS;
    }
    socket_get_option(scene.host.stack, scene.socket, SOL_SOCKET, SO_RCVBUF, &size, &length);
    assert_int_equal(size, 60000);
    scene_end(&scene);
}

static void little_segments_do_not_push_the_window_on(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, 1000);
    for (int i = 0; i < 400000; i++) {
        feed(&scene, 1);
        host_discard(&scene.host);
    }
    assert_in_range(scene.socket->tcp->receive.length, 60000, 66000);
    scene.remote = scene.socket->tcp->rcv_nxt;
    scene_end(&scene);
}

static void what_limits_a_sender_is_told(void **state) {
    (void)state;
    struct scene scene;
    struct tcp_information info;
    connected(&scene, 2000, 1000);
    send_all(&scene, 5000, 0);
    host_run(&scene.host, 20 * MS);
    tcp_info_get(scene.host.stack, scene.socket->tcp, &info);
    assert_in_range(info.rwnd_limited, 19000, 21000);
    assert_int_equal(info.unacked, 2);
    assert_int_equal(info.notsent_bytes, 3000);
    acknowledge(&scene, 2000);
    host_run(&scene.host, 10 * MS);
    acknowledge(&scene, 5000);
    host_run(&scene.host, 500 * MS);
    tcp_info_get(scene.host.stack, scene.socket->tcp, &info);
    assert_in_range(info.rwnd_limited, 19000, 21000);
    assert_in_range(info.busy_time, 29000, 31500);
    assert_int_equal(info.bytes_acked, 5000);
    assert_int_equal(info.delivered, 6); /* with the SYN */
    assert_int_equal(info.snd_mss, 1000);
    assert_int_equal(info.advmss, 1460);
    scene_end(&scene);
}

/* What is written while earlier segments wait for the NIC is gathered: Linux's autocorking. */
static void little_writes_wait_for_a_busy_nic(void **state) {
    (void)state;
    struct scene scene;
    connected(&scene, 65535, MSS);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_NODELAY, 1);
    send_bytes(&scene.host, scene.socket, bytes, 10, 0);
    for (uint32_t i = 1; i < 5; i++)
        send_bytes(&scene.host, scene.socket, bytes + 10 * i, 10, 0);
    assert_int_equal(scene.host.stack->transmit.count, 1);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPAutoCorking, 4);
    expect(&scene, TCP_ACK, scene.local, 10); /* the NIC takes it ... */
    stack_advance(scene.host.stack, now);
    expect(&scene, TCP_ACK, scene.local + 10, 40); /* ... and the rest follows, as one */
    assert_memory_equal(scene.packet.payload, bytes + 10, 40);
    assert_int_equal(sysctl_set(&scene.host.stack->sysctl, "net.ipv4.tcp_autocorking", "0"), 0);
    send_bytes(&scene.host, scene.socket, bytes, 10, 0);
    send_bytes(&scene.host, scene.socket, bytes, 10, 0);
    assert_int_equal(scene.host.stack->transmit.count, 2);
    host_discard(&scene.host);
    scene.local += 70;
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
    scene_end(&scene);
}

/* The peer knows of a window only when it has been told. */
static void window_is_not_offered_by_what_could_not_be_sent(void **state) {
    (void)state;
    struct scene scene;
    static uint8_t got[100000];
    connected(&scene, 65535, MSS);
    struct tcp *tcp = scene.socket->tcp;
    while (tcp->rcv_adv - scene.remote > MSS) {
        say(&scene, TCP_ACK, scene.remote, scene.local, 65535, bytes, MSS);
        scene.remote += MSS;
        host_run(&scene.host, 50 * MS);
    }
    host_discard(&scene.host);
    uint32_t offered = tcp->rcv_adv;
    struct socket *noise = make_socket(&scene.host, SOCK_DGRAM, 0, 0);
    assert_int_equal(socket_connect(scene.host.stack, noise, ip_from_v4(HOST_B), 9), 0);
    while (send_bytes(&scene.host, noise, "noise", 5, 0) == 5)
        continue;
    assert_true(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0) > 0);
    assert_int_equal(tcp->rcv_adv, offered);
    assert_true(tcp_window_update_due(tcp));
    host_discard(&scene.host);
    stack_advance(scene.host.stack, now);
    assert_true(hear(&scene));
    assert_true(seq_gt(tcp->rcv_adv, offered));
    socket_release(scene.host.stack, noise);
    scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_is_not_offered_by_what_could_not_be_sent),
        cmocka_unit_test(little_writes_wait_for_a_busy_nic),
        cmocka_unit_test(more_holds_back_until_the_next_acknowledgment),
        cmocka_unit_test(cork_holds_back_until_it_is_drawn_or_delay_is_forbidden),
        cmocka_unit_test(bursts_end_with_a_push),
        cmocka_unit_test(record_ends_are_segment_ends_when_sent_again_too),
        cmocka_unit_test(memory_is_said_to_be_free_once_all_is_acknowledged),
        cmocka_unit_test(urgent_byte_is_read_out_of_band_or_in_its_place),
        cmocka_unit_test(urgent_byte_is_announced),
        cmocka_unit_test(unsent_bytes_are_bounded_when_the_program_says_so),
        cmocka_unit_test(rate_that_the_program_asks_for_is_kept),
        cmocka_unit_test(first_segments_are_acknowledged_one_by_one),
        cmocka_unit_test(program_that_answers_has_its_acknowledgments_wait),
        cmocka_unit_test(window_opens_as_data_comes_and_buffer_grows_as_it_is_read),
        cmocka_unit_test(buffer_that_the_program_chose_does_not_grow),
        cmocka_unit_test(little_segments_do_not_push_the_window_on),
        cmocka_unit_test(what_limits_a_sender_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
