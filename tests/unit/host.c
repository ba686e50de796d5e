/* SPDX-License-Identifier: MIT */
/*
 * host.c - see host.h.
 */
#include "tests/unit/host.h"
#include "stack/base/checksum.h"
#include "stack/link/software_gso.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KEPT_MAX 300
#define REGION_BYTES HOST_REGION_BYTES

uint64_t now = 1000 * SECOND;
bool host_lacks_memory;
struct recorder *host_record;

static const uint8_t PEER_MAC[6] = {2, 0, 0x0a, 0x4d, 0, 2};

struct host host_create(uint32_t address, uint16_t mtu) {
    static const uint8_t none[16];
    return host_create_with_key(address, mtu, none);
}

struct host host_create_with_key(uint32_t address, uint16_t mtu, const uint8_t key[16]) {
    struct stack_config config = {.address = address,
                                  .prefix_length = 24,
                                  .mac = {2, 0, (uint8_t)(address >> 24), (uint8_t)(address >> 16),
                                          (uint8_t)(address >> 8), (uint8_t)address},
                                  .mtu = mtu,
                                  .offload = getenv("BAREWIRE_OFFLOAD") != NULL,
                                  .offload_datagrams = getenv("BAREWIRE_OFFLOAD") != NULL};
    memcpy(config.key, key, sizeof config.key);
    return host_create_configured(&config);
}

