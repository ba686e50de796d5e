/* SPDX-License-Identifier: MIT */
/*
 * test_ip_fragment.c - packets that are cut: ip_fragment.c.
 */
#include "tests/unit/network.h"
#include <errno.h>

/* Fragments go through the cable and are put together, whatever their number. */
static void datagrams_of_any_length_cross_a_link(void **state) {
    (void)state;
    static const uint16_t mtus[] = {68, 576, 1500, 9000};
    for (size_t m = 0; m < sizeof mtus / sizeof *mtus; m++) {
        struct host a = host_create(HOST_A, mtus[m]), b = host_create(HOST_B, mtus[m]);
        struct cable cable;
        cable_join(&cable, &a, &b, MS);
        struct socket *from = make_socket(&a, SOCK_DGRAM, 0, 0), *to = make_socket(&b, SOCK_DGRAM, 0, 9);
        assert_int_equal(send_to(&a, from, HOST_B, 1), 1); /* the neighbour gets known */
        cable_run(&cable, SECOND);
        assert_int_equal(receive_bytes(&b, to, got, sizeof got, 0), 1);
        static const uint32_t lengths[] = {0, 1, 8, 40, 41, 500, 1472, 1473, 2960, 8973, 20000, 65507};
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            if (lengths[i] / mtus[m] > 300)
                continue; /* more than the transmit ring holds at once */
            assert_int_equal(send_to(&a, from, HOST_B, lengths[i]), lengths[i]);
            cable_run(&cable, SECOND);
            assert_int_equal(receive_bytes(&b, to, got, sizeof got, 0), lengths[i]);
            assert_memory_equal(got, payload, lengths[i]);
        }
        assert_int_equal(send_to(&a, from, HOST_B, 65508), -EMSGSIZE);
        assert_true(a.stack->mib.IpFragOKs > 0 && b.stack->mib.IpReasmOKs == a.stack->mib.IpFragOKs);
        socket_release(a.stack, from);
        socket_release(b.stack, to);
        cable_cut(&cable);
        assert_nothing_left(&a);
        assert_nothing_left(&b);
        host_destroy(&a);
        host_destroy(&b);
    }
}

static void checksum_of_a_datagram_is_not_that_of_its_last_fragment(void **state) {
    (void)state;
    struct host host = host_create(HOST_A, 1500);
    struct socket *socket = make_socket(&host, SOCK_DGRAM, 0, 9);
    uint32_t total = make_datagram(1992);
    datagram[6] = 0x12; /* and it is wrong */
    struct packet_shape shape = {.protocol = IP_PROTOCOL_UDP, .identification = 7, .fragment = 1000 / 8};
    shape.flags = STACK_INPUT_CHECKSUM_GOOD; /* says the adapter of what it has seen, which is this */
    send_piece(&host, 7, 0, 1000, true);
    peer_packet(&host, &shape, datagram + 1000, total - 1000);
    assert_int_equal(receive_bytes(&host, socket, got, sizeof got, 0), -EAGAIN);
    assert_int_equal(host.stack->mib.UdpInCsumErrors, 1);
    socket_release(host.stack, socket);
    host_destroy(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_of_any_length_cross_a_link),
        cmocka_unit_test(checksum_of_a_datagram_is_not_that_of_its_last_fragment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
