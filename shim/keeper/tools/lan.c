/* SPDX-License-Identifier: MIT */
/*
 * lan.c - `barewire lan`: a hub or a switch in software (nic/lan_segment.h), in the time of the clock,
 * whose stations come by a UNIX socket.
 */
#include "nic/lan_segment.h"
#include "nic/units.h"
#include "shim/keeper/tools/tool.h"
#include "shim/region/lock.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CALLERS_MAX 128 /* stations, and those who have not said yet what they are */
#define BATCH 16
#define STATUS_BYTES 16384
#define RATE_HUB 10000000u /* 10BASE-T */
#define RATE_SWITCH 100000000u
#define DELAY_NS 500u /* of a hundred metres of cable */

struct caller {
    int wire;
    int port; /* -1: it is no station, or not yet */
};

static struct {
    struct lan *lan;
    struct lan_config config;
    struct caller callers[CALLERS_MAX];
    int count;
    char status[STATUS_BYTES];
    uint64_t begun_ns, outage_ns, period_ns; /* at the end of each period nothing is carried; 0: never */
    uint64_t outage_frames;                  /* that were sent then */
} service;

static int complain(const char *what, const char *value) {
    fprintf(stderr, "barewire: %s '%s'\n", what, value);
    return 2;
}

/* What is wrong with an option: its value, or that there is none of its name. */
static bool refuse(const char *option, const char *value) {
    static const char *const known[] = {"--rate", "10mbit", "--delay", "5us",      "--ber",
                                        "1e-6",   "--seed", "7",       "--outage", "1s/10s"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i += 2)
        if (strcmp(option, known[i]) == 0) {
            fprintf(stderr, "barewire: %s '%s': give a value such as %s\n", option, value, known[i + 1]);
            return false;
        }
    complain("lan takes --hub, --switch, --rate, --delay, --ber, --outage and --seed, not", option);
    return false;
}

/* 400ms/1500ms: the last part of each such time. */
static bool read_outage(const char *text, const struct unit *times) {
    char copy[64], *slash;
    double outage, period;
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy || !(slash = strchr(copy, '/')))
        return false;
    *slash = 0;
    if (!units_read(copy, times, 3.6e12, &outage) || !units_read(slash + 1, times, 3.6e12, &period) ||
        outage >= period)
        return false;
    service.outage_ns = (uint64_t)outage;
    service.period_ns = (uint64_t)period;
    return true;
}

static bool is_out(uint64_t now_ns) {
    return service.period_ns &&
           (now_ns - service.begun_ns) % service.period_ns >= service.period_ns - service.outage_ns;
}