struct host host_create_configured(const struct stack_config *config) {
    /* Shared, so that a test may let another process change it. */
    char *mapped = mmap(NULL, REGION_BYTES + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(mapped != MAP_FAILED);
    size_t beyond = (uintptr_t)mapped % ARENA_BLOCK_BYTES;
    struct host host = {.mapped = mapped, .memory = mapped + (beyond ? ARENA_BLOCK_BYTES - beyond : 0)};
    static uint8_t seed[RANDOM_SEED_BYTES];
    seed[0]++;
    seed[16]++;
    host.stack = host.memory;
    if (host_record)
        record_begin(host.stack, host_record, HOST_RECORD_BYTES);
    host_record = NULL;
    int error = stack_create(host.stack, host.memory, REGION_BYTES, sizeof(struct stack), config, seed, now);
    assert_int_equal(error, 0);
    return host;
}

void host_destroy(struct host *host) {
    munmap(host->mapped, REGION_BYTES + ARENA_BLOCK_BYTES);
    host->memory = NULL;
}

/* Frames that tests send are what fuzzing starts from: tests/fuzz/run. */
static void keep(const char *folder, const char *kind, const void *prefix, size_t prefix_length,
                 const void *bytes, size_t length) {
    static const uint64_t key[2] = {1, 2};
    static unsigned kept;
    char path[300];
    if (kept == KEPT_MAX)
        return; /* floods are many of a kind */
    kept++;
    snprintf(path, sizeof path, "%s/%s/%016llx", folder, kind,
             (unsigned long long)siphash(key, bytes, length));
    FILE *file = length > 0 && length < 4000 ? fopen(path, "w") : NULL;
    if (!file)
        return;
    fwrite(prefix, 1, prefix_length, file);
    fwrite(bytes, 1, length, file);
    fclose(file);
}

static void keep_frame(const uint8_t *bytes, uint32_t length) {
    const char *folder = getenv("BAREWIRE_CORPUS");
    uint8_t whole[3] = {0, (uint8_t)(length >> 8), (uint8_t)length};
    const uint8_t *ip = bytes + ETHER_HEADER_BYTES;
    uint32_t header = length > 54 ? (ip[0] & 15) * 4u : 0;
    if (!folder)
        return;
    if (length > ETHER_HEADER_BYTES && wire_get16(bytes + 12) == ETHER_TYPE_IP6) {
        uint32_t packet = length - ETHER_HEADER_BYTES;
        uint8_t step[3] = {8, (uint8_t)(packet >> 8), (uint8_t)packet}; /* STEP_PACKET6 of fuzz_frames.c */
        keep(folder, "ip6", whole, sizeof whole, bytes, length);
        keep(folder, "frames", step, sizeof step, ip, packet);
        return;
    }
    keep(folder, "frames", whole, sizeof whole, bytes, length);
    if (header < IP_HEADER_BYTES || length < ETHER_HEADER_BYTES + header + 20)
        return;
    uint32_t rest = length - ETHER_HEADER_BYTES - header;
    const uint8_t *transport = ip + header;
    uint8_t options = (uint8_t)(header / 4 - 5),
            message[2] = {(uint8_t)((rest - 8) >> 8), (uint8_t)(rest - 8)};
    if (ip[9] == IP_PROTOCOL_UDP && wire_get16(transport + 2) == 68)
        keep(folder, "dhcp", message, sizeof message, transport + 8, rest - 8);
    if (header > IP_HEADER_BYTES)
        keep(folder, "options", &options, 1, ip + IP_HEADER_BYTES, header - IP_HEADER_BYTES);
    if (ip[9] == IP_PROTOCOL_TCP && rest > 20)
        keep(folder, "options", "", 1, transport + 20, rest - 20 < 40 ? rest - 20 : 40);
}

void host_input(struct host *host, const void *bytes, uint32_t length, unsigned flags) {
    struct byte_queue queue = {0};
    struct iovec piece = {(void *)bytes, length};
    keep_frame(bytes, length);
    uint32_t taken = byte_queue_append(&queue, &host->stack->buffers, &piece, 1, 0, length);
    if (taken < length && host_lacks_memory) {
        buffer_drop_chain(&host->stack->buffers, queue.head);
        return;
    }
    assert_int_equal(taken, length);
    stack_input(host->stack, now, queue.head, flags);
    stack_advance(host->stack, now);
}

bool host_sent(struct host *host, struct seen *seen) {
    const struct frame *frame = stack_frame(host->stack, 0);
    if (!frame)
        return false;
    seen->length = frame_cut(frame, host->cut++, seen->bytes);
    if (host->cut == frame_segments(frame)) {
        stack_frames_sent(host->stack, 1);
        host->cut = 0;
    }
    return true;
}

void host_discard(struct host *host) {
    stack_frames_sent(host->stack, UINT32_MAX);
    host->cut = 0;
}

void host_run(struct host *host, uint64_t duration_ns) {
    uint64_t end = now + duration_ns;
    for (;;) {
        uint64_t next = stack_deadline(host->stack);
        if (next > end)
            break;
        if (next > now)
            now = next;
        stack_advance(host->stack, now);
    }
    now = end;
    stack_advance(host->stack, now);
}

void peer_answer_arp(struct host *host) {
    struct frame reply = {0};
    uint8_t *frame = reply.header;
    struct stack *stack = host->stack;
    memcpy(frame, stack->config.mac, 6);
    memcpy(frame + 6, PEER_MAC, 6);
    wire_put16(frame + 12, ETHER_TYPE_ARP);
    wire_put16(frame + 14, 1);
    wire_put16(frame + 16, ETHER_TYPE_IP);
    frame[18] = 6;
    frame[19] = 4;
    wire_put16(frame + 20, 1); /* a request of the peer's for us */
    memcpy(frame + 22, PEER_MAC, 6);
    wire_put32(frame + 28, HOST_B);
    wire_put32(frame + 38, stack->config.address);
    host_input(host, frame, 42, 0);
    wire_put16(frame + 20, 2); /* and an answer, which confirms it */
    host_input(host, frame, 42, 0);
}

void peer_introduce(struct host *host) {
    peer_answer_arp(host);
    host_discard(host);
}

void peer_packet(struct host *host, const struct packet_shape *shape, const void *payload, uint32_t length) {
    static uint8_t frame[70000];
    uint8_t *ip = frame + ETHER_HEADER_BYTES;
    uint32_t header = IP_HEADER_BYTES + shape->options_length;
    uint32_t destination = shape->destination ? shape->destination : host->stack->config.address;
    memset(frame, 0, ETHER_HEADER_BYTES + IP_HEADER_BYTES);
    memcpy(frame, host->stack->config.mac, 6);
    if (shape->to_all)
        memset(frame, 0xff, 6);
    memcpy(frame + 6, PEER_MAC, 6);
    wire_put16(frame + 12, ETHER_TYPE_IP);
    ip[0] = (uint8_t)(0x40 | header / 4);
    ip[1] = shape->tos;
    wire_put16(ip + 2, (uint16_t)(header + length));
    wire_put16(ip + 4, shape->identification);
    wire_put16(ip + 6, shape->fragment);
    ip[8] = shape->ttl ? shape->ttl : 64;
    ip[9] = shape->protocol;
    wire_put32(ip + 12, shape->source ? shape->source : HOST_B);
    wire_put32(ip + 16, destination);
    if (shape->options_length)
        memcpy(ip + IP_HEADER_BYTES, shape->options, shape->options_length);
    ip_seal_header(ip);
    memcpy(ip + header, payload, length);
    host_input(host, frame, ETHER_HEADER_BYTES + header + length, shape->flags);
}

void peer_udp(struct host *host, uint32_t destination, uint16_t source_port, uint16_t port, const void *bytes,
              uint32_t length) {
    static uint8_t datagram[66000];
    uint16_t total = (uint16_t)(length + UDP_HEADER_BYTES);
    struct packet_shape shape = {.protocol = IP_PROTOCOL_UDP, .destination = destination};
    wire_put16(datagram, source_port);
    wire_put16(datagram + 2, port);
    wire_put16(datagram + 4, total);
    wire_put16(datagram + 6, 0);
    memcpy(datagram + UDP_HEADER_BYTES, bytes, length);
    uint64_t sum = checksum_pseudo_header(ip_from_v4(HOST_B),
                                          ip_from_v4(destination ? destination : host->stack->config.address),
                                          IP_PROTOCOL_UDP, total);
    wire_put_sum(datagram + 6, (uint16_t)~checksum_fold(checksum_add(sum, datagram, total)));
    peer_packet(host, &shape, datagram, total);
}

void peer_icmp(struct host *host, uint8_t type, uint8_t code, uint32_t info, const void *bytes,
               uint32_t length) {
    static uint8_t message[66000];
    struct packet_shape shape = {.protocol = IP_PROTOCOL_ICMP};
    message[0] = type;
    message[1] = code;
    wire_put16(message + 2, 0);
    wire_put32(message + 4, info);
    memcpy(message + ICMP_HEADER_BYTES, bytes, length);
    wire_put_sum(message + 2, (uint16_t)~checksum_fold(checksum_add(0, message, ICMP_HEADER_BYTES + length)));
    peer_packet(host, &shape, message, ICMP_HEADER_BYTES + length);
}

bool next_packet(struct host *host, uint8_t protocol, struct seen *seen, uint8_t **payload,
                 uint32_t *length) {
    while (host_sent(host, seen)) {
        uint8_t *ip = seen->bytes + ETHER_HEADER_BYTES;
        uint32_t header = (ip[0] & 15) * 4u;
        if (wire_get16(seen->bytes + 12) != ETHER_TYPE_IP || ip[9] != protocol)
            continue;
        assert_int_equal(checksum_fold(checksum_add(0, ip, header)), 0xffff);
        assert_int_equal(wire_get16(ip + 2) + ETHER_HEADER_BYTES, seen->length);
        *payload = ip + header;
        *length = seen->length - ETHER_HEADER_BYTES - header;
        return true;
    }
    return false;
}

bool peer_read(struct host *host, struct packet *packet) {
    static struct seen seen;
    while (host_sent(host, &seen)) {
        const uint8_t *ip = seen.bytes + ETHER_HEADER_BYTES;
        if (wire_get16(seen.bytes + 12) != ETHER_TYPE_IP || ip[9] != IP_PROTOCOL_TCP)
            continue;
        uint32_t total = wire_get16(ip + 2);
        assert_int_equal(total + ETHER_HEADER_BYTES, seen.length);
        assert_int_equal(checksum_fold(checksum_add(0, ip, 20)), 0xffff);
        uint64_t pseudo =
            checksum_pseudo_header(ip_from_v4(wire_get32(ip + 12)), ip_from_v4(wire_get32(ip + 16)),
                                   IP_PROTOCOL_TCP, (uint16_t)(total - 20));
        assert_int_equal(checksum_fold(checksum_add(pseudo, ip + 20, total - 20)), 0xffff);
        int header = tcp_segment_parse(&packet->tcp, ip + 20, total - 20);
        assert_true(header >= 20);
        packet->tcp.length = total - 20 - (uint32_t)header;
        packet->tcp.tos = ip[1];
        memcpy(packet->payload, ip + 20 + header, packet->tcp.length);
        return true;
    }
    return false;
}

void peer_send(struct host *host, uint16_t source_port, uint16_t destination_port, uint8_t flags,
               uint32_t sequence, uint32_t acknowledgment, uint16_t window, uint16_t mss, const void *payload,
               uint32_t length) {
    struct tcp_segment segment = {
        .source_port = source_port,
        .destination_port = destination_port,
        .sequence = sequence,
        .acknowledgment = acknowledgment,
        .window = window,
        .flags = flags,
        .mss = mss,
        .window_scale = -1,
    };
    peer_send_segment(host, &segment, payload, length);
}

void peer_send_segment(struct host *host, const struct tcp_segment *segment, const void *payload,
                       uint32_t length) {
    static uint8_t bytes[70000];
    const struct packet_shape shape = {.protocol = IP_PROTOCOL_TCP, .tos = segment->tos};
    uint32_t total = tcp_segment_write(segment, bytes) + length;
    if (length)
        memcpy(bytes + total - length, payload, length);
    uint64_t sum = checksum_pseudo_header(ip_from_v4(HOST_B), ip_from_v4(host->stack->config.address),
                                          IP_PROTOCOL_TCP, (uint16_t)total);
    wire_put_sum(bytes + 16, (uint16_t)~checksum_fold(checksum_add(sum, bytes, total)));
    peer_packet(host, &shape, bytes, total);
}

struct travelling {
    struct list link;
    uint64_t arrives_ns;
    bool from_a;
    struct seen seen;
};

void cable_join(struct cable *cable, struct host *a, struct host *b, uint64_t delay_ns) {
    *cable = (struct cable){.a = a, .b = b, .delay_ns = delay_ns};
    list_init(&cable->in_flight);
}

void cable_cut(struct cable *cable) {
    struct list *link;
    while ((link = list_first(&cable->in_flight))) {
        list_remove(link);
        free(container_of(link, struct travelling, link));
    }
}

static void cable_collect(struct cable *cable, struct host *host) {
    static struct seen seen;
    while (host_sent(host, &seen)) {
        bool from_a = host == cable->a;
        cable->frames++;
        if (cable->loses && cable->loses(&seen, from_a, cable->context))
            continue;
        struct travelling *frame = malloc(sizeof *frame);
        frame->arrives_ns = now + cable->delay_ns;
        frame->from_a = from_a;
        frame->seen.length = seen.length;
        memcpy(frame->seen.bytes, seen.bytes, seen.length);
        list_init(&frame->link);
        list_add_tail(&cable->in_flight, &frame->link);
    }
}

static uint64_t min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

void cable_run(struct cable *cable, uint64_t duration_ns) {
    uint64_t end = now + duration_ns;
    for (;;) {
        cable_collect(cable, cable->a);
        cable_collect(cable, cable->b);
        uint64_t next = min_u64(stack_deadline(cable->a->stack), stack_deadline(cable->b->stack));
        struct list *link = list_first(&cable->in_flight);
        struct travelling *frame = link ? container_of(link, struct travelling, link) : NULL;
        if (frame)
            next = min_u64(next, frame->arrives_ns);
        if (next > end)
            break;
        if (next > now)
            now = next;
        if (frame && frame->arrives_ns <= now) {
            list_remove(&frame->link);
            host_input(frame->from_a ? cable->b : cable->a, frame->seen.bytes, frame->seen.length, 0);
            free(frame);
        } else {
            stack_advance(cable->a->stack, now);
            stack_advance(cable->b->stack, now);
        }
    }
    now = end;
}

void cable_connect(struct cable *cable, uint16_t port, struct socket **client, struct socket **server,
                   struct socket **listener) {
    struct stack *a = cable->a->stack, *b = cable->b->stack;
    assert_int_equal(socket_create(b, SOCK_STREAM, 0, listener), 0);
    (*listener)->options.inet6 = true; /* of both families */
    assert_int_equal(socket_bind(b, *listener, (struct ip_address){0}, port), 0);
    assert_int_equal(socket_listen(b, *listener, 16), 0);
    assert_int_equal(socket_create(a, SOCK_STREAM, 0, client), 0);
    assert_int_equal(socket_connect(a, *client, ip_from_v4(b->config.address), port), -EINPROGRESS);
    cable_run(cable, 4 * cable->delay_ns + 10 * MS);
    assert_int_equal(socket_connect(a, *client, ip_from_v4(b->config.address), port), 0);
    assert_int_equal(socket_accept(b, *listener, server), 0);
}

void host_connect_inside(struct host *host, uint16_t port, struct socket **client, struct socket **server,
                         struct socket **listener) {
    host->stack->config.loopback = true;
    *listener = make_socket(host, SOCK_STREAM, 0, port);
    *client = make_socket(host, SOCK_STREAM, 0, 0);
    assert_int_equal(socket_listen(host->stack, *listener, 1), 0);
    assert_int_equal(socket_connect(host->stack, *client, ip_from_v4(IP_LOOPBACK), port), -EINPROGRESS);
    stack_advance(host->stack, now);
    assert_int_equal(socket_accept(host->stack, *listener, server), 0);
}

struct socket *make_socket(struct host *host, int type, int protocol, uint16_t port) {
    struct socket *socket;
    assert_int_equal(socket_create(host->stack, type, protocol, &socket), 0);
    if (port)
        assert_int_equal(socket_bind(host->stack, socket, ip_from_v4(0), port), 0);
    return socket;
}

int set_option(struct host *host, struct socket *socket, int level, int name, int value) {
    return socket_set_option(host->stack, socket, level, name, &value, sizeof value);
}

ssize_t send_bytes(struct host *host, struct socket *socket, const void *bytes, size_t length, int flags) {
    struct iovec piece = {(void *)bytes, length};
    struct socket_message message = {.pieces = &piece, .count = 1, .flags = flags};
    stack_advance(host->stack, now);
    return socket_send(host->stack, socket, &message);
}

ssize_t receive_bytes(struct host *host, struct socket *socket, void *bytes, size_t length, int flags) {
    struct iovec piece = {bytes, length};
    struct socket_message message = {.pieces = &piece, .count = 1, .flags = flags};
    stack_advance(host->stack, now);
    return socket_receive(host->stack, socket, &message);
}

void assert_nothing_left(struct host *host) {
    host_run(host, 400 * SECOND);
    host_discard(host);
    struct stack *stack = host->stack;
    assert_false(stack_busy(stack));
    assert_int_equal(stack->sockets.used, 0);
    assert_int_equal(stack->out_of_order_segments.used, 0);
    assert_int_equal(stack->datagrams.used, 0);
    assert_int_equal(stack->datagram_states.used, 0);
    assert_int_equal(stack->actives.used, 0);
    assert_int_equal(stack->filter_pool.used, 0);
    assert_int_equal(stack->sent.used, 0);
    assert_true(tcp_active_is_blank(&stack->idle_active));
    assert_int_equal(stack->reassemblies.pool.used, 0);
    assert_int_equal(stack->reassemblies.fragments.used, 0);
    assert_int_equal(stack->multicast.memberships.used, 0);
    assert_true(stack->ip6.on || stack->multicast.groups.used == 0); /* addresses of IPv6 have some */
    assert_int_equal(stack->neighbours.pendings.used, 0);
    assert_int_equal(stack->marks.used, 0);
    assert_int_equal(stack->corks.used, 0);
    assert_int_equal(stack->models.used, 0);
    assert_int_equal(stack->md5_keys.used, 0);
    assert_int_equal(stack->fastopen_keys.used, 0);
    assert_int_equal(stack->buffers.used, 0);
}
