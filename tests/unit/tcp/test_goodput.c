/* SPDX-License-Identifier: MIT */
/*
 * test_goodput.c - what congestion control achieves: flows over a bottleneck of 20 Mbit/s with a queue, a
 * delay and random loss, in virtual time. The references are what theory says of the algorithms (RFC 9438
 * section 5.1 and Mathis et al., 1997), less what a real implementation may fall short by; and BBR's states.
 */
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_model.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE UINT64_C(2500000) /* bytes a second */
#define SEGMENT 1448.0         /* payload of a full frame, with timestamps */
#define FLOWS_MAX 10
#define IN_FLIGHT_MAX 8192u

/* A frame on its way, to arrive at a time. */
struct travelling {
    uint64_t due_ns;
    uint32_t length;
    uint8_t bytes[1600];
};

/* One direction: frames arrive in the order in which they left. */
struct link {
    struct travelling *frames;
    uint32_t first, count;
    uint64_t busy_until_ns; /* the bottleneck */
};

struct path {
    struct host a, b;
    struct link there, back;
    uint64_t delay_ns; /* one way */
    uint64_t queue_ns; /* the longest queue, as time */
    uint64_t mark_ns;  /* from such a one on packets that may be are marked CE; 0: none is */
    double loss;
    struct random random;
};

struct flow {
    struct socket *client, *server;
    uint64_t received;
    uint64_t last_ns, longest_gap_ns;
};

static void path_open(struct path *path, uint64_t rtt_ns, uint64_t queue_ns, double loss,
                      const char *algorithm) {
    static const uint8_t seed[RANDOM_SEED_BYTES] = {9};
    memset(path, 0, sizeof *path);
    path->a = host_create(HOST_A, 1500);
    path->b = host_create(HOST_B, 1500);
    path->there.frames = malloc(IN_FLIGHT_MAX * sizeof(struct travelling));
    path->back.frames = malloc(IN_FLIGHT_MAX * sizeof(struct travelling));
    assert_true(path->there.frames && path->back.frames);
    path->delay_ns = rtt_ns / 2;
    path->queue_ns = queue_ns;
    path->loss = loss;
    random_init(&path->random, seed);
    assert_int_equal(sysctl_set(&path->a.stack->sysctl, "net.ipv4.tcp_congestion_control", algorithm), 0);
}

static void path_close(struct path *path) {
    free(path->there.frames);
    free(path->back.frames);
    host_destroy(&path->a);
    host_destroy(&path->b);
}

/* CE instead of ECT, as a router writes it: the header's checksum is brought up to date. */
static void mark(struct seen *seen) {
    uint8_t *ip = seen->bytes + ETHER_HEADER_BYTES;
    if (wire_get16(seen->bytes + 12) != ETHER_TYPE_IP || !(ip[1] & TCP_ECN_MASK))
        return;
    ip[1] |= TCP_ECN_CE;
    wire_put16(ip + 10, 0);
    wire_put_sum(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, 20)));
}

static void carry(struct path *path, struct host *from, struct link *link, bool bottleneck) {
    struct seen seen;
    while (host_sent(from, &seen)) {
        uint64_t leaves_ns = now;
        if (bottleneck) {
            uint64_t begins_ns = link->busy_until_ns > now ? link->busy_until_ns : now;
            bool lost = (double)random_below(&path->random, 1000000) < path->loss * 1e6 && seen.length > 100;
            if (begins_ns - now > path->queue_ns || lost)
                continue;
            if (path->mark_ns && begins_ns - now > path->mark_ns)
                mark(&seen);
            leaves_ns = link->busy_until_ns = begins_ns + seen.length * SECOND / RATE;
        }
        assert_true(link->count < IN_FLIGHT_MAX && seen.length <= 1600);
        struct travelling *frame = &link->frames[(link->first + link->count++) % IN_FLIGHT_MAX];
        frame->due_ns = leaves_ns + path->delay_ns;
        frame->length = seen.length;
        memcpy(frame->bytes, seen.bytes, seen.length);
    }
}

