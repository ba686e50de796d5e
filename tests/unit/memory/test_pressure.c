/* SPDX-License-Identifier: MIT */
/*
 * test_pressure.c - memory.c: what peers, and programs that do not read, can fill of a stack's memory, and
 * that everything else goes on then; and for how long a packet can keep a stack busy. Frames that can't be
 * received for want of memory fail a test (host_input).
 */
#include "stack/base/checksum.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS 80
#define LARGE (8 << 20) /* a receive buffer */
#define PEER_ISS 5000u

static uint8_t bytes[66000], got[66000];

/* A connection of the scripted peer's with a listener of ours. */
struct peer {
    struct socket *socket; /* ours, accepted; or NULL */
    uint16_t port;
    uint32_t next, local; /* its next sequence number, and ours */
};

struct pressed {
    struct host host;
    struct socket *listener;
    struct peer peers[CONNECTIONS];
    struct packet packet;
};

static struct pressed scene;

static void begin(int receive_buffer) {
    memset(&scene, 0, sizeof scene);
    scene.host = host_create(HOST_A, 1500);
    scene.host.stack->sysctl.rmem_max = 2 * LARGE;
    peer_introduce(&scene.host);
    scene.listener = make_socket(&scene.host, SOCK_STREAM, 0, 80);
    if (receive_buffer)
        set_option(&scene.host, scene.listener, SOL_SOCKET, SO_RCVBUF, receive_buffer / 2);
    assert_int_equal(socket_listen(scene.host.stack, scene.listener, 4096), 0);
}

static void end(void) {
    struct stack *stack = scene.host.stack;
    for (int i = 0; i < CONNECTIONS; i++)
        if (scene.peers[i].socket)
            socket_release(stack, scene.peers[i].socket);
    socket_release(stack, scene.listener);
    host_discard(&scene.host);
    assert_nothing_left(&scene.host);
    assert_int_equal(memory_tcp_pages(stack), 0);
    assert_int_equal(memory_udp_pages(stack), 0);
    assert_true(list_empty(&stack->memory.out_of_order.lists[0]));
    host_destroy(&scene.host);
}

static void send_segment(const struct peer *peer, uint8_t flags, uint32_t sequence, const void *payload,
                         uint32_t length) {
    struct tcp_segment segment = {.source_port = peer->port,
                                  .destination_port = 80,
                                  .sequence = sequence,
                                  .acknowledgment = peer->local,
                                  .window = 65535,
                                  .flags = flags,
                                  .mss = flags & TCP_SYN ? 1460 : 0,
                                  .sack_permitted = flags & TCP_SYN,
                                  .window_scale = flags & TCP_SYN ? 10 : -1};
    peer_send_segment(&scene.host, &segment, payload, length);
}

static void knock(struct peer *peer, uint16_t port) {
    *peer = (struct peer){.port = port, .next = PEER_ISS};
    host_discard(&scene.host);
    send_segment(peer, TCP_SYN, peer->next++, NULL, 0);
    assert_true(peer_read(&scene.host, &scene.packet));
    assert_int_equal(scene.packet.tcp.flags, TCP_SYN | TCP_ACK);
    peer->local = scene.packet.tcp.sequence + 1;
    send_segment(peer, TCP_ACK, peer->next, NULL, 0);
    host_discard(&scene.host);
}

static void open_one(struct peer *peer, uint16_t port) {
    knock(peer, port);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &peer->socket), 0);
}

/* The peer sends segments of a length, from a place beyond its next on, as far as the window goes or `most`.
 */
static void fill(struct peer *peer, const struct tcp *tcp, uint32_t gap, uint32_t length, uint32_t most) {
    uint32_t sent = gap;
    while (sent < most && seq_le(peer->next + sent + length, tcp->rcv_adv)) {
        send_segment(peer, TCP_ACK, peer->next + sent, bytes, length);
        host_discard(&scene.host);
        sent += length;
        now += MS / 100;
    }
}

static void is_answered_when_it_pings(void) {
    static struct seen seen;
    uint8_t *payload;
    uint32_t length;
    host_discard(&scene.host);
    peer_icmp(&scene.host, 8, 0, 1, bytes, 56);
    assert_true(next_packet(&scene.host, IP_PROTOCOL_ICMP, &seen, &payload, &length));
    assert_int_equal(length, 64);
}

