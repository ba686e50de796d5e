/* SPDX-License-Identifier: MIT */
/*
 * test_opening.c - how connections begin, beyond the plain handshake: tcp_fastopen.c, tcp_syncookie.c,
 * tcp_ecn.c, sysctl.c.
 */
#include "stack/base/checksum.h"
#include "stack/tcp/tcp_ecn.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

static const struct tcp_cookie COOKIE = {.present = true, .length = 8, .bytes = {1, 2, 3, 4, 5, 6, 7, 8}};

static void tune(struct scene *scene, const char *list) {
    assert_int_equal(sysctl_set_all(&scene->host.stack->sysctl, list, NULL), 0);
}

static ssize_t open_with(struct scene *scene, const void *data, size_t length) {
    struct iovec piece = {(void *)data, length};
    struct socket_message message = {.pieces = &piece,
                                     .count = 1,
                                     .flags = MSG_FASTOPEN,
                                     .has_address = true,
                                     .address = ip_from_v4(HOST_B),
                                     .port = scene->remote_port};
    struct ip_address address;
    assert_int_equal(socket_create(scene->host.stack, SOCK_STREAM, 0, &scene->socket), 0);
    ssize_t result = socket_send(scene->host.stack, scene->socket, &message);
    socket_local(scene->socket, &address, &scene->local_port);
    return result;
}

/* The peer's SYN-ACK, with a cookie or none, acknowledging so much beyond the SYN. */
static void answer_syn(struct scene *scene, const struct tcp_cookie *cookie, uint32_t acknowledged) {
    struct tcp_segment answer = segment_from_peer(scene, TCP_SYN | TCP_ACK);
    answer.acknowledgment = scene->packet.tcp.sequence + 1 + acknowledged;
    answer.mss = 1000;
    if (cookie)
        answer.cookie = *cookie;
    scene->remote++;
    peer_send_segment(&scene->host, &answer, NULL, 0);
}

static void cookie_is_asked_for_then_data_goes_with_the_syn(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    assert_int_equal(open_with(&scene, "first", 5), -EINPROGRESS);
    assert_true(hear(&scene));
    assert_true(scene.packet.tcp.cookie.present);
    assert_int_equal(scene.packet.tcp.cookie.length, 0);
    assert_int_equal(scene.packet.tcp.length, 0);
    answer_syn(&scene, &COOKIE, 0);
    assert_true(hear(&scene));
    socket_release(scene.host.stack, scene.socket);
    host_discard(&scene.host);

    scene.remote = PEER_ISS;
    assert_int_equal(open_with(&scene, bytes, 5000), 960); /* what the peer takes, less 40 for options */
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_SYN);
    assert_int_equal(scene.packet.tcp.length, 960);
    assert_memory_equal(scene.packet.payload, bytes, 960);
    assert_memory_equal(scene.packet.tcp.cookie.bytes, COOKIE.bytes, 8);
    answer_syn(&scene, NULL, 960);
    scene.local = scene.packet.tcp.sequence + 961;
    expect(&scene, TCP_ACK, scene.local, 0);
    assert_true(scene.socket->tcp->fastopen & TCP_FASTOPEN_TAKEN);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPFastOpenActive, 1);
    scene_end(&scene);
}

/* A connection that needs no cookie begins with 100 bytes in its SYN, which has been heard. */
static void open_without_cookie(struct scene *scene) {
    scene_begin(scene);
    tune(scene, "net.ipv4.tcp_fastopen=5");
    assert_int_equal(open_with(scene, bytes, 100), 100);
    assert_true(hear(scene));
}

static void data_that_the_syn_ack_does_not_take_is_sent_again(void **state) {
    (void)state;
    struct scene scene;
    open_without_cookie(&scene);
    assert_int_equal(scene.packet.tcp.length, 100);
    scene.local = scene.packet.tcp.sequence + 1;
    answer_syn(&scene, NULL, 0);
    expect(&scene, TCP_ACK, scene.local, 100);
    assert_memory_equal(scene.packet.payload, bytes, 100);
    assert_false(scene.socket->tcp->fastopen & TCP_FASTOPEN_TAKEN);
    scene_end(&scene);
}