static uint64_t arrive(struct host *to, struct link *link) {
    while (link->count > 0 && link->frames[link->first].due_ns <= now) {
        struct travelling *frame = &link->frames[link->first];
        host_input(to, frame->bytes, frame->length, 0);
        link->first = (link->first + 1) % IN_FLIGHT_MAX;
        link->count--;
    }
    return link->count > 0 ? link->frames[link->first].due_ns : UINT64_MAX;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Lets all happen until a time; the flows send and read as fast as they may. */
static void path_run(struct path *path, struct flow *flows, int count, uint64_t end_ns) {
    static uint8_t data[65536];
    while (now < end_ns) {
        uint64_t next_ns = least(arrive(&path->b, &path->there), arrive(&path->a, &path->back));
        for (int i = 0; i < count; i++) {
            ssize_t got;
            while ((got = receive_bytes(&path->b, flows[i].server, data, sizeof data, 0)) > 0) {
                flows[i].received += (uint64_t)got;
                uint64_t gap_ns = now - flows[i].last_ns;
                flows[i].longest_gap_ns = gap_ns > flows[i].longest_gap_ns ? gap_ns : flows[i].longest_gap_ns;
                flows[i].last_ns = now;
            }
            while (send_bytes(&path->a, flows[i].client, data, sizeof data, 0) > 0)
                continue;
        }
        stack_advance(path->a.stack, now);
        stack_advance(path->b.stack, now);
        carry(path, &path->a, &path->there, true);
        carry(path, &path->b, &path->back, false);
        if (path->there.count)
            next_ns = least(next_ns, path->there.frames[path->there.first].due_ns);
        if (path->back.count)
            next_ns = least(next_ns, path->back.frames[path->back.first].due_ns);
        next_ns = least(next_ns, least(stack_deadline(path->a.stack), stack_deadline(path->b.stack)));
        now = next_ns > now ? least(next_ns, end_ns) : now;
    }
}

static void flow_open(struct path *path, struct flow *flow, uint16_t port) {
    struct socket *listener = make_socket(&path->b, SOCK_STREAM, 0, port);
    memset(flow, 0, sizeof *flow);
    assert_int_equal(socket_listen(path->b.stack, listener, 1), 0);
    flow->client = make_socket(&path->a, SOCK_STREAM, 0, 0);
    socket_connect(path->a.stack, flow->client, ip_from_v4(HOST_B), port);
    for (int i = 0; i < 1000 && socket_accept(path->b.stack, listener, &flow->server); i++)
        path_run(path, NULL, 0, now + 10 * MS);
    assert_non_null(flow->server);
    flow->last_ns = now;
}

/* What a flow should reach, in bytes a second. */
static double reference(const char *algorithm, double rtt_s, double loss) {
    double rate = 0.95 * (double)RATE;
    if (loss == 0)
        return rate;
    if (strcmp(algorithm, "bbr") == 0)
        return 0.95 * rate; /* it does not heed loss */
    if (strcmp(algorithm, "bbr3") == 0)
        return (loss <= 0.001 ? 0.9 : loss <= 0.01 ? 0.65 : 0.3) * rate; /* it bears 2 % */
    double reno = SEGMENT / rtt_s * 1.22 / __builtin_sqrt(loss);
    double cubic = SEGMENT * 1.17 * __builtin_pow(rtt_s, 0.75) / __builtin_pow(loss, 0.75) / rtt_s;
    double theory = strcmp(algorithm, "reno") == 0 || cubic < reno ? reno : cubic;
    return theory < rate ? theory : rate;
}

static void goodput(const char *algorithm) {
    static const double losses[] = {0, 0.001, 0.01, 0.03};
    static const uint64_t rtts_ms[] = {1, 20, 200}, queues_ms[] = {5, 200};
    for (size_t l = 0; l < 4; l++)
        for (size_t r = 0; r < 3; r++)
            for (size_t q = 0; q < 2; q++) {
                struct path path;
                struct flow flow;
                path_open(&path, rtts_ms[r] * MS, queues_ms[q] * MS, losses[l], algorithm);
                flow_open(&path, &flow, 80);
                uint64_t begun = now, seconds = 30;
                path_run(&path, &flow, 1, begun + seconds * SECOND);
                double rate = (double)flow.received / (double)seconds;
                double wanted = reference(algorithm, (double)rtts_ms[r] / 1e3, losses[l]);
                printf("%-5s loss %4.1f %%, RTT %3u ms, queue %3u ms: %7.0f KB/s, %3.0f %% of the reference, "
                       "longest gap %4u ms\n",
                       algorithm, losses[l] * 100, (unsigned)rtts_ms[r], (unsigned)queues_ms[q], rate / 1e3,
                       100 * rate / wanted, (unsigned)(flow.longest_gap_ns / MS));
                /* A burst overflows a queue that is short for the path, and thirty seconds are few round
                 * trips. */
                bool shallow = 8 * queues_ms[q] < rtts_ms[r];
                assert_true(rate > (shallow ? 0.15 : 0.65) * wanted);
                /* Two timeouts in a row, of 200 ms and what the round trip and its queue add. */
                assert_in_range(flow.longest_gap_ns / MS, 0, 3 * (rtts_ms[r] + queues_ms[q]) + 3 * 250);
                path_close(&path);
            }
}

static void cubic_reaches_its_goodput(void **state) {
    (void)state;
    goodput("cubic");
}

static void reno_reaches_its_goodput(void **state) {
    (void)state;
    goodput("reno");
}

static void bbr_reaches_its_goodput(void **state) {
    (void)state;
    goodput("bbr");
}

static void bbr3_reaches_its_goodput(void **state) {
    (void)state;
    goodput("bbr3");
}

/* What either version of BBR has found out. */
struct found {
    bool starts, knows_rate, looks_for_rtt;
    uint64_t rate, min_rtt_ms;
};

static struct found found_by_bbr(const struct flow *flow) {
    const struct tcp *tcp = flow->client->tcp;
    struct tcp_bbr_information told;
    assert_non_null(tcp->congestion.model);
    assert_int_equal(tcp->congestion.algorithm, TCP_BBR);
    const struct tcp_bbr *bbr = &tcp->congestion.model->bbr;
    tcp_bbr_operations.info(tcp, &told);
    return (struct found){.starts = bbr->state == TCP_BBR_STARTUP,
                          .knows_rate = bbr->full_bw_reached && bbr->state == TCP_BBR_PROBE_BW,
                          .looks_for_rtt = bbr->state == TCP_BBR_PROBE_RTT,
                          .rate = told.bw_low,
                          .min_rtt_ms = bbr->min_rtt_ns / MS};
}

static struct found found_by_bbr3(const struct flow *flow) {
    const struct tcp *tcp = flow->client->tcp;
    assert_non_null(tcp->congestion.model);
    assert_int_equal(tcp->congestion.algorithm, TCP_BBR3);
    const struct tcp_bbr3 *bbr = &tcp->congestion.model->bbr3;
    return (struct found){.starts = bbr->state == TCP_BBR3_STARTUP,
                          .knows_rate = bbr->full_bw_reached && bbr->state >= TCP_BBR3_DOWN,
                          .looks_for_rtt = bbr->state == TCP_BBR3_PROBE_RTT,
                          .rate = bbr->bw,
                          .min_rtt_ms = bbr->min_rtt_ns / MS};
}

typedef struct found find_function(const struct flow *flow);

static void finds_the_path_and_keeps_its_queue_short(const char *algorithm, find_function *find) {
    struct path path;
    struct flow flow;
    path_open(&path, 20 * MS, 200 * MS, 0, algorithm);
    flow_open(&path, &flow, 80);
    assert_true(find(&flow).starts);
    path_run(&path, &flow, 1, now + 3 * SECOND);
    assert_true(find(&flow).knows_rate);
    assert_in_range(find(&flow).rate, RATE * 85 / 100, RATE * 105 / 100);
    assert_in_range(find(&flow).min_rtt_ms, 20, 22);
    uint64_t sum_ms = 0;
    for (int i = 0; i < 100; i++) {
        path_run(&path, &flow, 1, now + 100 * MS);
        sum_ms += flow.client->tcp->rtt.srtt_ns / MS;
    }
    assert_in_range(sum_ms / 100, 20, 40); /* where cubic's is above 100 */
    path_close(&path);
}

static void notices_a_longer_path(const char *algorithm, find_function *find) {
    struct path path;
    struct flow flow;
    bool probed = false;
    path_open(&path, 20 * MS, 50 * MS, 0, algorithm);
    flow_open(&path, &flow, 80);
    path_run(&path, &flow, 1, now + 3 * SECOND);
    path.delay_ns = 30 * MS;
    for (int i = 0; i < 250; i++) {
        path_run(&path, &flow, 1, now + 100 * MS);
        probed |= find(&flow).looks_for_rtt;
    }
    assert_true(probed);
    assert_in_range(find(&flow).min_rtt_ms, 60, 63);
    flow.received = 0;
    path_run(&path, &flow, 1, now + 10 * SECOND);
    assert_true((double)flow.received > 0.75 * 10 * (double)RATE);
    path_close(&path);
}

static void bbr_finds_the_path_and_keeps_its_queue_short(void **state) {
    (void)state;
    finds_the_path_and_keeps_its_queue_short("bbr", found_by_bbr);
}

static void bbr_notices_a_longer_path(void **state) {
    (void)state;
    notices_a_longer_path("bbr", found_by_bbr);
}

static void bbr3_finds_the_path_and_keeps_its_queue_short(void **state) {
    (void)state;
    finds_the_path_and_keeps_its_queue_short("bbr3", found_by_bbr3);
}

static void bbr3_notices_a_longer_path(void **state) {
    (void)state;
    notices_a_longer_path("bbr3", found_by_bbr3);
}

/* A queue that marks from 3 ms on, and would be 200 ms long: the flow's part of the link, and its queue in ms. */
static double over_marking_queue(const char *algorithm, const char *ecn, double *queue_ms, uint16_t *alpha) {
    struct path path;
    struct flow flow;
    uint64_t sum_us = 0;
    path_open(&path, 20 * MS, 200 * MS, 0, algorithm);
    assert_int_equal(sysctl_set(&path.b.stack->sysctl, "net.ipv4.tcp_congestion_control", algorithm), 0);
    assert_int_equal(sysctl_set(&path.a.stack->sysctl, "net.ipv4.tcp_ecn", ecn), 0);
    assert_int_equal(sysctl_set(&path.b.stack->sysctl, "net.ipv4.tcp_ecn", ecn), 0);
    path.mark_ns = 3 * MS;
    flow_open(&path, &flow, 80);
    path_run(&path, &flow, 1, now + 5 * SECOND);
    flow.received = 0;
    uint32_t resent = flow.client->tcp->history.retransmitted;
    for (int i = 0; i < 200; i++) {
        path_run(&path, &flow, 1, now + 100 * MS);
        sum_us += flow.client->tcp->rtt.srtt_ns / 1000;
    }
    assert_int_equal(flow.client->tcp->history.retransmitted, resent);
    assert_true(flow.client->tcp->history.delivered_ce > 0);
    *queue_ms = (double)sum_us / 200e3 - 20;
    *alpha = flow.client->tcp->congestion.alpha;
    double part = (double)flow.received / (20 * (double)RATE);
    printf("%-5s tcp_ecn=%s, marks from 3 ms on: %.2f of the link, queue %.1f ms, alpha %.3f\n", algorithm,
           ecn, part, *queue_ms, *alpha / 1024.0);
    path_close(&path);
    return part;
}

static void marks_keep_a_queue_short_instead_of_losses(void **state) {
    static const char *const ways[] = {"1", "3"};
    double queue_ms;
    uint16_t alpha;
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(over_marking_queue("cubic", ways[i], &queue_ms, &alpha) > 0.8);
        assert_true(queue_ms < 12);
        assert_true(over_marking_queue("dctcp", ways[i], &queue_ms, &alpha) > 0.88);
        assert_true(queue_ms < 8);
        assert_in_range(alpha, 1, 800); /* some round trips have marks, and not all of their packets */
    }
}