/* A connection that comes now gets as much as it wants, as fast as it can. */
static void another_program_goes_on(uint16_t port) {
    struct peer peer;
    uint32_t total = 0;
    open_one(&peer, port);
    while (total < 500000) {
        uint32_t here = 0;
        for (; here < 14600; here += 1460)
            send_segment(&peer, TCP_ACK, peer.next + here, bytes, 1460);
        assert_int_equal(receive_bytes(&scene.host, peer.socket, got, sizeof got, 0), here);
        peer.next += here;
        total += here;
        now += MS;
        host_discard(&scene.host);
    }
    ssize_t sent = send_bytes(&scene.host, peer.socket, bytes, 50000, 0);
    assert_true(sent >= 30000);
    socket_release(scene.host.stack, peer.socket);
    send_segment(&peer, TCP_RST, peer.next, NULL, 0);
    host_discard(&scene.host);
}

static void stack_hears(void) {
    const struct stack *stack = scene.host.stack;
    assert_true(memory_tcp_pages(stack) <= stack->sysctl.tcp_mem[2] + 1000);
    assert_true(stack->buffers.used < stack->buffers.limit / 4 * 3);
    is_answered_when_it_pings();
    another_program_goes_on(40000);
}

static void holes_before_short_segments_fill_no_more_than_there_is(void **state) {
    (void)state;
    begin(LARGE);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct peer *peer = &scene.peers[i];
        open_one(peer, (uint16_t)(1000 + i));
        fill(peer, peer->socket->tcp, 0, 1400, 100000); /* and is read, so that the window is open */
        while (receive_bytes(&scene.host, peer->socket, got, sizeof got, 0) > 0)
            peer->next = peer->socket->tcp->rcv_nxt;
        host_discard(&scene.host);
    }
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < CONNECTIONS; i++)
            fill(&scene.peers[i], scene.peers[i].socket->tcp, 1 + (uint32_t)round * 600000, 513,
                 (uint32_t)(round + 1) * 600000);
    assert_true(scene.host.stack->mib.TcpExtOfoPruned + scene.host.stack->mib.TcpExtTCPRcvQDrop > 0);
    stack_hears();
    end();
}

/* A byte is missing before each segment, too: the most blocks for the least traffic. */
static void single_bytes_with_gaps_take_no_more_than_twice_the_window(void **state) {
    (void)state;
    begin(0);
    struct peer *peer = &scene.peers[0];
    open_one(peer, 1000);
    for (uint32_t at = 1; at < 60000; at += 2)
        send_segment(peer, TCP_ACK, peer->next + at, bytes, 1);
    const struct tcp *tcp = peer->socket->tcp;
    assert_true(tcp->active->out_of_order.buffers > 10);
    assert_true(tcp->active->out_of_order.buffers * BUFFER_BYTES <= 2 * tcp->receive_window + 65536);
    /* What comes before all of it is worth more. */
    uint32_t dropped = (uint32_t)scene.host.stack->mib.TcpExtOfoPruned;
    for (uint32_t at = 0; at < 20; at += 2)
        send_segment(peer, TCP_ACK, peer->next + at, bytes, 2);
    assert_int_equal(tcp->receive.length, 20);
    assert_true(scene.host.stack->mib.TcpExtOfoPruned == dropped);
    end();
}

static void what_is_higher_makes_room_for_what_is_lower(void **state) {
    (void)state;
    begin(0);
    struct peer *peer = &scene.peers[0];
    open_one(peer, 1000);
    for (uint32_t at = 30000; at < 60000; at += 2)
        send_segment(peer, TCP_ACK, peer->next + at, bytes, 1);
    const struct tcp_out_of_order_blocks *blocks = &peer->socket->tcp->active->out_of_order;
    uint32_t count = blocks->count;
    send_segment(peer, TCP_ACK, peer->next + 100, bytes, 1);
    assert_int_equal(blocks->count, count);
    assert_int_equal(tcp_out_of_order_of(blocks->list.next)->sequence, peer->next + 100);
    assert_true(scene.host.stack->mib.TcpExtOfoPruned > 0);
    end();
}