static void cookie_that_was_not_asked_for_is_not_kept(void **state) {
    (void)state;
    struct scene scene;
    open_without_cookie(&scene);
    answer_syn(&scene, &COOKIE, 100);
    socket_release(scene.host.stack, scene.socket);
    host_discard(&scene.host);
    tune(&scene, "net.ipv4.tcp_fastopen=1");
    scene.remote = PEER_ISS;
    assert_int_equal(open_with(&scene, bytes, 100), -EINPROGRESS);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.cookie.length, 0);
    assert_int_equal(scene.packet.tcp.length, 0);
    scene.local = scene.packet.tcp.sequence + 1;
    scene_end(&scene);
}

static void lost_syn_with_data_is_repeated_without(void **state) {
    (void)state;
    struct scene scene;
    open_without_cookie(&scene);
    uint32_t sequence = scene.packet.tcp.sequence;
    host_run(&scene.host, 1100 * MS);
    expect(&scene, TCP_SYN, sequence, 0);
    assert_false(scene.packet.tcp.cookie.present);
    answer_syn(&scene, NULL, 0);
    expect(&scene, TCP_ACK, sequence + 1, 100);
    scene_end(&scene);
}

/* The cookie that a listener gives to who asks. */
static struct tcp_cookie server_cookie(struct scene *scene) {
    struct tcp_segment syn = segment_from_peer(scene, TCP_SYN);
    syn.mss = MSS;
    syn.cookie = (struct tcp_cookie){.present = true};
    syn.source_port = 39999;
    peer_send_segment(&scene->host, &syn, NULL, 0);
    assert_true(hear(scene));
    assert_int_equal(scene->packet.tcp.acknowledgment, scene->remote + 1);
    assert_int_equal(scene->packet.tcp.cookie.length, 8);
    struct tcp_segment reset = segment_from_peer(scene, TCP_RST);
    reset.source_port = 39999;
    reset.sequence++;
    peer_send_segment(&scene->host, &reset, NULL, 0);
    return scene->packet.tcp.cookie;
}

static void knock_with_data(struct scene *scene, const struct tcp_cookie *cookie) {
    struct tcp_segment syn = segment_from_peer(scene, TCP_SYN);
    syn.mss = MSS;
    syn.cookie = *cookie;
    peer_send_segment(&scene->host, &syn, "question", 8);
    assert_true(hear(scene));
    assert_int_equal(scene->packet.tcp.flags, TCP_SYN | TCP_ACK);
    scene->local = scene->packet.tcp.sequence + 1;
}

static void cookie_lets_data_in_before_the_handshake_is_complete(void **state) {
    (void)state;
    struct scene scene;
    char got[10];
    listen_on(&scene, 5);
    tune(&scene, "net.ipv4.tcp_fastopen=3");
    assert_int_equal(set_option(&scene.host, scene.listener, IPPROTO_TCP, TCP_FASTOPEN, 5), 0);
    struct tcp_cookie cookie = server_cookie(&scene);
    knock_with_data(&scene, &cookie);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 9);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 8);
    assert_int_equal(send_bytes(&scene.host, scene.socket, "answer", 6, 0), 6);
    expect(&scene, TCP_ACK, scene.local, 6);
    scene.remote += 9;
    say(&scene, TCP_ACK, scene.remote, scene.local + 6, 65535, NULL, 0);
    assert_int_equal(scene.socket->tcp->state, TCP_ESTABLISHED);
    assert_int_equal(scene.listener->tcp->fastopen_count, 0);
    assert_int_equal(scene.socket->tcp->send.length, 0);
    scene_end(&scene);
}

static void wrong_cookie_gets_the_right_one_and_its_data_is_not_taken(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 5);
    tune(&scene, "net.ipv4.tcp_fastopen=0x403"); /* every listener */
    knock_with_data(&scene, &COOKIE);
    assert_int_equal(scene.packet.tcp.acknowledgment, scene.remote + 1);
    assert_int_equal(scene.packet.tcp.cookie.length, 8);
    assert_memory_not_equal(scene.packet.tcp.cookie.bytes, COOKIE.bytes, 8);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), -EAGAIN);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPFastOpenPassiveFail, 1);
    scene.remote++;
    scene_end(&scene);
}

