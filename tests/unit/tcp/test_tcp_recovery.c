/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_recovery.c - tcp_rtx.c, tcp_recovery.c, tcp_sack.c, tcp_timestamp.c: one stack against a
 * scripted peer that has SACK and timestamps.
 */
#include "tests/unit/host.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define MSS 1000u
#define RTT_NS (100 * MS)

static uint8_t bytes[200000], got[200000];

/* A connection to the peer, and what he says of it. */
struct scene {
    struct host host;
    struct socket *socket;
    struct packet packet;
    uint16_t port;
    uint32_t local, remote; /* next sequence numbers */
    bool timestamps;
    uint32_t peer_time;
};

static struct tcp_segment from_peer(struct scene *scene, uint8_t flags) {
    struct tcp_segment segment = {.source_port = 80,
                                  .destination_port = scene->port,
                                  .sequence = scene->remote,
                                  .acknowledgment = scene->local,
                                  .window = 65535,
                                  .flags = flags,
                                  .window_scale = -1};
    if (scene->timestamps) {
        segment.has_timestamp = true;
        segment.timestamp = scene->peer_time++;
        segment.timestamp_echo = scene->packet.tcp.timestamp;
    }
    return segment;
}

static void begin(struct scene *scene, bool sack, bool timestamps) {
    memset(scene, 0, sizeof *scene);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    scene->host = host_create(HOST_A, 1500);
    scene->peer_time = 5000;
    peer_introduce(&scene->host);
    assert_int_equal(socket_create(scene->host.stack, SOCK_STREAM, 0, &scene->socket), 0);
    assert_int_equal(socket_connect(scene->host.stack, scene->socket, ip_from_v4(HOST_B), 80), -EINPROGRESS);
    assert_true(peer_read(&scene->host, &scene->packet));
    assert_true(scene->packet.tcp.sack_permitted && scene->packet.tcp.has_timestamp);
    scene->port = scene->packet.tcp.source_port;
    scene->local = scene->packet.tcp.sequence + 1;
    scene->remote = 9000;
    scene->timestamps = timestamps;
    now += RTT_NS;
    struct tcp_segment answer = from_peer(scene, TCP_SYN | TCP_ACK);
    answer.mss = timestamps ? MSS + 12 : MSS;
    answer.sack_permitted = sack;
    peer_send_segment(&scene->host, &answer, NULL, 0);
    scene->remote++;
    assert_true(peer_read(&scene->host, &scene->packet));
    assert_int_equal(scene->packet.tcp.has_timestamp, timestamps);
}

static void end(struct scene *scene) {
    struct tcp_segment reset = from_peer(scene, TCP_RST);
    peer_send_segment(&scene->host, &reset, NULL, 0);
    socket_release(scene->host.stack, scene->socket);
    host_discard(&scene->host);
    host_run(&scene->host, 100 * SECOND);
    assert_nothing_left(&scene->host);
    assert_int_equal(scene->host.stack->sent.used, 0);
    host_destroy(&scene->host);
}

/* Sends so many segments at once, and takes them off the wire. */
static void send_segments(struct scene *scene, uint32_t count) {
    assert_int_equal(send_bytes(&scene->host, scene->socket, bytes, count * MSS, 0), count * MSS);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(peer_read(&scene->host, &scene->packet));
        assert_int_equal(scene->packet.tcp.length, MSS);
    }
}

/* The peer has all before segment `acked`, counted from the first, and of later ones [from, to). */
static void say(struct scene *scene, uint32_t acked, uint32_t from, uint32_t to) {
    struct tcp_segment segment = from_peer(scene, TCP_ACK);
    segment.acknowledgment = scene->local + acked * MSS;
    if (to > from) {
        segment.sack_count = 1;
        segment.sack[0] = (struct tcp_sack_block){scene->local + from * MSS, scene->local + to * MSS};
    }
    peer_send_segment(&scene->host, &segment, NULL, 0);
}

/* The next segment is that one, again. */
static void expect_segment(struct scene *scene, uint32_t number) {
    assert_true(peer_read(&scene->host, &scene->packet));
    assert_int_equal(scene->packet.tcp.sequence, scene->local + number * MSS);
    assert_int_equal(scene->packet.tcp.length, MSS);
    assert_memory_equal(scene->packet.payload, bytes + number * MSS, MSS);
}