static void connections_that_nobody_reads_leave_room_for_others(void **state) {
    (void)state;
    begin(LARGE);
    for (int i = 0; i < CONNECTIONS; i++)
        open_one(&scene.peers[i], (uint16_t)(1000 + i));
    for (int round = 0; round < 40; round++)
        for (int i = 0; i < CONNECTIONS; i++) {
            struct peer *peer = &scene.peers[i];
            fill(peer, peer->socket->tcp, 0, 1400, 60000);
            peer->next = peer->socket->tcp->rcv_nxt;
        }
    assert_true(memory_tcp_pages(scene.host.stack) > scene.host.stack->sysctl.tcp_mem[0]);
    stack_hears();
    /* A connection that was refused goes on once its program reads. */
    struct peer *peer = &scene.peers[0];
    for (int i = 0; i < CONNECTIONS; i++)
        while (receive_bytes(&scene.host, scene.peers[i].socket, got, sizeof got, 0) > 0)
            host_discard(&scene.host);
    uint32_t before = peer->socket->tcp->rcv_nxt;
    fill(peer, peer->socket->tcp, 0, 1400, 60000);
    assert_true(peer->socket->tcp->rcv_nxt - before > 50000);
    end();
}

static void short_segments_count_as_what_they_take(void **state) {
    (void)state;
    begin(0);
    struct peer *peer = &scene.peers[0];
    open_one(peer, 1000);
    for (int round = 0; round < 100; round++) {
        fill(peer, peer->socket->tcp, 0, 513, 6000);
        peer->next = peer->socket->tcp->rcv_nxt;
    }
    const struct tcp *tcp = peer->socket->tcp;
    assert_true(tcp->receive.length > 50000);
    assert_true(tcp->receive.buffers * BUFFER_BYTES <= 2 * tcp->receive_window);
    assert_int_equal(tcp->receive.buffers, buffer_chain_count(tcp->receive.head));
    end();
}

/* Nobody accepts. */
static void full_accept_queue_takes_a_part_only(void **state) {
    (void)state;
    struct tcp *tcp;
    begin(0);
    for (uint32_t i = 0; i < 1200; i++) {
        struct peer peer;
        knock(&peer, (uint16_t)(1000 + i));
        tcp = tcp_lookup(scene.host.stack, ip_from_v4(HOST_A), 80, ip_from_v4(HOST_B), peer.port);
        fill(&peer, tcp, 0, 1015, 65000);
    }
    const struct stack *stack = scene.host.stack;
    assert_true(memory_tcp_pages(stack) <= stack->sysctl.tcp_mem[2] + 1000);
    is_answered_when_it_pings();
    end();
}

static void datagrams_that_nobody_reads_leave_room_for_others(void **state) {
    (void)state;
    static struct socket *sockets[600];
    begin(0);
    for (uint32_t i = 0; i < 600; i++)
        sockets[i] = make_socket(&scene.host, SOCK_DGRAM, 0, (uint16_t)(20000 + i));
    for (int round = 0; round < 300; round++)
        for (uint32_t i = 0; i < 600; i++)
            peer_udp(&scene.host, 0, 53, (uint16_t)(20000 + i), bytes, round % 2 ? 1 : 1200);
    const struct stack *stack = scene.host.stack;
    assert_true(memory_udp_pages(stack) <= stack->sysctl.udp_mem[2]);
    assert_true(stack->mib.UdpMemErrors > 0);
    struct socket *asks = make_socket(&scene.host, SOCK_DGRAM, 0, 30000);
    peer_udp(&scene.host, 0, 53, 30000, "answer", 6); /* a socket that has nothing yet gets it */
    assert_int_equal(receive_bytes(&scene.host, asks, got, sizeof got, 0), 6);
    stack_hears();
    for (uint32_t i = 0; i < 600; i++)
        socket_release(scene.host.stack, sockets[i]);
    assert_int_equal(memory_udp_pages(stack), 0);
    socket_release(scene.host.stack, asks);
    end();
}

