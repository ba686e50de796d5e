/* SPDX-License-Identifier: MIT */
/*
 * router.c - `barewire router`: a router in software (stack/router) between networks in software, or any NICs,
 * in the time of the clock; and who asks how one is doing.
 */
#include "nic/nic.h"
#include "shim/keeper/tools/network/router_options.h"
#include "shim/keeper/tools/tool.h"
#include "shim/region/config.h"
#include "shim/region/lock.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32
#define SHOW_BYTES 131072
#define RETRY_NS 200000u /* a NIC that had no room for a frame is asked again */
#define SECOND_NS UINT64_C(1000000000)

static struct {
    struct router *router;
    struct router_options options;
    struct nic *nics[ROUTER_PORTS_MAX];
    uint8_t held[ROUTER_PORTS_MAX][ROUTER_FRAME_MAX]; /* for which the NIC had no room */
    uint32_t held_length[ROUTER_PORTS_MAX];
    uint8_t received[BATCH][ROUTER_FRAME_MAX];
    char text[SHOW_BYTES];
} service;

static int complain(const char *text) {
    fprintf(stderr, "barewire: %s\n", text);
    return 2;
}

/* Where a router of that name answers. Its folder is beside the doors of stacks. */
static bool address_of(const char *name, bool make, struct sockaddr_un *address) {
    char directory[108], error[CONFIG_ERROR_BYTES];
    if (make ? !config_directory(directory, error) : !config_find_directory(directory))
        return false;
    address->sun_family = AF_UNIX;
    char *path = address->sun_path;
    size_t room = sizeof address->sun_path;
    if (snprintf(path, room, "%s/routers", directory) >= (int)room ||
        (make && mkdir(path, 0700) < 0 && errno != EEXIST))
        return false;
    return snprintf(path, room, "%s/routers/%s", directory, name) < (int)room;
}

/* A connection to a router, which tells how it does, and hangs up; -1: there is none. */
static int ask_router(const char *name) {
    struct sockaddr_un address;
    int wire = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (address_of(name, false, &address) && connect(wire, (struct sockaddr *)&address, sizeof address) == 0)
        return wire;
    close(wire);
    return -1;
}

bool router_answers(const char *name) {
    char byte;
    int wire = ask_router(name);
    bool answered = wire >= 0 && read(wire, &byte, 1) == 1;
    if (wire >= 0)
        close(wire);
    return answered;
}

static int show(const char *name) {
    ssize_t length;
    int wire = ask_router(name);
    if (wire < 0) {
        fprintf(stderr, "barewire: no router '%s' runs\n", name);
        return 2;
    }
    while ((length = read(wire, service.text, sizeof service.text)) > 0)
        fwrite(service.text, 1, (size_t)length, stdout);
    close(wire);
    return 0;
}

static void answer(int ipc) {
    const struct timeval patience = {.tv_usec = 200000};
    int wire = accept4(ipc, NULL, NULL, SOCK_CLOEXEC);
    if (wire < 0)
        return;
    int room = SHOW_BYTES;
    setsockopt(wire, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(wire, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    uint32_t length = router_show(service.router, &service.options, service.text, sizeof service.text);
    for (uint32_t at = 0; at < length;) {
        ssize_t written = send(wire, service.text + at, length - at, MSG_NOSIGNAL);
        if (written <= 0)
            break;
        at += (uint32_t)written;
    }
    close(wire);
}

/* Returns the listening socket, or -1 after a line for the user. */
static int listen_at(const char *name, struct sockaddr_un *address) {
    if (!address_of(name, true, address))
        return complain("there is no folder for routers, see barewire(1), FILES"), -1;
    int ipc = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(ipc, (struct sockaddr *)address, sizeof *address) == 0) {
        fprintf(stderr, "barewire: a router '%s' runs already; --name gives this one another name\n", name);
        return -1;
    }
    close(ipc);
    unlink(address->sun_path); /* of one that was killed */
    ipc = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(ipc, (struct sockaddr *)address, sizeof *address) < 0 || listen(ipc, 16) < 0)
        return complain(strerror(errno)), -1;
    return ipc;
}

static void mac_from(struct random *random, uint8_t mac[6]) {
    uint64_t number = random_u64(random);
    memcpy(mac, &number, ETHER_ADDRESS_BYTES);
    mac[0] = 2;
}

static bool open_port(int index, struct random *random) {
    struct router_port_option *port = &service.options.ports[index];
    char error[NIC_ERROR_BYTES], spec[ROUTER_TEXT_BYTES + 32];
    mac_from(random, port->config.mac);
    struct nic *nic = nic_open(port->nic, error);
    if (nic && port->config.mtu > nic->facts.mtu) {
        snprintf(error, sizeof error, "%s carries packets of up to %u bytes", port->nic, nic->facts.mtu);
        nic_close(nic);
        nic = NULL;
    }
    if (nic && nic_set_address(nic, port->config.mac) < 0) {
        snprintf(error, sizeof error, "%s takes no other address", port->nic);
        nic = NULL;
    }
    if (nic && port->impair[0]) {
        snprintf(spec, sizeof spec, "%s,seed=%lu", port->impair, (unsigned long)(random_u64(random) >> 32));
        nic = nic_impair(nic, spec, error);
    }
    service.nics[index] = nic;
    if (!nic)
        return complain(error), false;
    if (router_add_port(service.router, &port->config) < 0) {
        fprintf(stderr, "barewire: %s: IPv6 wants an MTU of 1280 or more\n", port->nic);
        return false;
    }
    return true;
}