static void expect_silence(struct scene *scene) {
    assert_false(peer_read(&scene->host, &scene->packet));
}

static void only_what_is_missing_is_sent_again(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, false);
    send_segments(&scene, 10);
    now += RTT_NS;
    say(&scene, 2, 3, 4); /* 2 is missing, and then 5 */
    say(&scene, 2, 3, 5);
    say(&scene, 2, 6, 7);
    expect_segment(&scene, 2);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_RECOVERY);
    say(&scene, 2, 6, 10);
    expect_segment(&scene, 5);
    expect_silence(&scene);
    now += RTT_NS;
    say(&scene, 10, 0, 0);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_OPEN);
    assert_int_equal(scene.host.stack->mib.TcpRetransSegs, 2);
    assert_int_equal(scene.socket->tcp->congestion.cwnd, scene.socket->tcp->congestion.ssthresh);
    assert_int_equal(scene.socket->tcp->congestion.ssthresh, 9100); /* CUBIC's 0.7 of 13 segments */
    end(&scene);
}

static void loss_is_counted_where_clocks_are_not_trusted(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, false);
    sysctl_set(&scene.host.stack->sysctl, "net.ipv4.tcp_recovery", "0");
    send_segments(&scene, 10);
    now += RTT_NS;
    say(&scene, 0, 1, 2);
    say(&scene, 0, 1, 3);
    expect_silence(&scene);
    say(&scene, 0, 1, 4);
    expect_segment(&scene, 0);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_RECOVERY);
    now += RTT_NS;
    say(&scene, 10, 0, 0);
    assert_int_equal(scene.host.stack->mib.TcpRetransSegs, 1);
    end(&scene);
}

static void needless_timeout_without_timestamps_is_taken_back(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, false, false);
    send_segments(&scene, 5);
    send_bytes(&scene.host, scene.socket, bytes + 5 * MSS, 10 * MSS, 0);
    host_discard(&scene.host);
    uint32_t cwnd = scene.socket->tcp->congestion.cwnd;
    host_run(&scene.host, 400 * MS); /* a delay longer than the timeout */
    peer_introduce(&scene.host);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_LOSS);
    host_discard(&scene.host);
    say(&scene, 1, 0, 0);       /* then what was sent first is acknowledged */
    expect_segment(&scene, 10); /* new data, rather than more of what may not be lost */
    expect_segment(&scene, 11);
    expect_silence(&scene);
    say(&scene, 2, 0, 0);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_OPEN);
    assert_true(scene.socket->tcp->congestion.cwnd >= cwnd);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPLossUndo, 1);
    assert_int_equal(scene.host.stack->mib.TcpRetransSegs, 1);
    end(&scene);
}

static void lost_retransmission_is_found_without_a_timeout(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, false);
    send_segments(&scene, 10);
    now += RTT_NS;
    say(&scene, 0, 1, 6);
    expect_segment(&scene, 0);
    now += RTT_NS / 2;
    send_bytes(&scene.host, scene.socket, bytes + 10 * MSS, 5 * MSS, 0);
    say(&scene, 0, 1, 9);
    expect_segment(&scene, 10); /* something new, sent after it */
    while (peer_read(&scene.host, &scene.packet))
        assert_true(scene.packet.tcp.sequence != scene.local);
    now += RTT_NS;
    say(&scene, 0, 1, 11); /* ... has arrived, and the first has not */
    expect_segment(&scene, 0);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPTimeouts, 0);
    end(&scene);
}

static void what_is_a_little_late_is_waited_for(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, false);
    send_segments(&scene, 5);
    now += RTT_NS;
    say(&scene, 0, 1, 2); /* one is not enough to be sure */
    expect_silence(&scene);
    assert_int_equal(scene.socket->tcp->timer_mode, TCP_TIMER_REORDER);
    host_run(&scene.host, RTT_NS / 8);
    expect_silence(&scene);
    say(&scene, 2, 0, 0); /* there it is */
    host_run(&scene.host, RTT_NS / 2);
    assert_int_equal(scene.host.stack->mib.TcpRetransSegs, 0);
    assert_true(scene.socket->tcp->reordering.seen);
    say(&scene, 2, 3, 4);
    expect_silence(&scene);
    host_run(&scene.host, RTT_NS); /* a quarter of a round trip at least, and then no longer */
    expect_segment(&scene, 2);
    end(&scene);
}