static void writers_whose_peers_do_not_read_leave_room_for_others(void **state) {
    (void)state;
    begin(0);
    struct stack *stack = scene.host.stack;
    for (int i = 0; i < CONNECTIONS; i++) {
        struct peer *peer = &scene.peers[i];
        open_one(peer, (uint16_t)(1000 + i));
        set_option(&scene.host, peer->socket, SOL_SOCKET, SO_SNDBUF, 2 << 20);
        while (send_bytes(&scene.host, peer->socket, bytes, sizeof bytes, 0) > 0)
            host_discard(&scene.host);
        assert_true(peer->socket->tcp->send.length >= 8192);
        assert_false(socket_poll(stack, peer->socket) & POLLOUT);
    }
    stack_hears();
    /* Its peer takes what one has: it may write again, and is told so. */
    struct peer *peer = &scene.peers[CONNECTIONS - 1];
    while (stack_next_event(stack))
        continue;
    peer->local = peer->socket->tcp->snd_nxt;
    send_segment(peer, TCP_ACK, peer->next, NULL, 0);
    for (int i = 0; i < 100 && peer->socket->tcp->send.length > 0; i++) {
        peer->local = peer->socket->tcp->snd_nxt;
        send_segment(peer, TCP_ACK, peer->next, NULL, 0);
        host_discard(&scene.host);
    }
    assert_true(socket_poll(stack, peer->socket) & POLLOUT);
    assert_ptr_equal(stack_next_event(stack), peer->socket);
    assert_true(send_bytes(&scene.host, peer->socket, bytes, 1000, 0) > 0);
    end();
}

static void objects_do_not_take_what_frames_need(void **state) {
    (void)state;
    static struct socket *sockets[200000];
    uint32_t count = 0;
    begin(0);
    while (socket_create(scene.host.stack, SOCK_DGRAM, 0, &sockets[count]) == 0)
        count++;
    assert_true(count > 50000 && count < 200000);
    struct buffer *chain = NULL;
    for (int i = 0; i < 300; i++) {
        struct buffer *buffer = buffer_take(&scene.host.stack->buffers);
        assert_non_null(buffer);
        buffer->next = chain;
        chain = buffer;
    }
    is_answered_when_it_pings();
    buffer_drop_chain(&scene.host.stack->buffers, chain);
    while (count > 0)
        socket_release(scene.host.stack, sockets[--count]);
    end();
}

static void marks_have_the_kernels_names(void **state) {
    (void)state;
    char text[SYSCTL_TEXT_BYTES];
    begin(0);
    struct sysctl *sysctl = &scene.host.stack->sysctl;
    assert_int_equal(sysctl_get(sysctl, "net.ipv4.tcp_mem", text), 0);
    assert_string_equal(text, "4096\t5461\t8192");
    assert_int_equal(sysctl_get(sysctl, "net/ipv4/udp_mem", text), 0);
    assert_string_equal(text, "2048\t2730\t4096");
    assert_int_equal(sysctl_set(sysctl, "net.ipv4.tcp_mem", "10 20 30"), 0);
    struct peer *peer = &scene.peers[0];
    open_one(peer, 1000);
    for (int round = 0; round < 100; round++) {
        fill(peer, peer->socket->tcp, 0, 1400, 60000);
        peer->next = peer->socket->tcp->rcv_nxt;
    }
    assert_true(memory_tcp_pages(scene.host.stack) < 40);
    end();
}

static uint64_t own_time_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* How long this thread takes for 64 packets, at least: other programs only make it longer. */
static uint64_t least_time(void (*packet)(const struct peer *peer, uint32_t round), const struct peer *peer) {
    uint64_t least = UINT64_MAX;
    for (uint32_t series = 0; series < 30; series++) {
        uint64_t begun = own_time_ns();
        for (uint32_t round = 0; round < 64; round++)
            packet(peer, series * 64 + round);
        uint64_t took = own_time_ns() - begun;
        least = took < least ? took : least;
    }
    return least;
}

