/* SPDX-License-Identifier: MIT */
/*
 * machine.c - see machine.h.
 */
#include "tests/packetdrill/machine.h"
#include "stack/base/checksum.h"
#include "stack/base/wire.h"
#include "stack/ip/icmp6.h"
#include "stack/link/software_gso.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#define REGION_BYTES (UINT64_C(64) << 20)
#define SECOND_NS UINT64_C(1000000000)
#define PATIENCE_NS (1000 * SECOND_NS) /* how long a packet that the script expects may take */
#define PACKETS_MAX 4096u

struct machine machine;

struct packet {
    uint64_t at_ns;
    uint32_t length;
    uint8_t bytes[MACHINE_MTU_MAX + 64];
};

/* What the second thread is at. */
enum blocked {
    NOBODY,
    WAITING,
    AWAKE, /* it may have something to do, and time stands still until it has done it */
};

static struct {
    void *mapped;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t script; /* the thread that makes time pass */
    enum blocked blocked;
    pthread_t blocked_thread;
    uint64_t blocked_until_ns;
    bool returned; /* a call has, just now */
    bool used;     /* the address can't be changed any more */
    struct packet *packets;
    uint32_t first, count;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static const uint8_t FAR_MAC[6] = {2, 0, 0, 0, 0, 2};

static void work(void);

/* Everything that is not ourselves is beyond a router that is the script. */
static void route_to_the_script(void) {
    const struct ip6_route all = {.until_ns = TIMER_NEVER, .origin = IP6_ROUTE_USER};
    ip_route_add(&machine.stack->routes, 0, 0, 0);
    ip6_route_add(machine.stack, &all);
}

void machine_create(struct ip_address address, uint16_t mtu) {
    struct timespec time;
    uint8_t seed[RANDOM_SEED_BYTES];
    char *mapped = mmap(NULL, REGION_BYTES + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    state.packets = calloc(PACKETS_MAX, sizeof *state.packets);
    if (mapped == MAP_FAILED || !state.packets || getrandom(seed, sizeof seed, 0) != sizeof seed)
        abort();
    clock_gettime(CLOCK_REALTIME, &time);
    machine.now_ns = (uint64_t)time.tv_sec * SECOND_NS;
    bool v4 = ip_is_v4(address);
    struct stack_config config = {.address = v4 ? ip_to_v4(address) : 0,
                                  .prefix_length = v4 ? 16 : 0,
                                  .mac = {2, 0, 0, 0, 0, 1},
                                  .mtu = mtu,
                                  .offload = getenv("BAREWIRE_OFFLOAD") != NULL};
    if (!v4) {
        config.ip6.on = true;
        config.ip6.address = address;
        config.ip6.prefix_length = 64;
    }
    size_t beyond = (uintptr_t)mapped % ARENA_BLOCK_BYTES;
    state.mapped = mapped;
    machine.stack = (struct stack *)(mapped + (beyond ? ARENA_BLOCK_BYTES - beyond : 0));
    if (stack_create(machine.stack, machine.stack, REGION_BYTES, sizeof(struct stack), &config, seed,
                     machine.now_ns))
        abort();
    state.script = pthread_self();
    machine.stack->sysctl.ip6_dad_transmits = 0; /* the addresses are good at once */
    machine.now_ns += SECOND_NS;
    work();
    route_to_the_script();
}

void machine_destroy(void) {
    munmap(state.mapped, REGION_BYTES + ARENA_BLOCK_BYTES);
    free(state.packets);
    state.packets = NULL;
}

void machine_adopt(struct ip_address address) {
    if (state.used || ip_is_any(address) || ip_is_multicast(address) ||
        ip_is_broadcast(machine.stack, address) || ip_is_loopback(address))
        return;
    state.used = true;
    if (ip_is_local(machine.stack, address))
        return;
    if (ip_is_v4(address))
        stack_set_address(machine.stack, ip_to_v4(address), 16);
    else
        ip6_address_add(machine.stack, address, 64, IP6_ADDRESS_USER, NULL);
    route_to_the_script();
}

/* The machine's own choice of congestion control says nothing of what a script expects, which is cubic unless
 * it says so itself; and a namespace can't always choose. */
static bool is_inherited(const char *name, const char *value) {
    static char first[256];
    if (strcmp(name, "net.ipv4.tcp_congestion_control") != 0)
        return false;
    if (!first[0])
        snprintf(first, sizeof first, "%s", value);
    return strcmp(first, value) == 0;
}

/* A script's set-up lines write to the namespace's tree at any time. */
static void read_sysctls(void) {
    const char *name;
    for (size_t i = 0; (name = sysctl_name(i)); i++) {
        char path[128] = "/proc/sys/", value[256];
        size_t length = strlen(path);
        snprintf(path + length, sizeof path - length, "%s", name);
        for (char *at = path + length; *at; at++)
            if (*at == '.')
                *at = '/';
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        if (fgets(value, sizeof value, file) && !is_inherited(name, value))
            sysctl_set(&machine.stack->sysctl, name, value);
        fclose(file);
    }
}

static void put_in(const uint8_t *frame, uint32_t length) {
    struct byte_queue queue = {0};
    struct iovec piece = {(void *)frame, length};
    byte_queue_append(&queue, &machine.stack->buffers, &piece, 1, 0, length);
    stack_input(machine.stack, machine.now_ns, queue.head, 0);
}

/* The link's far end answers Neighbor Discovery and ARP for everybody. */
static void answer_solicitation(const uint8_t *ip, const uint8_t *message) {
    uint8_t frame[14 + IP6_HEADER_BYTES + 32] = {0}, *to = frame + 14, *answer = to + IP6_HEADER_BYTES;
    struct ip_address target = ip_from_bytes(message + 8), source = ip_from_bytes(ip + 8);
    if (ip_is_any(source))
        return; /* an address is being checked */
    memcpy(frame, machine.stack->config.mac, 6);
    memcpy(frame + 6, FAR_MAC, 6);
    wire_put16(frame + 12, ETHER_TYPE_IP6);
    to[0] = 0x60;
    wire_put16(to + 4, 32);
    to[6] = IP_PROTOCOL_ICMP6;
    to[7] = 255;
    memcpy(to + 8, target.bytes, 16);
    memcpy(to + 24, source.bytes, 16);
    answer[0] = ICMP6_NEIGHBOUR_ADVERTISEMENT;
    answer[4] = 0x60; /* solicited, override */
    memcpy(answer + 8, target.bytes, 16);
    answer[24] = 2; /* target link-layer address */
    answer[25] = 1;
    memcpy(answer + 26, FAR_MAC, 6);
    uint64_t sum = checksum_pseudo_header(target, source, IP_PROTOCOL_ICMP6, 32);
    wire_put_sum(answer + 2, (uint16_t)~checksum_fold(checksum_add(sum, answer, 32)));
    put_in(frame, sizeof frame);
}

static void answer_arp(const uint8_t *frame) {
    uint8_t answer[42];
    const uint8_t *arp = frame + 14;
    if (wire_get16(arp + 6) != 1 || memcmp(arp + 14, arp + 24, 4) == 0)
        return; /* no question, or an announcement */
    memcpy(answer, frame + 6, 6);
    memcpy(answer + 6, FAR_MAC, 6);
    memcpy(answer + 12, frame + 12, 8);
    wire_put16(answer + 20, 2);
    memcpy(answer + 22, FAR_MAC, 6);
    memcpy(answer + 28, arp + 24, 4);
    memcpy(answer + 32, arp + 8, 10);
    put_in(answer, sizeof answer);
}

/* A message between neighbours or about groups: the script knows nothing of them. Its questions are answered.
 */
static bool is_of_the_link(const uint8_t *frame, uint32_t length) {
    const uint8_t *ip = frame + 14, *message = ip + IP6_HEADER_BYTES;
    if (wire_get16(frame + 12) != ETHER_TYPE_IP6 || length < 14 + IP6_HEADER_BYTES + 8)
        return false;
    if (ip[6] == 0) /* with a router alert: a report of groups */
        return true;
    if (ip[6] != IP_PROTOCOL_ICMP6 || message[0] < ICMP6_MLD_QUERY || message[0] > ICMP6_MLD2_REPORT)
        return false;
    if (message[0] == ICMP6_NEIGHBOUR_SOLICITATION && length >= 14 + IP6_HEADER_BYTES + 24)
        answer_solicitation(ip, message);
    return true;
}

static void keep_packet(const uint8_t *frame, uint32_t length) {
    if (state.count == PACKETS_MAX)
        return;
    struct packet *packet = &state.packets[(state.first + state.count++) % PACKETS_MAX];
    packet->at_ns = machine.now_ns;
    packet->length = length - 14;
    memcpy(packet->bytes, frame + 14, packet->length);
}

static void take_frame(const struct frame *frame) {
    uint8_t bytes[MACHINE_MTU_MAX + 64];
    for (uint32_t i = 0; i < frame_segments(frame); i++) {
        uint32_t length = frame_cut(frame, i, bytes);
        if (wire_get16(bytes + 12) == 0x0806)
            answer_arp(bytes);
        else if (!is_of_the_link(bytes, length))
            keep_packet(bytes, length);
    }
}

/* Lets the stack do all that it can do now. */
static void work(void) {
    struct frame *frame;
    do {
        stack_advance(machine.stack, machine.now_ns);
        while ((frame = stack_frame(machine.stack, 0))) {
            take_frame(frame);
            stack_frames_sent(machine.stack, 1);
        }
    } while (stack_deadline(machine.stack) <= machine.now_ns);
}

/* Lets a thread that waits try again, and waits until it is back or gone. */
static void let_others_run(void) {
    struct timespec limit;
    if (state.blocked == NOBODY || pthread_equal(pthread_self(), state.blocked_thread))
        return;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 2;
    state.blocked = AWAKE;
    pthread_cond_broadcast(&state.changed);
    while (state.blocked == AWAKE)
        if (pthread_cond_timedwait(&state.changed, &state.lock, &limit) == ETIMEDOUT)
            break;
}

void machine_enter(void) {
    pthread_mutex_lock(&state.lock);
    read_sysctls();
    machine.stack->now_ns = machine.now_ns;
}

void machine_leave(void) {
    work();
    let_others_run();
    pthread_mutex_unlock(&state.lock);
}

/* The next moment at which something happens, `limit` at the latest. */
static uint64_t next_moment(uint64_t limit) {
    uint64_t next = stack_deadline(machine.stack);
    if (state.blocked == WAITING && state.blocked_until_ns < next)
        next = state.blocked_until_ns;
    return next < limit ? next : limit;
}

static void step(uint64_t limit) {
    uint64_t next = next_moment(limit);
    if (next > machine.now_ns)
        machine.now_ns = next;
    work();
    let_others_run();
}

bool machine_wait(uint64_t deadline_ns) {
    work();
    if (deadline_ns <= machine.now_ns)
        return false;
    if (pthread_equal(pthread_self(), state.script)) {
        /* Nobody else makes time pass: a script that waits here hangs on a real machine. */
        uint64_t limit = machine.now_ns + PATIENCE_NS;
        if (stack_deadline(machine.stack) > limit && deadline_ns > limit)
            return false;
        step(deadline_ns);
        return true;
    }
    state.blocked = WAITING;
    state.blocked_thread = pthread_self();
    state.blocked_until_ns = deadline_ns;
    pthread_cond_broadcast(&state.changed);
    while (state.blocked == WAITING)
        pthread_cond_wait(&state.changed, &state.lock);
    return true;
}

void machine_sleep(uint64_t ns) {
    pthread_mutex_lock(&state.lock);
    uint64_t end = machine.now_ns + ns;
    do
        step(end);
    while (machine.now_ns < end);
    bool pause = state.returned;
    state.returned = false;
    pthread_mutex_unlock(&state.lock);
    if (pause) /* its thread notes the result when packetdrill lets it, for which it has to be quick */
        nanosleep(&(struct timespec){0, 2000000}, NULL);
}

uint64_t machine_clock(void) {
    pthread_mutex_lock(&state.lock);
    if (state.blocked == AWAKE && pthread_equal(pthread_self(), state.blocked_thread)) {
        state.blocked = NOBODY;
        state.returned = true;
        pthread_cond_broadcast(&state.changed);
    } else {
        step(machine.now_ns + 1000);
    }
    uint64_t now_ns = machine.now_ns;
    pthread_mutex_unlock(&state.lock);
    return now_ns;
}

void machine_send(const void *packet, size_t length) {
    uint8_t header[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
    const uint8_t *bytes = packet;
    bool six = length >= IP6_HEADER_BYTES && bytes[0] >> 4 == 6;
    if (six)
        wire_put16(header + 12, ETHER_TYPE_IP6);
    struct iovec pieces[2] = {{header, sizeof header}, {(void *)packet, length}};
    struct byte_queue queue = {0};
    machine_enter();
    if (length >= 20)
        machine_adopt(six ? ip_from_bytes(bytes + 24) : ip_from_v4(wire_get32(bytes + 16)));
    byte_queue_append(&queue, &machine.stack->buffers, pieces, 2, 0, (uint32_t)(sizeof header + length));
    stack_input(machine.stack, machine.now_ns, queue.head, 0);
    machine_leave();
}

bool machine_receive(void *packet, size_t *length, uint64_t *at_ns) {
    pthread_mutex_lock(&state.lock);
    uint64_t limit = machine.now_ns + PATIENCE_NS;
    while (state.count == 0 && next_moment(UINT64_MAX) <= limit)
        step(limit);
    bool given = state.count > 0;
    if (given) {
        struct packet *next = &state.packets[state.first];
        state.first = (state.first + 1) % PACKETS_MAX;
        state.count--;
        *length = next->length < *length ? next->length : *length;
        *at_ns = next->at_ns;
        memcpy(packet, next->bytes, *length);
    }
    pthread_mutex_unlock(&state.lock);
    return given;
}