static void reset_before_accept_is_told_after_the_data(void **state) {
    (void)state;
    struct scene scene;
    char got[10];
    listen_on(&scene, 5);
    tune(&scene, "net.ipv4.tcp_fastopen=0x603"); /* every listener, no cookie needed */
    struct tcp_cookie none = {0};
    knock_with_data(&scene, &none);
    say(&scene, TCP_RST, scene.remote + 9, 0, 0, NULL, 0);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 8);
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), -ECONNRESET);
    scene_end(&scene);
}

static void flood_of_syns_does_not_keep_a_client_out(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 4);
    tune(&scene, "net.ipv4.tcp_max_syn_backlog=100");
    for (uint16_t port = 1000; port < 3000; port++) {
        peer_send(&scene.host, port, 8080, TCP_SYN, scene.remote, 0, 65535, MSS, NULL, 0);
        assert_true(hear(&scene));
    }
    assert_in_range(scene.host.stack->connections.used, 100, 103); /* the flood takes no more memory */
    struct tcp_segment syn = segment_from_peer(&scene, TCP_SYN);
    syn.mss = 1300;
    syn.window_scale = 5;
    syn.sack_permitted = syn.has_timestamp = true;
    syn.timestamp = 77;
    peer_send_segment(&scene.host, &syn, NULL, 0);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_SYN | TCP_ACK);
    scene.local = scene.packet.tcp.sequence + 1;
    scene.remote++;
    struct tcp_segment reply = segment_from_peer(&scene, TCP_ACK);
    reply.has_timestamp = true;
    reply.timestamp = 78;
    reply.timestamp_echo = scene.packet.tcp.timestamp;
    peer_send_segment(&scene.host, &reply, "hello", 5);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
    const struct tcp *tcp = scene.socket->tcp;
    assert_int_equal(tcp->snd_scale, 5); /* all of it came back in the timestamp */
    assert_true(tcp->sack_permitted && tcp->timestamps);
    assert_int_equal(tcp->path.mss_peer, 1300);
    assert_int_equal(tcp->receive.length, 5);
    assert_int_equal(scene.host.stack->mib.TcpExtSyncookiesRecv, 1);
    scene_end(&scene);
}

static void forged_cookies_are_refused(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 1);
    tune(&scene, "net.ipv4.tcp_syncookies=2");
    peer_send(&scene.host, 1000, 8080, TCP_SYN, scene.remote, 0, 65535, MSS, NULL, 0);
    assert_true(hear(&scene));
    uint32_t right = scene.packet.tcp.sequence + 1;
    for (uint32_t i = 1; i < 2000; i++) {
        peer_send(&scene.host, 1000, 8080, TCP_ACK, scene.remote + 1, right + i * 0x10003, 65535, 0, NULL, 0);
        assert_true(hear(&scene));
        assert_int_equal(scene.packet.tcp.flags, TCP_RST);
    }
    peer_send(&scene.host, 1001, 8080, TCP_ACK, scene.remote + 1, right, 65535, 0, NULL, 0); /* another's */
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_RST);
    host_run(&scene.host, 200 * SECOND); /* too late */
    peer_introduce(&scene.host);
    peer_send(&scene.host, 1000, 8080, TCP_ACK, scene.remote + 1, right, 65535, 0, NULL, 0);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_RST);
    assert_int_equal(scene.listener->accept_count, 0);
    scene_end(&scene);
}

static void deferred_accept_waits_for_data(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 5);
    assert_int_equal(set_option(&scene.host, scene.listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3), 0);
    peer_send(&scene.host, scene.remote_port, 8080, TCP_SYN, scene.remote++, 0, 65535, MSS, NULL, 0);
    assert_true(hear(&scene));
    scene.local = scene.packet.tcp.sequence + 1;
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), -EAGAIN);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, "data", 4);
    assert_int_equal(socket_accept(scene.host.stack, scene.listener, &scene.socket), 0);
    assert_int_equal(scene.socket->tcp->receive.length, 4);
    scene.remote += 4;
    scene_end(&scene);
}

