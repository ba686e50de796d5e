/* SPDX-License-Identifier: MIT */
/*
 * test_topology.c - shim/keeper/tools/network/topology.c, topology_plan.c: a network in a file, its addresses and
 * ways.
 */
#include "shim/keeper/tools/network/topology.h"
#include "tests/unit/host.h"

static struct topology topology;
static char error[TOPOLOGY_ERROR_BYTES];

static void reads(const char *text) {
    if (!topology_read(&topology, text, error))
        fail_msg("%s", error);
}

static void refuses(const char *text, const char *wrong) {
    assert_false(topology_read(&topology, text, error));
    assert_string_equal(error, wrong);
}

static const char *const three = "seed = 7 # chance\n"
                                 "timeout=5\n"
                                 "[lan.a]\n"
                                 "kind = \"hub\"\r\n"
                                 "  rate = '10mbit'\n"
                                 "[lan.b]\n[lan.c]\n"
                                 "[router.r1]\n"
                                 "ports = [\"a\", \"b,rate=1mbit\"]\n"
                                 "[router.r2]\n"
                                 "ports = ['b' , 'c',] # both\n"
                                 "[station.x]\n"
                                 "lan = \"a\"\n"
                                 "run = \"echo \\\"{y}\\\" {z}\"\n"
                                 "expect = [\"status 0\"]\n"
                                 "[station.y]\n"
                                 "lan = \"c\"\nmtu = 1400\n"
                                 "[station.z]\n"
                                 "lan = \"c\"";

static void file_is_read(void **state) {
    (void)state;
    reads(three);
    assert_int_equal(topology.seed, 7);
    assert_int_equal(topology.timeout, 5);
    assert_string_equal(topology.lans[0].kind, "hub");
    assert_string_equal(topology.lans[0].rate, "10mbit");
    assert_string_equal(topology.lans[1].kind, "switch");
    assert_int_equal(topology.routers[1].ports.count, 2);
    assert_string_equal(topology.routers[0].ports.text[1], "b,rate=1mbit");
    assert_string_equal(topology.stations[0].expect.text[0], "status 0");
    assert_int_equal(topology.stations[1].mtu, 1400);
    assert_true(topology.ipv4 && !topology.ipv6);
}

static void hosts_have_addresses_and_ways(void **state) {
    (void)state;
    char text[64];
    int lan, host;
    reads(three);
    assert_string_equal(ip_text(topology_address(2, topology.stations[2].host, false), text), "10.3.0.11");
    assert_string_equal(ip_text(topology_address(2, topology.stations[2].host, true), text), "2001:db8:3::b");
    assert_int_equal(topology.stations[0].gateway, 1);
    assert_true(topology_expand(&topology, topology.stations[0].run, text, sizeof text));
    assert_string_equal(text, "echo \"10.3.0.10\" 10.3.0.11");
    assert_false(topology_expand(&topology, topology.stations[0].run, text, 10));
    assert_true(topology_next_hop(&topology, 0, 2, &lan, &host));
    assert_int_equal(lan, 1);
    assert_int_equal(host, 2);
    assert_true(topology_next_hop(&topology, 1, 0, &lan, &host));
    assert_int_equal(host, 1);
}

/* What is behind a NAT is not reached from outside; outside is reached from there. */
static void nat_hides_what_is_behind_it(void **state) {
    (void)state;
    int lan, host;
    reads("[lan.in]\n[lan.out]\n[lan.far]\n[router.n]\nports = ['in', 'out']\nnat = 'out'\n"
          "[router.o]\nports = ['out', 'far']\n[station.s]\nlan = 'in'");
    assert_true(topology_next_hop(&topology, 0, 2, &lan, &host));
    assert_false(topology_next_hop(&topology, 1, 0, &lan, &host));
}

static void what_is_wrong_is_said_with_its_line(void **state) {
    (void)state;
    refuses("timout = 3", "line 1: a key that is not known here: 'timout = 3'; did you mean 'timeout'?");
    refuses(
        "[lna.a]",
        "line 1: [lan.NAME], [router.NAME] or [station.NAME] is wanted, not '[lna.a]'; did you mean 'lan'?");
    refuses("[lan.a]\n[station.x]\nlan = 'a'\nrnu = 'true'",
            "line 4: a key that is not known here: 'rnu = 'true''; did you mean 'run'?");
    refuses("[lan.a]\n[station.server]\nlan = 'a'\n[station.x]\nlan = 'a'\nrun = 'ping {srever}'",
            "x: there is no station 'srever'; did you mean 'server'?");
    reads("[lan.a]\n[station.server]\nlan = 'a'\n[station.x]\nlan = 'a'\nrun = 'echo {a,b} %{server_} "
          "${servr} {server}'");
    refuses("[lan.a]\n[station.x]\nlan = 'a'\nimpair = 'loss=1'",
            "x: --impair: 'loss=1': a percentage is wanted, from 0% to 100%, such as 1%");
    refuses("[lan.a]\n[station.x]\nlan = 'a'\nsysctl = 'net.ipv4.tcp_sak=0'",
            "x: 'barewire help sysctl' has no such tunable, or not with that value: 'net.ipv4.tcp_sak=0'");
    refuses("colour = 3", "line 1: a key that is not known here: 'colour = 3'");
    refuses("\n[lan.a]\nrate = fast", "line 3: a text in quotes, not too long, is wanted, not 'fast'");
    refuses("seed = -1", "line 1: a whole number is wanted, not '-1'");
    refuses("[lan.a]\n[lan.a]", "line 2: a name is there twice: 'a'");
    refuses("[cloud.a]", "line 1: [lan.NAME], [router.NAME] or [station.NAME] is wanted, not '[cloud.a]'");
    refuses("[lan.a/b]", "line 1: a name of letters, digits and '-', up to 31, is wanted in '[lan.a/b]'");
    refuses("[router.r]\nports = ['a'", "line 2: a list of texts is wanted, not '['a''");
    refuses("[router.r]\nports = ['a']", "r: there is no LAN 'a'");
    refuses("[lan.a]\nkind = 'ring'", "a: a LAN is a \"switch\" or a \"hub\", not 'ring'");
    refuses("[lan.a]\n[router.r]\nports=['a']\nnat='b'", "r: NAT is wanted, but no port is on 'b'");
    refuses("family = 'ipx'", "line 1: family is \"ipv4\", \"ipv6\" or \"both\", not ''ipx''");
    refuses("", "net: there is no '[station.NAME]'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_is_read),
        cmocka_unit_test(hosts_have_addresses_and_ways),
        cmocka_unit_test(nat_hides_what_is_behind_it),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