/* Ten links of 20 Mbit/s: the queue in tenths of the path's content, loss in parts of a thousand. */
static const struct link_kind {
    const char *name;
    uint16_t rtt_ms, rtt_later_ms, queue, loss;
    uint8_t flows;
} kinds[] = {
    {"5 ms, 1 BDP", 5, 0, 10, 0, 1},         {"20 ms, 0.1 BDP", 20, 0, 1, 0, 1},
    {"20 ms, 10 BDP", 20, 0, 100, 0, 1},     {"20 ms, 1 BDP, 5 % lost", 20, 0, 10, 50, 1},
    {"100 ms, 0.1 BDP", 100, 0, 1, 0, 1},    {"100 ms, 1 BDP, 1 % lost", 100, 0, 10, 10, 1},
    {"300 ms, 1 BDP", 300, 0, 10, 0, 1},     {"300 ms, 1 BDP, 0.1 % lost", 300, 0, 10, 1, 1},
    {"20 ms, then 80 ms", 20, 80, 10, 0, 1}, {"40 ms, 1 BDP, two flows", 40, 0, 10, 0, 2},
};

/* Percent of the link that is used over a minute, and the queue in ms. */
static double over_link(const struct link_kind *kind, const char *algorithm, double *queue_ms,
                        double *index) {
    struct path path;
    struct flow flows[2];
    bool dctcp = strcmp(algorithm, "dctcp") == 0;
    uint64_t queue_ns = kind->rtt_ms * MS * kind->queue / 10, sum_us = 0;
    path_open(&path, kind->rtt_ms * MS, queue_ns, kind->loss / 1e3, algorithm);
    path.mark_ns = dctcp ? least(queue_ns / 2, kind->rtt_ms * MS / 5) : 0; /* what it is for */
    assert_int_equal(sysctl_set(&path.b.stack->sysctl, "net.ipv4.tcp_congestion_control", algorithm), 0);
    for (int i = 0; i < kind->flows; i++)
        flow_open(&path, &flows[i], (uint16_t)(80 + i));
    for (int i = 0; i < 600; i++) {
        if (i == 300 && kind->rtt_later_ms)
            path.delay_ns = kind->rtt_later_ms * MS / 2;
        path_run(&path, flows, kind->flows, now + 100 * MS);
        uint64_t srtt_ns = flows[0].client->tcp->rtt.srtt_ns;
        sum_us += srtt_ns > 2 * path.delay_ns ? (srtt_ns - 2 * path.delay_ns) / 1000 : 0;
    }
    double sum = 0, squares = 0;
    for (int i = 0; i < kind->flows; i++) {
        sum += (double)flows[i].received;
        squares += (double)flows[i].received * (double)flows[i].received;
    }
    *queue_ms = (double)sum_us / 600e3;
    *index = sum * sum / (kind->flows * squares);
    path_close(&path);
    return 100 * sum / (60 * (double)RATE);
}