static void lost_tail_is_probed_for_before_the_timeout(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, false);
    send_segments(&scene, 4);
    now += RTT_NS;
    say(&scene, 1, 0, 0);
    assert_int_equal(scene.socket->tcp->timer_mode, TCP_TIMER_PROBE);
    host_run(&scene.host, 2 * RTT_NS + 10 * MS);
    expect_segment(&scene, 3); /* the last */
    assert_int_equal(scene.host.stack->mib.TcpExtTCPLossProbes, 1);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPTimeouts, 0);
    now += RTT_NS;
    say(&scene, 1, 3, 4); /* so 1 and 2 are lost */
    expect_segment(&scene, 1);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_RECOVERY);
    now += RTT_NS;
    say(&scene, 2, 3, 4);
    expect_segment(&scene, 2);
    end(&scene);
}

static void recovery_sends_no_faster_than_the_network_delivers(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, false);
    send_segments(&scene, 10);
    now += RTT_NS;
    say(&scene, 10, 0, 0);
    scene.local += 10 * MSS;
    memmove(bytes, bytes + 10 * MSS, sizeof bytes - 10 * MSS);
    send_segments(&scene, 20);
    send_bytes(&scene.host, scene.socket, bytes + 20 * MSS, 60 * MSS, 0);
    now += RTT_NS;
    uint32_t sent = 0, delivered = 0;
    for (uint32_t i = 1; i < 20; i++) {
        say(&scene, 0, 1, i + 1);
        delivered++;
        while (peer_read(&scene.host, &scene.packet))
            sent++;
        assert_true(sent <= delivered + 1);
    }
    assert_in_range(sent, 12, 16); /* 0.7 of what was delivered, and the first */
    end(&scene);
}

static void without_sack_three_duplicates_and_partial_acknowledgments_do(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, false, false);
    send_segments(&scene, 10);
    send_bytes(&scene.host, scene.socket, bytes + 10 * MSS, 10 * MSS, 0);
    now += RTT_NS;
    for (int i = 0; i < 2; i++) {
        say(&scene, 0, 0, 0);
        expect_segment(&scene, 10 + (uint32_t)i); /* limited transmit: RFC 3042 */
    }
    say(&scene, 0, 0, 0);
    expect_segment(&scene, 0);
    now += RTT_NS;
    say(&scene, 5, 0, 0); /* partial: 5 is missing, too */
    expect_segment(&scene, 5);
    while (peer_read(&scene.host, &scene.packet))
        continue;
    say(&scene, 12, 0, 0);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_OPEN);
    assert_int_equal(scene.host.stack->mib.TcpRetransSegs, 2);
    end(&scene);
}

static void needless_timeout_is_taken_back_by_timestamps(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, true);
    send_segments(&scene, 10);
    uint32_t first_time = scene.packet.tcp.timestamp, cwnd = scene.socket->tcp->congestion.cwnd;
    peer_introduce(&scene.host);
    host_run(&scene.host, 800 * MS); /* a probe, then a timeout */
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_LOSS);
    assert_int_equal(scene.socket->tcp->congestion.cwnd, MSS);
    host_discard(&scene.host);
    scene.packet.tcp.timestamp = first_time; /* it answers the first transmission: that was only late */
    say(&scene, 4, 0, 0);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPLossUndo, 1);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_OPEN);
    assert_true(scene.socket->tcp->congestion.cwnd >= cwnd);
    expect_silence(&scene); /* and the rest is not sent again */
    end(&scene);
}

static void say_twice(struct scene *scene, uint32_t acknowledged, uint32_t from, uint32_t to) {
    struct tcp_segment twice = from_peer(scene, TCP_ACK);
    twice.acknowledgment = scene->local + acknowledged * MSS;
    twice.sack_count = 1;
    twice.sack[0] = (struct tcp_sack_block){scene->local + from * MSS, scene->local + to * MSS};
    peer_send_segment(&scene->host, &twice, NULL, 0);
}

