/* SPDX-License-Identifier: MIT */
/*
 * ss_watch.c - `barewire ss -w`: what the connections of a live stack are doing, again and again.
 */
#include "shim/keeper/tools/tool.h"
#include "shim/region/lock.h"
#include "shim/region/region.h"
#include "shim/region/tracing_text.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WATCHED_MAX \
    1024 /* connections whose rates are known; of more than that, those since they were opened */
#define PERIOD_S 1

/* What a connection had done when it was looked at last. */
struct watched {
    const void *tcp;
    uint64_t opened_ns, sent, received;
};

struct view {
    struct watched now[WATCHED_MAX], before[WATCHED_MAX];
    uint32_t count, count_before;
    double seconds;
    double out, in; /* of all */
};

static const struct watched *find(const struct view *view, const void *tcp, uint64_t opened_ns) {
    for (uint32_t i = 0; i < view->count_before; i++)
        if (view->before[i].tcp == tcp && view->before[i].opened_ns == opened_ns)
            return &view->before[i];
    return NULL;
}

static void show(const void *object, void *context) {
    struct view *view = context;
    struct tcp tcp;
    memcpy(&tcp, object, sizeof tcp);
    if (tcp.state != TCP_ESTABLISHED && tcp.state != TCP_CLOSE_WAIT && tcp.state != TCP_FIN_WAIT1 &&
        tcp.state != TCP_FIN_WAIT2)
        return;
    struct watched seen = {object, tcp.history.opened_ns, tcp.history.bytes_sent, tcp.history.bytes_received};
    const struct watched *before = find(view, object, seen.opened_ns);
    double out = before ? (double)(seen.sent - before->sent) / view->seconds / 1e6 : 0;
    double in = before ? (double)(seen.received - before->received) / view->seconds / 1e6 : 0;
    if (view->count < WATCHED_MAX)
        view->now[view->count++] = seen;
    enum tool_family family = ip_is_v4(tcp.remote_address) ? TOOL_INET : TOOL_INET6;
    view->out += out;
    view->in += in;
    printf("%-10s %22s %22s %9.2f %9.2f %8.3f %6u %6u %7u %7u\n", tracing_state_name(tcp.state),
           tool_place(tcp.binding.address, tcp.binding.port, family),
           tool_place(tcp.remote_address, tcp.remote_port, family), out, in, (double)tcp.rtt.srtt_ns / 1e6,
           tcp.mss ? tcp.congestion.cwnd / tcp.mss : 0, tcp.history.retransmitted, tcp.receive.length,
           tcp.send.length);
}

int tool_watch(void) {
    static struct view view;
    bool terminal = isatty(STDOUT_FILENO);
    uint64_t then_ns = 0;
    while (kill(shared->keeper_pid, 0) == 0 || errno == EPERM) {
        uint64_t now_ns = clock_now();
        view.seconds = then_ns ? (double)(now_ns - then_ns) / 1e9 : 1;
        view.count = 0;
        view.in = view.out = 0;
        printf("%s%-10s %22s %22s %9s %9s %8s %6s %6s %7s %7s\n", terminal ? "\033[H\033[J" : "", "State",
               "Local Address:Port", "Peer Address:Port", "Out MB/s", "In MB/s", "RTT ms", "cwnd", "retr",
               "Recv-Q", "Send-Q");
        pool_look(&shared->stack.connections, show, &view);
        printf("%-56s %9.2f %9.2f\n%s", "all", view.out, view.in, terminal ? "" : "\n");
        if (fflush(stdout) != 0)
            return 1; /* nobody reads */
        memcpy(view.before, view.now, view.count * sizeof *view.now);
        view.count_before = view.count;
        then_ns = now_ns;
        nanosleep(&(struct timespec){.tv_sec = PERIOD_S}, NULL);
    }
    return 0;
}