static void ecn_is_agreed_on_marks_are_echoed_and_echoes_heeded(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    tune(&scene, "net.ipv4.tcp_ecn=1");
    struct ip_address address;
    assert_int_equal(socket_create(scene.host.stack, SOCK_STREAM, 0, &scene.socket), 0);
    socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80);
    socket_local(scene.socket, &address, &scene.local_port);
    assert_true(hear(&scene));
    assert_int_equal(scene.packet.tcp.flags, TCP_SYN | TCP_ECE | TCP_CWR);
    scene.local = scene.packet.tcp.sequence + 1;
    struct tcp_segment answer = segment_from_peer(&scene, TCP_SYN | TCP_ACK | TCP_ECE);
    answer.mss = 1000;
    peer_send_segment(&scene.host, &answer, NULL, 0);
    scene.remote++;
    host_discard(&scene.host);
    assert_true(scene.socket->tcp->ecn & TCP_ECN_ON);

    struct tcp_segment marked = segment_from_peer(&scene, TCP_ACK);
    marked.tos = TCP_ECN_CE;
    peer_send_segment(&scene.host, &marked, bytes, 100);
    scene.remote += 100;
    expect(&scene, TCP_ACK | TCP_ECE, scene.local, 0);
    struct tcp_segment reduced = segment_from_peer(&scene, TCP_ACK | TCP_CWR);
    peer_send_segment(&scene.host, &reduced, bytes, 100);
    scene.remote += 100;
    expect(&scene, TCP_ACK, scene.local, 0);

    send_bytes(&scene.host, scene.socket, bytes, 10000, 0);
    host_discard(&scene.host);
    now += 10 * MS;
    say(&scene, TCP_ACK | TCP_ECE, scene.remote, scene.local + 1000, 65535, NULL, 0);
    assert_int_equal(scene.socket->tcp->active->recovery.state, TCP_REDUCING);
    assert_in_range(scene.socket->tcp->congestion.ssthresh, 7000, 7999);
    say(&scene, TCP_ACK, scene.remote, scene.local + 10000, 65535, NULL, 0);
    send_bytes(&scene.host, scene.socket, bytes, 1000, 0);
    assert_true(hear(&scene));
    assert_true(scene.packet.tcp.flags & TCP_CWR);
    assert_int_equal(scene.host.stack->mib.TcpRetransSegs, 0);
    scene_end(&scene);
}

/* Opens a connection to the listener and closes it from our side; the peer has acknowledged our FIN. */
static void open_and_close(struct scene *scene, uint16_t port, bool peer_closes) {
    scene->remote_port = port;
    scene->remote = PEER_ISS;
    say(scene, TCP_SYN, scene->remote++, 0, 65535, NULL, 0);
    assert_true(hear(scene));
    scene->local = scene->packet.tcp.sequence + 1;
    say(scene, TCP_ACK, scene->remote, scene->local, 65535, NULL, 0);
    assert_int_equal(socket_accept(scene->host.stack, scene->listener, &scene->socket), 0);
    socket_release(scene->host.stack, scene->socket);
    scene->socket = NULL;
    assert_true(hear(scene));
    if (scene->packet.tcp.flags & TCP_RST)
        return;
    say(scene, TCP_ACK, scene->remote, scene->local + 1, 65535, NULL, 0);
    if (peer_closes)
        say(scene, TCP_FIN | TCP_ACK, scene->remote++, scene->local + 1, 65535, NULL, 0);
    host_run(&scene->host, MS);
    peer_introduce(&scene->host);
}

static void orphans_and_time_waits_are_bounded(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 5);
    tune(&scene, "net.ipv4.tcp_max_orphans=7,net.ipv4.tcp_max_tw_buckets=5");
    for (uint16_t port = 1000; port < 1050; port++)
        open_and_close(&scene, port, false);
    assert_int_equal(scene.host.stack->orphan_count, 7);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPAbortOnMemory, 43);
    host_run(&scene.host, 100 * SECOND); /* tcp_fin_timeout */
    assert_int_equal(scene.host.stack->orphan_count, 0);
    peer_introduce(&scene.host);
    for (uint16_t port = 2000; port < 2050; port++)
        open_and_close(&scene, port, true);
    assert_int_equal(scene.host.stack->time_wait_count, 5);
    assert_int_equal(scene.host.stack->mib.TcpExtTCPTimeWaitOverflow, 45);
    scene_end(&scene);
}