static void needless_retransmission_is_taken_back_by_a_duplicate_sack(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, false);
    send_segments(&scene, 10);
    uint32_t cwnd = scene.socket->tcp->congestion.cwnd;
    now += RTT_NS;
    say(&scene, 0, 1, 5);
    expect_segment(&scene, 0);
    now += RTT_NS / 2;
    say(&scene, 5, 0, 0); /* the first was late */
    say_twice(&scene, 5, 0, 1);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPDSACKRecv, 1);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPFullUndo, 1);
    assert_true(scene.socket->tcp->congestion.cwnd >= cwnd);
    end(&scene);
}

/* The usual order when a segment was only late: it ends the recovery, and what was sent again comes after. */
static void needless_recovery_is_taken_back_when_it_is_over(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, false);
    send_segments(&scene, 10);
    uint32_t cwnd = scene.socket->tcp->congestion.cwnd, threshold = scene.socket->tcp->congestion.ssthresh;
    now += RTT_NS;
    say(&scene, 0, 1, 5);
    expect_segment(&scene, 0);
    now += RTT_NS / 2;
    say(&scene, 10, 0, 0);
    assert_true(scene.socket->tcp->congestion.cwnd < cwnd);
    now += RTT_NS / 2;
    say_twice(&scene, 10, 0, 1);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPDSACKUndo, 1);
    assert_true(scene.socket->tcp->congestion.cwnd >= cwnd);
    assert_int_equal(scene.socket->tcp->congestion.ssthresh, threshold);
    /* Once is enough: a further one, or one of a peer that makes it up, changes nothing. */
    scene.socket->tcp->congestion.cwnd = 3 * MSS;
    say_twice(&scene, 10, 0, 1);
    say_twice(&scene, 10, 1, 2);
    assert_int_equal(scene.socket->tcp->congestion.cwnd, 3 * MSS);
    end(&scene);
}

static void reneging_peer_gets_all_again(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, false);
    send_segments(&scene, 5);
    now += RTT_NS;
    say(&scene, 0, 1, 5);
    expect_segment(&scene, 0);
    now += RTT_NS;
    say(&scene, 1, 0, 0); /* and of the others it knows nothing any more */
    for (uint32_t i = 0; i < 4; i++) {
        for (int wait = 0; !peer_read(&scene.host, &scene.packet); wait++) {
            assert_true(wait < 200);
            peer_introduce(&scene.host);
            host_run(&scene.host, 50 * MS);
        }
        assert_int_equal(scene.packet.tcp.sequence, scene.local + (1 + i) * MSS);
        say(&scene, 2 + i, 0, 0);
    }
    assert_int_equal(scene.socket->tcp->send.length, 0);
    end(&scene);
}

static void nonsense_in_blocks_does_no_harm(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, false);
    send_segments(&scene, 10);
    static const struct {
        int32_t start, end;
    } blocks[] = {{-500, 500},      {5000, 5000}, {6000, 5000},   {9000, 900000},
                  {-90000, -80000}, {1500, 1900}, {0, 0x7fffffff}};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        struct tcp_segment segment = from_peer(&scene, TCP_ACK);
        segment.sack_count = 1;
        segment.sack[0] = (struct tcp_sack_block){scene.local + (uint32_t)blocks[i].start,
                                                  scene.local + (uint32_t)blocks[i].end};
        peer_send_segment(&scene.host, &segment, NULL, 0);
        assert_int_equal(scene.socket->tcp->active->scoreboard.sacked_bytes, 0);
    }
    expect_silence(&scene);
    end(&scene);
}

/* The peer's segment `number` of 100 bytes. */
static void data_from_peer(struct scene *scene, uint32_t number) {
    struct tcp_segment segment = from_peer(scene, TCP_ACK);
    segment.sequence = scene->remote + number * 100;
    peer_send_segment(&scene->host, &segment, bytes + number * 100, 100);
}