static bool add_routes(void) {
    const struct router_options *options = &service.options;
    char hop[IP_ADDRESS_TEXT];
    for (int i = 0; i < options->route_count; i++)
        if (!router_add_route(service.router, options->routes[i].prefix, options->routes[i].bits,
                              options->routes[i].next_hop)) {
            fprintf(stderr, "barewire: the next hop %s is on no network of a port\n",
                    ip_text(options->routes[i].next_hop, hop));
            return false;
        }
    if (options->nat >= 0 && !router_set_nat(service.router, options->nat))
        return complain("NAT wants an IPv4 address of its port"), false;
    for (int i = 0; i < options->map_count; i++)
        if (!nat_map(&service.router->nat, options->maps[i].protocol, options->maps[i].outer_port,
                     options->maps[i].inner_address, options->maps[i].inner_port))
            return complain("two mappings of --map have a port in common"), false;
    return true;
}

static bool begin(void) {
    struct random random;
    uint8_t seed[RANDOM_SEED_BYTES] = {0};
    memcpy(seed, &service.options.seed, sizeof service.options.seed);
    for (size_t i = 0; service.options.name[i]; i++) /* two routers of one seed differ */
        seed[8 + i % (sizeof seed - 8)] ^= (uint8_t)service.options.name[i];
    if (!service.options.seeded && getrandom(seed, sizeof seed, 0) != sizeof seed)
        return false;
    if (!(service.router = calloc(1, sizeof *service.router)))
        return complain("out of memory"), false;
    router_init(service.router, clock_now(), seed);
    random_init(&random, seed);
    for (int i = 0; i < service.options.port_count; i++)
        if (!open_port(i, &random))
            return false;
    return add_routes();
}

/* False: the NIC has no room for it now. */
static bool send_frame(int port, const uint8_t *bytes, uint32_t length) {
    struct iovec piece = {(void *)bytes, length};
    struct nic_frame frame = {.pieces = &piece, .piece_count = 1};
    return nic_send(service.nics[port], &frame, 1) != -EAGAIN;
}

static void send_port(int port) {
    uint32_t length;
    if (service.held_length[port] && !send_frame(port, service.held[port], service.held_length[port]))
        return;
    service.held_length[port] = 0;
    while ((length = router_output(service.router, port, clock_now(), service.held[port])))
        if (!send_frame(port, service.held[port], length)) {
            service.held_length[port] = length;
            return;
        }
}

/* False: the NIC is gone. */
static bool receive_port(int port) {
    struct iovec pieces[BATCH];
    struct nic_frame frames[BATCH] = {0};
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){service.received[i], ROUTER_FRAME_MAX};
        frames[i].pieces = &pieces[i];
        frames[i].piece_count = 1;
    }
    int count = nic_receive(service.nics[port], frames, BATCH);
    for (int i = 0; i < count; i++)
        router_input(service.router, port, clock_now(), service.received[i], frames[i].length);
    return count >= 0 || count == -ENETDOWN;
}

static void wait_for(struct pollfd *fds, nfds_t count) {
    uint64_t now = clock_now(), next_ns = ROUTER_NEVER;
    uint64_t own_ns = router_next(service.router);
    bool held = false;
    for (int i = 0; i < service.options.port_count; i++)
        held |= service.held_length[i] > 0;
    next_ns = held ? now + RETRY_NS : own_ns;
    uint64_t left_ns = next_ns > now ? next_ns - now : 0;
    struct timespec left = {(time_t)(left_ns / SECOND_NS), (long)(left_ns % SECOND_NS)};
    ppoll(fds, count, next_ns == ROUTER_NEVER ? NULL : &left, NULL);
}

static int serve(int ipc, int signals) {
    int ports = service.options.port_count;
    for (;;) {
        struct pollfd fds[2 + ROUTER_PORTS_MAX] = {{ipc, POLLIN, 0}, {signals, POLLIN, 0}};
        for (int i = 0; i < ports; i++)
            fds[2 + i] = (struct pollfd){service.nics[i]->descriptor, POLLIN, 0};
        for (int i = 0; i < ports; i++)
            send_port(i);
        wait_for(fds, 2 + (nfds_t)ports);
        if (fds[1].revents)
            return 0;
        for (int i = 0; i < ports; i++)
            if (fds[2 + i].revents && !receive_port(i)) {
                fprintf(stderr, "barewire: router %s: %s: %s\n", service.options.name,
                        service.options.ports[i].nic,
                        service.nics[i]->trouble ? service.nics[i]->trouble : "it is gone");
                return 1;
            }
        router_advance(service.router, clock_now());
        if (fds[0].revents)
            answer(ipc);
    }
}

int tool_router(int count, char **words) {
    char error[ROUTER_ERROR_BYTES];
    struct sockaddr_un address;
    sigset_t ends;
    if (count >= 1 && strcmp(words[0], "--show") == 0)
        return count > 2 ? complain("router --show takes a name and nothing else")
                         : show(count == 2 ? words[1] : "router");
    if (!router_options_read(&service.options, count, words, error))
        return complain(error);
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    int ipc = listen_at(service.options.name, &address);
    if (ipc < 0)
        return 2;
    int status = begin() ? 0 : 2;
    if (status == 0) {
        fprintf(stderr, "barewire: router %s runs: barewire router --show %s\n", service.options.name,
                service.options.name);
        status = serve(ipc, signals);
    }
    unlink(address.sun_path);
    return status;
}