/* Of 1,459 bytes each, and between them one is missing. */
static void hold_blocks(struct peer *peer, uint32_t blocks) {
    begin(LARGE * 2);
    struct sysctl *sysctl = &scene.host.stack->sysctl;
    sysctl->tcp_mem[0] = sysctl->tcp_mem[1] = sysctl->tcp_mem[2] = UINT32_MAX;
    sysctl->rmem_max = 4 * LARGE;
    open_one(peer, 1000);
    for (uint32_t i = 0; i < blocks; i++) {
        send_segment(peer, TCP_ACK, peer->next + 1 + i * 1460, bytes, 1459);
        host_discard(&scene.host);
    }
    assert_int_equal(peer->socket->tcp->active->out_of_order.count, blocks);
}

static void send_again_early(const struct peer *peer, uint32_t round) {
    uint32_t count = peer->socket->tcp->active->out_of_order.count;
    send_segment(peer, TCP_ACK, peer->next + 1 + round * 7 % (count / 2) * 1460, bytes, 10);
    host_discard(&scene.host);
}

static void segment_finds_its_place_among_blocks_at_once(void **state) {
    (void)state;
    hold_blocks(&scene.peers[0], 50);
    uint64_t few = least_time(send_again_early, &scene.peers[0]);
    end();
    hold_blocks(&scene.peers[0], 5500);
    uint64_t many = least_time(send_again_early, &scene.peers[0]);
    end();
    assert_true(many < 6 * few);
}

/* A datagram was too long, somebody says. */
static void tell_of_a_narrow_path(const struct peer *peer, uint32_t round) {
    uint8_t quoted[IP_HEADER_BYTES + 8] = {0x45, 0, 5, 0xdc, 0, 0, 0x40, 0, 64, IP_PROTOCOL_UDP};
    (void)peer;
    wire_put32(quoted + 12, HOST_A);
    wire_put32(quoted + 16, HOST_B);
    ip_seal_header(quoted);
    wire_put16(quoted + IP_HEADER_BYTES, 5353);
    wire_put16(quoted + IP_HEADER_BYTES + 2, 9);
    peer_icmp(&scene.host, 3, 4, 1400 - round % 800, quoted, sizeof quoted); /* ever narrower: each is news */
    ip_path_forget(scene.host.stack);
}

static void path_news(uint32_t connections, uint64_t *least) {
    static struct peer peers[3000];
    begin(0);
    struct socket *asks = make_socket(&scene.host, SOCK_DGRAM, 0, 5353);
    struct iovec piece = {bytes, 100};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(HOST_B), .port = 9};
    socket_send(scene.host.stack, asks, &message);
    for (uint32_t i = 0; i < connections; i++)
        open_one(&peers[i], (uint16_t)(1000 + i));
    *least = least_time(tell_of_a_narrow_path, NULL);
    assert_true(scene.host.stack->paths.generation >= 64);
    for (uint32_t i = 0; i < connections; i++) {
        socket_release(scene.host.stack, peers[i].socket);
        send_segment(&peers[i], TCP_RST, peers[i].next, NULL, 0);
        host_discard(&scene.host);
    }
    socket_release(scene.host.stack, asks);
    end();
}

static void news_of_a_path_costs_the_same_however_many_connections_there_are(void **state) {
    (void)state;
    uint64_t few, many;
    path_news(5, &few);
    path_news(3000, &many);
    assert_true(many < 6 * few);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holes_before_short_segments_fill_no_more_than_there_is),
        cmocka_unit_test(single_bytes_with_gaps_take_no_more_than_twice_the_window),
        cmocka_unit_test(what_is_higher_makes_room_for_what_is_lower),
        cmocka_unit_test(connections_that_nobody_reads_leave_room_for_others),
        cmocka_unit_test(short_segments_count_as_what_they_take),
        cmocka_unit_test(full_accept_queue_takes_a_part_only),
        cmocka_unit_test(datagrams_that_nobody_reads_leave_room_for_others),
        cmocka_unit_test(writers_whose_peers_do_not_read_leave_room_for_others),
        cmocka_unit_test(objects_do_not_take_what_frames_need),
        cmocka_unit_test(marks_have_the_kernels_names),
        cmocka_unit_test(segment_finds_its_place_among_blocks_at_once),
        cmocka_unit_test(news_of_a_path_costs_the_same_however_many_connections_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