static void expect_blocks(struct scene *scene, uint32_t acked, int count, const uint32_t *numbers) {
    host_run(&scene->host, 3 * MS); /* from the fourth on, those out of order are told of together */
    assert_true(peer_read(&scene->host, &scene->packet));
    assert_int_equal(scene->packet.tcp.acknowledgment, scene->remote + acked * 100);
    assert_int_equal(scene->packet.tcp.sack_count, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(scene->packet.tcp.sack[i].start, scene->remote + numbers[2 * i] * 100);
        assert_int_equal(scene->packet.tcp.sack[i].end, scene->remote + numbers[2 * i + 1] * 100);
    }
}

static void what_is_held_is_told_latest_first(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, true);
    data_from_peer(&scene, 2);
    expect_blocks(&scene, 0, 1, (const uint32_t[]){2, 3});
    data_from_peer(&scene, 4);
    expect_blocks(&scene, 0, 2, (const uint32_t[]){4, 5, 2, 3});
    data_from_peer(&scene, 3); /* joins them */
    expect_blocks(&scene, 0, 1, (const uint32_t[]){2, 5});
    data_from_peer(&scene, 8);
    data_from_peer(&scene, 10);
    data_from_peer(&scene, 12);
    /* Each new block is told of at once, with those that had news before it; no more fit beside a timestamp.
     */
    expect_blocks(&scene, 0, 2, (const uint32_t[]){8, 9, 2, 5});
    expect_blocks(&scene, 0, 3, (const uint32_t[]){10, 11, 8, 9, 2, 5});
    expect_blocks(&scene, 0, 3, (const uint32_t[]){12, 13, 10, 11, 8, 9});
    data_from_peer(&scene, 9); /* joins three of them */
    expect_blocks(&scene, 0, 3, (const uint32_t[]){8, 11, 12, 13, 2, 5});
    data_from_peer(&scene, 3); /* twice: RFC 2883 */
    peer_read(&scene.host, &scene.packet);
    data_from_peer(&scene, 0);
    data_from_peer(&scene, 1);
    while (peer_read(&scene.host, &scene.packet))
        continue;
    data_from_peer(&scene, 1);
    expect_blocks(&scene, 5, 3, (const uint32_t[]){1, 2, 8, 11, 12, 13});
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 500);
    assert_memory_equal(got, bytes, 500);
    end(&scene);
}

static void wrapped_sequence_number_is_told_from_an_old_one(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, true);
    data_from_peer(&scene, 0);
    struct tcp_segment old = from_peer(&scene, TCP_ACK);
    old.sequence = scene.remote + 100;
    old.timestamp -= 1000;
    host_discard(&scene.host);
    peer_send_segment(&scene.host, &old, bytes, 100);
    assert_int_equal(scene.host.stack->mib.TcpExtPAWSEstab, 1);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 100);
    assert_true(peer_read(&scene.host, &scene.packet));
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 100);
    now += UINT64_C(25) * 86400 * SECOND; /* too long ago to mean anything */
    peer_introduce(&scene.host);
    peer_send_segment(&scene.host, &old, bytes, 100);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 100);
    end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_missing_is_sent_again),
        cmocka_unit_test(loss_is_counted_where_clocks_are_not_trusted),
        cmocka_unit_test(needless_timeout_without_timestamps_is_taken_back),
        cmocka_unit_test(lost_retransmission_is_found_without_a_timeout),
        cmocka_unit_test(what_is_a_little_late_is_waited_for),
        cmocka_unit_test(lost_tail_is_probed_for_before_the_timeout),
        cmocka_unit_test(recovery_sends_no_faster_than_the_network_delivers),
        cmocka_unit_test(without_sack_three_duplicates_and_partial_acknowledgments_do),
        cmocka_unit_test(needless_timeout_is_taken_back_by_timestamps),
        cmocka_unit_test(needless_retransmission_is_taken_back_by_a_duplicate_sack),
        cmocka_unit_test(needless_recovery_is_taken_back_when_it_is_over),
        cmocka_unit_test(reneging_peer_gets_all_again),
        cmocka_unit_test(nonsense_in_blocks_does_no_harm),
        cmocka_unit_test(what_is_held_is_told_latest_first),
        cmocka_unit_test(wrapped_sequence_number_is_told_from_an_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