static void each_algorithm_over_ten_links(void **state) {
    static const char *const algorithms[] = {"cubic", "reno", "bbr", "bbr3", "dctcp"};
    (void)state;
    printf("Percent of the link, queue in ms (dctcp: by a queue that marks)\n%-28s", "");
    for (int a = 0; a < 5; a++)
        printf("%-13s", algorithms[a]);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        printf("\n%-28s", kinds[k].name);
        for (int a = 0; a < 5; a++) {
            double queue_ms, index, percent = over_link(&kinds[k], algorithms[a], &queue_ms, &index);
            char text[32];
            snprintf(text, sizeof text, "%3.0f, %.0f", percent, queue_ms);
            printf("%-13s", text);
            bool model = strncmp(algorithms[a], "bbr", 3) == 0;
            assert_true(percent > (model ? 60 : kinds[k].loss ? 2 : 50) || (model && kinds[k].loss == 50));
            assert_true(index > 0.85);
        }
    }
    printf("\n");
}

static void a_connection_changes_to_bbr_and_back(void **state) {
    (void)state;
    struct path path;
    struct flow flow;
    struct tcp_bbr_information told;
    struct tcp_information info;
    socklen_t length = sizeof told;
    path_open(&path, 20 * MS, 50 * MS, 0, "cubic");
    flow_open(&path, &flow, 80);
    path_run(&path, &flow, 1, now + 2 * SECOND);
    assert_int_equal(socket_set_option(path.a.stack, flow.client, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3), 0);
    assert_int_equal(path.a.stack->models.used, 1);
    path_run(&path, &flow, 1, now + 5 * SECOND);
    assert_int_equal(socket_get_option(path.a.stack, flow.client, IPPROTO_TCP, TCP_CC_INFO, &told, &length),
                     0);
    assert_int_equal(length, sizeof told);
    assert_in_range(told.bw_low, RATE * 80 / 100, RATE * 105 / 100);
    assert_in_range(told.min_rtt_us, 20000, 30000);
    tcp_info_get(path.a.stack, flow.client->tcp, &info);
    assert_in_range(info.delivery_rate, RATE * 80 / 100, RATE * 105 / 100);
    assert_in_range(info.pacing_rate, RATE / 2, RATE * 2);
    assert_int_equal(socket_set_option(path.a.stack, flow.client, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
    assert_int_equal(path.a.stack->models.used, 0);
    flow.received = 0;
    path_run(&path, &flow, 1, now + 5 * SECOND);
    assert_true((double)flow.received > 0.8 * 5 * (double)RATE);
    path_close(&path);
}

static void memory_for_bbr_comes_back(void **state) {
    (void)state;
    struct path path;
    struct flow flow;
    path_open(&path, 20 * MS, 50 * MS, 0, "bbr");
    path.a.stack->models.limit = 1;
    flow_open(&path, &flow, 80);
    struct flow second;
    flow_open(&path, &second, 81);
    assert_int_equal(second.client->tcp->congestion.algorithm, TCP_CUBIC); /* there was none left */
    socket_release(path.a.stack, second.client);
    socket_release(path.a.stack, flow.client);
    path_run(&path, NULL, 0, now + SECOND);
    socket_release(path.b.stack, flow.server);
    socket_release(path.b.stack, second.server);
    path_run(&path, NULL, 0, now + 70 * SECOND);
    assert_false(stack_busy(path.a.stack));
    assert_int_equal(path.a.stack->models.used, 0);
    path_close(&path);
}

/* Jain's index of what flows that begin one after the other got in the end. */
static double fairness(const char *algorithm, int count) {
    struct path path;
    struct flow flows[FLOWS_MAX];
    double sum = 0, squares = 0;
    path_open(&path, 40 * MS, 40 * MS, 0, algorithm);
    for (int i = 0; i < count; i++) {
        flow_open(&path, &flows[i], (uint16_t)(80 + i));
        path_run(&path, flows, i + 1, now + 300 * MS);
    }
    path_run(&path, flows, count, now + 60 * SECOND);
    for (int i = 0; i < count; i++)
        flows[i].received = 0;
    path_run(&path, flows, count, now + 60 * SECOND);
    for (int i = 0; i < count; i++) {
        sum += (double)flows[i].received;
        squares += (double)flows[i].received * (double)flows[i].received;
    }
    printf("%-5s %2d flows: %.2f of the link, Jain's index %.3f\n", algorithm, count, sum / 60 / (double)RATE,
           sum * sum / (count * squares));
    assert_true(sum / 60 > 0.85 * (double)RATE);
    path_close(&path);
    return sum * sum / (count * squares);
}

static void flows_share_a_link(void **state) {
    (void)state;
    assert_true(fairness("cubic", 2) > 0.9);
    assert_true(fairness("cubic", 10) > 0.85);
    assert_true(fairness("reno", 2) > 0.9);
    assert_true(fairness("reno", 10) > 0.85);
    assert_true(fairness("bbr", 2) > 0.9);
    assert_true(fairness("bbr", 10) > 0.85);
    assert_true(fairness("bbr3", 2) > 0.9);
    assert_true(fairness("bbr3", 10) > 0.85);
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cubic_reaches_its_goodput),
        cmocka_unit_test(reno_reaches_its_goodput),
        cmocka_unit_test(bbr_reaches_its_goodput),
        cmocka_unit_test(bbr3_reaches_its_goodput),
        cmocka_unit_test(bbr_finds_the_path_and_keeps_its_queue_short),
        cmocka_unit_test(bbr_notices_a_longer_path),
        cmocka_unit_test(bbr3_finds_the_path_and_keeps_its_queue_short),
        cmocka_unit_test(bbr3_notices_a_longer_path),
        cmocka_unit_test(marks_keep_a_queue_short_instead_of_losses),
        cmocka_unit_test(each_algorithm_over_ten_links),
        cmocka_unit_test(a_connection_changes_to_bbr_and_back),
        cmocka_unit_test(memory_for_bbr_comes_back),
        cmocka_unit_test(flows_share_a_link),
    };
    if (count > 1)
        cmocka_set_test_filter(arguments[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