static bool read_options(int count, char **options) {
    static const struct unit rates[] = {{"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {NULL, 0}};
    static const struct unit times[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {NULL, 0}};
    static const struct unit longer[] = {{"ms", 1e6}, {"s", 1e9}, {NULL, 0}};
    static const struct unit plain[] = {{"", 1}, {NULL, 0}};
    struct lan_config *config = &service.config;
    double value;
    bool kind = false;
    for (int i = 0; i < count; i++) {
        const char *next = i + 1 < count ? options[i + 1] : "";
        if (strcmp(options[i], "--hub") == 0 || strcmp(options[i], "--switch") == 0) {
            bool is_switch = options[i][2] == 's';
            if (kind && config->is_switch != is_switch)
                return complain("a LAN is a hub or a switch: choose, and leave out", options[i]), false;
            kind = true;
            config->is_switch = is_switch;
            continue;
        }
        if (strcmp(options[i], "--rate") == 0 && units_read(next, rates, 1e11, &value) && value >= 1e4)
            config->rate = (uint64_t)value;
        else if (strcmp(options[i], "--delay") == 0 && units_read(next, times, 1e9, &value))
            config->propagation_ns = (uint64_t)value;
        else if (strcmp(options[i], "--ber") == 0 && units_read(next, plain, 1, &value))
            config->bit_errors = value;
        else if (strcmp(options[i], "--seed") == 0 && units_read(next, plain, 0x1p53, &value))
            config->seed = (uint64_t)value;
        else if (strcmp(options[i], "--outage") != 0 || !read_outage(next, longer))
            return refuse(options[i], next);
        i++;
    }
    if (!config->rate)
        config->rate = config->is_switch ? RATE_SWITCH : RATE_HUB;
    /* A collision must be noticed by who is in it: IEEE 802.3 clause 4.2.3.2.3. */
    if (!config->is_switch &&
        2 * config->propagation_ns > LAN_SLOT_BITS * UINT64_C(1000000000) / config->rate)
        return complain("on a hub of that rate, --delay is half of 512 bits' time at most, and can't be as "
                        "long as with",
                        options[count - 1]),
               false;
    return true;
}

static bool address_of(const char *path, struct sockaddr_un *address) {
    address->sun_family = AF_UNIX;
    return snprintf(address->sun_path, sizeof address->sun_path, "%s", path) < (int)sizeof address->sun_path;
}

/* Asks a LAN how it is. */
static int ask_segment(const char *path) {
    struct sockaddr_un address;
    int wire = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (!address_of(path, &address) || connect(wire, (struct sockaddr *)&address, sizeof address) < 0 ||
        send(wire, LAN_ASK, 1, MSG_NOSIGNAL) != 1)
        return complain("there is no LAN, which --hub or --switch would make, at", path);
    ssize_t length = recv(wire, service.status, sizeof service.status - 1, 0);
    close(wire);
    if (length <= 0)
        return complain("nobody answers at", path);
    fwrite(service.status, 1, (size_t)length, stdout);
    return 0;
}

static void tell_segment(int wire) {
    char *text = service.status;
    size_t used = 0, room = sizeof service.status;
#define SAY(...)     \
    if (used < room) \
    used += (size_t)snprintf(text + used, room - used, __VA_ARGS__)
    const struct lan_config *config = &service.config;
    SAY("%s, %.6g Mb/s, %.6g us, bit error rate %g\n", config->is_switch ? "switch" : "hub",
        (double)config->rate / 1e6, (double)config->propagation_ns / 1e3, config->bit_errors);
    SAY("%-5s %10s %10s %10s %9s %9s %8s %8s %8s\n", "port", "sent", "received", "collisions", "deferred",
        "given up", "dropped", "damaged", "bad FCS");
    for (int i = 0; i < LAN_PORTS_MAX; i++) {
        const struct lan_counters *counters = lan_counters(service.lan, i);
        if (!lan_port_used(service.lan, i))
            continue;
        SAY("%-5d %10lu %10lu %10lu %9lu %9lu %8lu %8lu %8lu\n", i, counters->sent, counters->received,
            counters->collisions, counters->deferred, counters->given_up, counters->dropped,
            counters->damaged, counters->bad_fcs);
    }
    if (service.period_ns)
        SAY("outages %lu ms of %lu ms, %lu frames lost\n", service.outage_ns / 1000000,
            service.period_ns / 1000000, service.outage_frames);
    uint8_t mac[6];
    int port;
    for (uint32_t i = 0; i < LAN_TABLE_MAX; i++)
        if (lan_learned(service.lan, i, clock_now(), mac, &port))
            SAY("%02x:%02x:%02x:%02x:%02x:%02x is at port %d\n", mac[0], mac[1], mac[2], mac[3], mac[4],
                mac[5], port);
#undef SAY
    send(wire, text, used < room ? used : room - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void hang_up(int index) {
    struct caller *caller = &service.callers[index];
    if (caller->port >= 0)
        lan_leave(service.lan, caller->port);
    close(caller->wire);
    *caller = service.callers[--service.count];
}

static void answer(int ipc) {
    int wire = accept4(ipc, NULL, NULL, SOCK_CLOEXEC);
    if (wire < 0)
        return;
    if (service.count == CALLERS_MAX) {
        close(wire);
        return;
    }
    service.callers[service.count++] = (struct caller){wire, -1};
}

/* False: it has hung up, or is not wanted. */
static bool greet(struct caller *caller) {
    char word;
    if (recv(caller->wire, &word, 1, MSG_DONTWAIT) != 1)
        return errno == EAGAIN;
    if (word == LAN_ASK[0])
        tell_segment(caller->wire);
    if (word != LAN_JOIN[0] || (caller->port = lan_join(service.lan)) < 0)
        return false;
    return send(caller->wire, LAN_JOIN, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static bool take_in(struct caller *caller) {
    uint8_t wire[LAN_WIRE_MAX];
    for (int i = 0; i < BATCH && lan_has_room(service.lan, caller->port); i++) {
        ssize_t length = recv(caller->wire, wire, sizeof wire, MSG_DONTWAIT);
        if (length <= 0)
            return length < 0 && (errno == EAGAIN || errno == EINTR);
        uint64_t now_ns = clock_now();
        if (is_out(now_ns))
            service.outage_frames++;
        else
            lan_put(service.lan, caller->port, now_ns, wire, (uint32_t)length);
    }
    return true;
}

static void give_out(void) {
    uint8_t wire[LAN_WIRE_MAX];
    uint32_t length;
    int port;
    while ((port = lan_get(service.lan, clock_now(), wire, &length)) >= 0)
        for (int i = 0; i < service.count; i++)
            if (service.callers[i].port == port)
                send(service.callers[i].wire, wire, length, MSG_DONTWAIT | MSG_NOSIGNAL); /* or it is lost */
}

/* Until the next thing happens on the LAN, or somebody wants something. */
static void wait_for(struct pollfd *fds, nfds_t count) {
    uint64_t next_ns = lan_next(service.lan), now = clock_now(), left_ns = next_ns > now ? next_ns - now : 0;
    struct timespec left = {(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
    ppoll(fds, count, next_ns == LAN_NEVER ? NULL : &left, NULL);
}

static void serve(int ipc, int signals) {
    for (;;) {
        struct pollfd fds[2 + CALLERS_MAX] = {{ipc, POLLIN, 0}, {signals, POLLIN, 0}};
        for (int i = 0; i < service.count; i++) {
            const struct caller *caller = &service.callers[i];
            bool hears = caller->port < 0 || lan_has_room(service.lan, caller->port);
            fds[2 + i] = (struct pollfd){caller->wire, hears ? POLLIN : 0, 0};
        }
        int count = service.count;
        wait_for(fds, 2 + (nfds_t)count);
        if (fds[1].revents)
            return;
        give_out();
        for (int i = count; i-- > 0;) {
            struct caller *caller = &service.callers[i];
            if (fds[2 + i].revents && !(caller->port < 0 ? greet(caller) : take_in(caller)))
                hang_up(i);
        }
        if (fds[0].revents)
            answer(ipc);
    }
}

int tool_lan(int count, char **options) {
    struct sockaddr_un address;
    sigset_t ends;
    if (count < 1 || options[0][0] == '-')
        return complain("lan wants a path first, such as /tmp/lan, rather than",
                        count ? options[0] : "nothing");
    if (count == 1)
        return ask_segment(options[0]);
    service.config.propagation_ns = DELAY_NS;
    service.begun_ns = clock_now();
    if (getrandom(&service.config.seed, sizeof service.config.seed, 0) < 0 ||
        !read_options(count - 1, options + 1))
        return 2;
    if (!address_of(options[0], &address))
        return complain("too long a path for a UNIX socket:", options[0]);
    int ipc = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(ipc, (struct sockaddr *)&address, sizeof address) == 0)
        return complain("there is a LAN already at", options[0]);
    struct stat status;
    bool left = errno == ECONNREFUSED && lstat(options[0], &status) == 0; /* so it is for any file */
    if (left && !S_ISSOCK(status.st_mode))
        return complain("there is a file that is no LAN at", options[0]);
    if (left)
        unlink(options[0]); /* of one that was killed */
    close(ipc);
    ipc = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(077);
    if (bind(ipc, (struct sockaddr *)&address, sizeof address) < 0 || listen(ipc, 16) < 0)
        return complain(strerror(errno), options[0]);
    umask(mask);
    service.lan = lan_create(&service.config);
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    if (!service.lan || signals < 0)
        return complain("can't run a LAN at", options[0]);
    fprintf(stderr, "barewire: a %s at %s: barewire --nic lan:%s --address 10.0.0.1/24 PROGRAM\n",
            service.config.is_switch ? "switch" : "hub", options[0], options[0]);
    serve(ipc, signals);
    unlink(options[0]);
    return 0;
}
