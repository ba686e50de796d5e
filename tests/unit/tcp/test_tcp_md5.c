/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_md5.c - signed segments: tcp_md5.c.
 */
#include "stack/base/checksum.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <netinet/in.h>

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
    if (signers->client)
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

/* A reset that is not signed, as if from the server. */
static void forge_reset(struct signers *signers, uint16_t port, uint32_t sequence) {
    struct tcp_segment segment = {.source_port = 179,
                                  .destination_port = port,
                                  .sequence = sequence,
                                  .flags = TCP_RST,
                                  .window_scale = -1};
    uint8_t header[60];
    uint32_t length = tcp_segment_write(&segment, header);
    uint64_t sum =
        checksum_pseudo_header(ip_from_v4(HOST_B), ip_from_v4(HOST_A), IP_PROTOCOL_TCP, (uint16_t)length);
    wire_put_sum(header + 16, (uint16_t)~checksum_fold(checksum_add(sum, header, length)));
    struct packet_shape shape = {.protocol = IP_PROTOCOL_TCP};
    peer_packet(&signers->a, &shape, header, length);
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
    forge_reset(&signers, signers.client->tcp->binding.port, signers.client->tcp->rcv_nxt);
    assert_int_equal(signers.client->tcp->state, TCP_ESTABLISHED);
    assert_int_equal(signers.a.stack->mib.TcpExtTCPMD5NotFound, 1);
    signers_end(&signers);
}

static void signed_connection_wants_signatures_in_time_wait(void **state) {
    (void)state;
    struct signers signers;
    signers_begin(&signers, "the key of both", "the key of both");
    assert_non_null(signers.server);
    const struct stack *stack = signers.a.stack;
    uint16_t port = signers.client->tcp->binding.port;
    socket_shutdown(signers.a.stack, signers.client, SHUT_WR);
    cable_run(&signers.cable, 10 * MS);
    socket_shutdown(signers.b.stack, signers.server, SHUT_WR);
    cable_run(&signers.cable, 10 * MS);
    uint32_t next = signers.client->tcp->rcv_nxt;
    assert_int_equal(signers.client->tcp->state, TCP_TIME_WAIT);
    socket_release(signers.a.stack, signers.client);
    signers.client = NULL;
    cable_run(&signers.cable, 10 * MS);
    for (int times = 0; times < 2; times++) {
        assert_int_equal(stack->time_waits.used, 1);
        assert_int_equal(stack->md5_keys.used, 1);
        assert_int_equal(stack->mib.TcpExtTCPMD5NotFound, times);
        forge_reset(&signers, port, next);
        cable_run(&signers.cable, 10 * MS);
    }
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
        cmocka_unit_test(signed_connection_carries_data),
        cmocka_unit_test(signed_connection_wants_signatures_in_time_wait),
        cmocka_unit_test(wrong_missing_and_needless_signatures_are_dropped),
        cmocka_unit_test(keys_are_found_by_the_longest_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