static void time_wait_is_ended_by_a_reset_unless_rfc_1337_holds(void **state) {
    (void)state;
    for (uint32_t kept = 0; kept < 2; kept++) {
        struct scene scene;
        listen_on(&scene, 5);
        tune(&scene, kept ? "net.ipv4.tcp_rfc1337=1" : "net.ipv4.tcp_rfc1337=0");
        open_and_close(&scene, 1000, true);
        assert_int_equal(scene.host.stack->time_wait_count, 1);
        say(&scene, TCP_RST, scene.remote, 0, 0, NULL, 0);
        assert_int_equal(scene.host.stack->time_wait_count, kept);
        scene_end(&scene);
    }
}

static void sysctls_have_linux_names_and_refuse_what_can_not_be(void **state) {
    (void)state;
    struct sysctl sysctl;
    char text[SYSCTL_TEXT_BYTES];
    const char *bad;
    sysctl_init(&sysctl);
    for (size_t i = 0; sysctl_name(i); i++) {
        assert_int_equal(sysctl_get(&sysctl, sysctl_name(i), text), 0);
        assert_int_equal(sysctl_set(&sysctl, sysctl_name(i), text), 0); /* each takes what it shows */
    }
    assert_int_equal(sysctl_set(&sysctl, "net/ipv4/tcp_rmem", "4096 10000\t20000"), 0);
    sysctl_get(&sysctl, "net.ipv4.tcp_rmem", text);
    assert_string_equal(text, "4096\t10000\t20000");
    assert_int_equal(sysctl_set(&sysctl, "net.ipv4.tcp_congestion_control", "reno"), 0);
    assert_int_equal(sysctl.tcp_congestion_control, TCP_RENO);
    static const char *const wrong[][2] = {{"net.ipv4.tcp_rmem", "4096 10000"},
                                           {"net.ipv4.tcp_sack", "2"},
                                           {"net.ipv4.tcp_sack", ""},
                                           {"net.ipv4.tcp_sack", "1x"},
                                           {"net.ipv4.tcp_keepalive_time", "99999999999"},
                                           {"net.ipv4.ip_local_port_range", "5000 4000"},
                                           {"net.ipv4.tcp_congestion_control", "magic"},
                                           {"net.ipv4.tcp_fastopen_key", "1-2-3"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(sysctl_set(&sysctl, wrong[i][0], wrong[i][1]), -EINVAL);
    assert_int_equal(sysctl_set(&sysctl, "net.ipv4.tcp_no_such", "1"), -ENOENT);
    assert_int_equal(sysctl_set_all(&sysctl, "net.ipv4.tcp_sack=0,net.ipv4.nothing=1", &bad), -ENOENT);
    assert_string_equal(bad, "net.ipv4.nothing=1");
    assert_int_equal(sysctl.tcp_sack, 0);
}

/* TCP_FASTOPEN_CONNECT, and the program changes its mind before the first write. */
static void deferred_connection_that_was_ended_is_not_opened_by_a_write(void **state) {
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    tune(&scene, "net.ipv4.tcp_fastopen=5");
    scene.socket = make_socket(&scene.host, SOCK_STREAM, 0, 0);
    set_option(&scene.host, scene.socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
    assert_int_equal(socket_connect(scene.host.stack, scene.socket, ip_from_v4(HOST_B), 80), 0);
    expect_nothing(&scene);
    assert_int_equal(socket_shutdown(scene.host.stack, scene.socket, SHUT_RDWR), 0);
    assert_int_equal(send_bytes(&scene.host, scene.socket, bytes, 10, 0), -EPIPE);
    expect_nothing(&scene);
    scene_end(&scene);
}

static void set_key(struct host *host, struct socket *socket, uint32_t peer, const char *key) {
    struct tcp_md5sig told = {.tcpm_keylen = (uint16_t)strlen(key)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(peer)};
    memcpy(&told.tcpm_addr, &address, sizeof address);
    memcpy(told.tcpm_key, key, strlen(key));
    assert_int_equal(socket_set_option(host->stack, socket, IPPROTO_TCP, TCP_MD5SIG, &told, sizeof told), 0);
}

/* Two hosts, the second listening; each with the key that is given, if any. */
struct signers {
    struct host a, b;
    struct cable cable;
    struct socket *client, *listener, *server;
};

static void signers_begin(struct signers *signers, const char *key_a, const char *key_b) {
    memset(signers, 0, sizeof *signers);
    signers->a = host_create(HOST_A, 1500);
    signers->b = host_create(HOST_B, 1500);
    cable_join(&signers->cable, &signers->a, &signers->b, MS);
    signers->listener = make_socket(&signers->b, SOCK_STREAM, 0, 179);
    signers->client = make_socket(&signers->a, SOCK_STREAM, 0, 0);
    if (key_b)
        set_key(&signers->b, signers->listener, HOST_A, key_b);
    if (key_a)
        set_key(&signers->a, signers->client, HOST_B, key_a);
    assert_int_equal(socket_listen(signers->b.stack, signers->listener, 5), 0);
    socket_connect(signers->a.stack, signers->client, ip_from_v4(HOST_B), 179);
    cable_run(&signers->cable, SECOND / 2);
    if (socket_accept(signers->b.stack, signers->listener, &signers->server))
        signers->server = NULL;
}

static void signers_end(struct signers *signers) {
    socket_release(signers->a.stack, signers->client);
    socket_release(signers->b.stack, signers->listener);
    if (signers->server)
        socket_release(signers->b.stack, signers->server);
    cable_run(&signers->cable, 130 * SECOND);
    assert_nothing_left(&signers->a);
    assert_nothing_left(&signers->b);
    assert_int_equal(signers->a.stack->md5_keys.used + signers->b.stack->md5_keys.used, 0);
    host_destroy(&signers->a);
    host_destroy(&signers->b);
}

static void signed_connection_carries_data(void **state) {
    (void)state;
    struct signers signers;
    static uint8_t got[sizeof bytes];
    uint32_t sent = 0, received = 0;
    signers_begin(&signers, "the key of both", "the key of both");
    assert_non_null(signers.server);
    assert_false(signers.client->tcp->timestamps);
    assert_int_equal(signers.client->tcp->mss, 1440); /* 20 for the option */
    while (received < sizeof bytes) {
        ssize_t some = send_bytes(&signers.a, signers.client, bytes + sent, sizeof bytes - sent, 0);
        sent += some > 0 ? (uint32_t)some : 0;
        cable_run(&signers.cable, 5 * MS);
        some = receive_bytes(&signers.b, signers.server, got + received, sizeof got - received, 0);
        assert_true(some > 0);
        received += (uint32_t)some;
    }
    assert_memory_equal(got, bytes, sizeof bytes);
    assert_int_equal(signers.b.stack->mib.TcpExtTCPMD5Failure, 0);
    /* A forged reset is not signed. */
    struct tcp_segment reset = {.source_port = 179,
                                .destination_port = signers.client->tcp->binding.port,
                                .sequence = signers.client->tcp->rcv_nxt,
                                .flags = TCP_RST,
                                .window_scale = -1};
    uint8_t header[60];
    uint32_t length = tcp_segment_write(&reset, header);
    uint64_t sum =
        checksum_pseudo_header(ip_from_v4(HOST_B), ip_from_v4(HOST_A), IP_PROTOCOL_TCP, (uint16_t)length);
    wire_put_sum(header + 16, (uint16_t)~checksum_fold(checksum_add(sum, header, length)));
    struct packet_shape shape = {.protocol = IP_PROTOCOL_TCP};
    peer_packet(&signers.a, &shape, header, length);
    assert_int_equal(signers.client->tcp->state, TCP_ESTABLISHED);
    assert_int_equal(signers.a.stack->mib.TcpExtTCPMD5NotFound, 1);
    signers_end(&signers);
}

static void wrong_missing_and_needless_signatures_are_dropped(void **state) {
    (void)state;
    struct signers signers;
    signers_begin(&signers, "one", "another");
    assert_null(signers.server);
    assert_true(signers.b.stack->mib.TcpExtTCPMD5Failure > 0);
    assert_int_equal(signers.client->tcp->state, TCP_SYN_SENT); /* without a word */
    signers_end(&signers);
    signers_begin(&signers, NULL, "a key");
    assert_null(signers.server);
    assert_true(signers.b.stack->mib.TcpExtTCPMD5NotFound > 0);
    signers_end(&signers);
    signers_begin(&signers, "a key", NULL);
    assert_null(signers.server);
    assert_true(signers.b.stack->mib.TcpExtTCPMD5Unexpected > 0);
    signers_end(&signers);
}

static void keys_are_found_by_the_longest_prefix(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_STREAM, 0, 0);
    struct tcp_md5sig told = {.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX, .tcpm_prefixlen = 8, .tcpm_keylen = 4};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a010203)};
    memcpy(&told.tcpm_addr, &address, sizeof address);
    memcpy(told.tcpm_key, "wide", 4);
    assert_int_equal(tcp_md5_set(host.stack, socket->tcp, &told, sizeof told, true), 0);
    set_key(&host, socket, HOST_B, "near");
    assert_memory_equal(tcp_md5_find(socket->tcp, ip_from_v4(HOST_B))->bytes, "near", 4);
    assert_memory_equal(tcp_md5_find(socket->tcp, ip_from_v4(0x0a7f0001))->bytes, "wide", 4);
    assert_null(tcp_md5_find(socket->tcp, ip_from_v4(0x0b000001)));
    told.tcpm_keylen = 0;
    assert_int_equal(tcp_md5_set(host.stack, socket->tcp, &told, sizeof told, true), 0);
    assert_int_equal(tcp_md5_set(host.stack, socket->tcp, &told, sizeof told, true), -ENOENT);
    assert_null(tcp_md5_find(socket->tcp, ip_from_v4(0x0a7f0001)));
    told.tcpm_keylen = 81;
    assert_int_equal(tcp_md5_set(host.stack, socket->tcp, &told, sizeof told, true), -EINVAL);
    told.tcpm_keylen = 4;
    told.tcpm_prefixlen = 33;
    assert_int_equal(tcp_md5_set(host.stack, socket->tcp, &told, sizeof told, true), -EINVAL);
    socket_release(host.stack, socket);
    assert_int_equal(host.stack->md5_keys.used, 0);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deferred_connection_that_was_ended_is_not_opened_by_a_write),
        cmocka_unit_test(signed_connection_carries_data),
        cmocka_unit_test(wrong_missing_and_needless_signatures_are_dropped),
        cmocka_unit_test(keys_are_found_by_the_longest_prefix),
        cmocka_unit_test(cookie_is_asked_for_then_data_goes_with_the_syn),
        cmocka_unit_test(data_that_the_syn_ack_does_not_take_is_sent_again),
        cmocka_unit_test(cookie_that_was_not_asked_for_is_not_kept),
        cmocka_unit_test(lost_syn_with_data_is_repeated_without),
        cmocka_unit_test(cookie_lets_data_in_before_the_handshake_is_complete),
        cmocka_unit_test(wrong_cookie_gets_the_right_one_and_its_data_is_not_taken),
        cmocka_unit_test(reset_before_accept_is_told_after_the_data),
        cmocka_unit_test(flood_of_syns_does_not_keep_a_client_out),
        cmocka_unit_test(forged_cookies_are_refused),
        cmocka_unit_test(deferred_accept_waits_for_data),
        cmocka_unit_test(ecn_is_agreed_on_marks_are_echoed_and_echoes_heeded),
        cmocka_unit_test(orphans_and_time_waits_are_bounded),
        cmocka_unit_test(time_wait_is_ended_by_a_reset_unless_rfc_1337_holds),
        cmocka_unit_test(sysctls_have_linux_names_and_refuse_what_can_not_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
