/* SPDX-License-Identifier: MIT */
/*
 * test_repair.c - a process dies in the middle of a change of the stack, at any instruction.
 *
 * A child shares host A's memory, and is let go on instruction by instruction (ptrace(2)) until it is killed.
 * The stack is repaired then. Connections of others must go on with their data right, whatever the child was
 * at; that which a call of its own was about goes on, or is reset; and in the end nothing is left over.
 */
#include "stack/repair.h"
#include "tests/unit/scene.h"
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS_EACH 8 /* deaths tried for each kind of change; more with BAREWIRE_KILLS */
#define BYSTANDERS 3
#define STREAM_BYTES 60000
#define ARRIVING_MAX 8

/* One direction of a bystander's data: a counter, byte by byte. */
struct stream {
    uint32_t sent, received;
};

struct bystander {
    struct socket *a, *b;
    struct stream out, in;
    bool reset;
};

struct arriving {
    uint8_t bytes[2000];
    uint32_t length;
};

static struct world {
    struct host a, b;
    struct cable cable;
    struct socket *listener_b, *listener_a, *udp, *udp_idle, *victim, *victim_b, *fresh;
    struct bystander bystanders[BYSTANDERS];
    struct arriving arriving[ARRIVING_MAX];
    int arriving_count;
} world;

static uint8_t pattern(uint32_t at) {
    return (uint8_t)(at * 7 + (at >> 8));
}

/* Returns false when the connection has been reset. */
static bool stream_send(struct host *host, struct socket *socket, struct stream *stream, uint32_t length) {
    uint8_t bytes[4096];
    while (length > 0) {
        uint32_t here = length < sizeof bytes ? length : sizeof bytes;
        for (uint32_t i = 0; i < here; i++)
            bytes[i] = pattern(stream->sent + i);
        ssize_t sent = send_bytes(host, socket, bytes, here, 0);
        if (sent == -EAGAIN)
            return true;
        if (sent == -ECONNRESET || sent == -EPIPE)
            return false;
        assert_true(sent > 0);
        stream->sent += (uint32_t)sent;
        length -= (uint32_t)sent;
    }
    return true;
}

static bool stream_receive(struct host *host, struct socket *socket, struct stream *stream) {
    uint8_t bytes[4096];
    ssize_t got;
    while ((got = receive_bytes(host, socket, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(bytes[i], pattern(stream->received + (uint32_t)i));
        stream->received += (uint32_t)got;
    }
    assert_true(got == -EAGAIN || got == -ECONNRESET || got == 0);
    return got == -EAGAIN;
}

/* Both families, by turns: a death may come upon a connection of either. */
static struct ip_address next_address(uint32_t host) {
    static bool six;
    struct ip_address address = {.bytes = {0xfd, [15] = (uint8_t)host}};
    six = !six;
    return six ? address : ip_from_v4(host);
}

static struct host host_of_both(uint32_t address) {
    struct stack_config config = {.address = address,
                                  .prefix_length = 24,
                                  .mac = {2, 0, 10, 77, 0, (uint8_t)address},
                                  .mtu = 1500,
                                  .offload = getenv("BAREWIRE_OFFLOAD") != NULL,
                                  .offload_datagrams = getenv("BAREWIRE_OFFLOAD") != NULL};
    config.ip6.on = true;
    config.ip6.address = (struct ip_address){.bytes = {0xfd, [15] = (uint8_t)address}};
    config.ip6.prefix_length = 64;
    struct host host = host_create_configured(&config);
    host.stack->sysctl.ip6_dad_transmits = 0;
    return host;
}

static struct socket *connect_a(uint16_t port) {
    struct socket *socket;
    assert_int_equal(socket_create(world.a.stack, SOCK_STREAM, 0, &socket), 0);
    socket->holders = 1;
    socket->options.inet6 = true;
    assert_int_equal(socket_connect(world.a.stack, socket, next_address(HOST_B), port), -EINPROGRESS);
    return socket;
}

static struct socket *udp_a(uint16_t port) {
    struct socket *socket;
    assert_int_equal(socket_create(world.a.stack, SOCK_DGRAM, 0, &socket), 0);
    socket->holders = 1;
    assert_int_equal(socket_bind(world.a.stack, socket, ip_from_v4(0), port), 0);
    return socket;
}

static void udp_leaves_b(uint16_t port, const char *text) {
    struct socket *from;
    struct iovec piece = {(void *)text, strlen(text)};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(HOST_A), .port = port};
    assert_int_equal(socket_create(world.b.stack, SOCK_DGRAM, 0, &from), 0);
    assert_int_equal(socket_send(world.b.stack, from, &message), (ssize_t)strlen(text));
    socket_release(world.b.stack, from);
}

static void udp_to_a(uint16_t port, const char *text) {
    udp_leaves_b(port, text);
    cable_run(&world.cable, 20 * MS);
}

/* Host A in the middle of all kinds of things. */
static void world_begin(void) {
    memset(&world, 0, sizeof world);
    world.a = host_of_both(HOST_A);
    world.b = host_of_both(HOST_B);
    cable_join(&world.cable, &world.a, &world.b, 1 * MS);
    cable_connect(&world.cable, 80, &world.victim, &world.victim_b, &world.listener_b);
    world.victim->holders = 1;
    for (int i = 0; i < BYSTANDERS; i++)
        world.bystanders[i].a = connect_a(80);
    cable_run(&world.cable, 50 * MS);
    for (int i = 0; i < BYSTANDERS; i++) {
        struct bystander *bystander = &world.bystanders[i];
        assert_int_equal(socket_accept(world.b.stack, world.listener_b, &bystander->b), 0);
        stream_send(&world.a, bystander->a, &bystander->out, STREAM_BYTES);
        stream_send(&world.b, bystander->b, &bystander->in, STREAM_BYTES);
    }
    send_bytes(&world.b, world.victim_b, "to be read", 10, 0);
    cable_run(&world.cable, 3 * MS); /* much is still on its way, in queues and on the ring */
    assert_int_equal(socket_create(world.a.stack, SOCK_STREAM, 0, &world.listener_a), 0);
    world.listener_a->holders = 1;
    world.listener_a->options.inet6 = true;
    assert_int_equal(socket_bind(world.a.stack, world.listener_a, (struct ip_address){0}, 90), 0);
    assert_int_equal(socket_listen(world.a.stack, world.listener_a, 8), 0);
    for (int i = 0; i < 2; i++) {
        struct socket *client;
        assert_int_equal(socket_create(world.b.stack, SOCK_STREAM, 0, &client), 0);
        client->options.inet6 = true;
        assert_int_equal(socket_connect(world.b.stack, client, next_address(HOST_A), 90), -EINPROGRESS);
        cable_run(&world.cable, 5 * MS);
        client->holders = 1;
    }
    world.udp = udp_a(53);
    world.udp_idle = udp_a(54);
    udp_to_a(53, "one");
    udp_to_a(54, "waits");
    for (int i = 0; i < BYSTANDERS; i++) {
        stream_send(&world.a, world.bystanders[i].a, &world.bystanders[i].out, 5000);
        stream_send(&world.b, world.bystanders[i].b, &world.bystanders[i].in, 5000);
    }
    /* Segments for the victim and the others that have arrived at A's interface, and no further. */
    static struct seen seen;
    udp_leaves_b(54, "behind");
    send_bytes(&world.b, world.victim_b, "arrives", 7, 0);
    stack_advance(world.b.stack, now);
    while (world.arriving_count < ARRIVING_MAX && host_sent(&world.b, &seen)) {
        struct arriving *arriving = &world.arriving[world.arriving_count++];
        assert_true(seen.length <= sizeof arriving->bytes);
        memcpy(arriving->bytes, seen.bytes, seen.length);
        arriving->length = seen.length;
    }
}

/* What a process may be doing when it dies. */
static void do_send(void) {
    static uint8_t much[20000];
    send_bytes(&world.a, world.victim, much, sizeof much, 0);
}

static void do_receive(void) {
    char bytes[100];
    receive_bytes(&world.a, world.victim, bytes, sizeof bytes, 0);
}

static void do_connect(void) {
    connect_a(80);
}

static void do_refused_connect(void) {
    struct socket *socket = connect_a(81);
    socket_disconnect(world.a.stack, socket);
}

static void do_accept(void) {
    socket_accept(world.a.stack, world.listener_a, &world.fresh);
    world.fresh->holders = 1;
}

static void do_close(void) {
    world.victim->holders = 0;
    socket_release(world.a.stack, world.victim);
}

static void do_abort(void) {
    world.victim->options.linger = true;
    do_close();
}

static void do_close_listener(void) {
    world.listener_a->holders = 0;
    socket_release(world.a.stack, world.listener_a);
}

static void do_listen(void) {
    struct socket *socket;
    socket_create(world.a.stack, SOCK_STREAM, 0, &socket);
    socket->holders = 1;
    socket_bind(world.a.stack, socket, ip_from_v4(0), 0);
    socket_listen(world.a.stack, socket, 5);
}

static void do_udp_send(void) {
    struct iovec piece = {(void *)"question", 8};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(HOST_B), .port = 9};
    socket_send(world.a.stack, world.udp, &message);
}

static void do_udp_receive(void) {
    char bytes[100];
    receive_bytes(&world.a, world.udp, bytes, sizeof bytes, 0);
}

static void do_input(void) {
    for (int i = 0; i < world.arriving_count; i++)
        host_input(&world.a, world.arriving[i].bytes, world.arriving[i].length, 0);
    stack_advance(world.a.stack, now);
}

static void do_timers(void) {
    now += 300 * MS;
    stack_advance(world.a.stack, now);
}

static void do_shutdown(void) {
    socket_shutdown(world.a.stack, world.victim, SHUT_RDWR);
}

static void do_send_to_itself(void) {
    struct socket *socket;
    socket_create(world.a.stack, SOCK_STREAM, 0, &socket);
    socket->holders = 1;
    socket_connect(world.a.stack, socket, ip_from_v4(HOST_A), 90);
    stack_advance(world.a.stack, now);
}

static void do_join(void) {
    static const uint32_t groups[] = {0xef000001, 0xef000002};
    for (int i = 0; i < 2; i++) {
        struct ip_mreq request = {{htonl(groups[i])}, {0}};
        socket_set_option(world.a.stack, world.udp, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
    }
    struct ip_mreq request = {{htonl(groups[0])}, {0}};
    socket_set_option(world.a.stack, world.udp, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof request);
}

static void do_fragments(void) {
    static uint8_t datagram[1600];
    struct packet_shape shape = {.protocol = IP_PROTOCOL_UDP, .identification = 3, .fragment = 100};
    peer_packet(&world.a, &shape, datagram + 800, 800);
    wire_put16(datagram + 2, 53);
    wire_put16(datagram + 4, sizeof datagram);
    shape.fragment = IP_MORE_FRAGMENTS;
    peer_packet(&world.a, &shape, datagram, 800);
    shape.identification = 4;
    peer_packet(&world.a, &shape, datagram, 800); /* the rest never comes */
}

static void do_long_send(void) {
    static uint8_t much[9000];
    struct iovec piece = {much, sizeof much};
    struct socket_message message = {
        .pieces = &piece, .count = 1, .has_address = true, .address = ip_from_v4(HOST_B), .port = 9};
    socket_send(world.a.stack, world.udp, &message);
}

/* An error comes in for a datagram of ours, narrows the path, and is read. */
static void do_error(void) {
    uint8_t quoted[28] = {0x45, 0, 4, 0, 0, 0, 0, 0, 64, 17};
    char bytes[100];
    int yes = 1;
    wire_put32(quoted + 12, HOST_A);
    wire_put32(quoted + 16, HOST_B);
    wire_put16(quoted + 20, 53);
    wire_put16(quoted + 22, 9);
    socket_set_option(world.a.stack, world.udp, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes);
    peer_icmp(&world.a, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1000, quoted, sizeof quoted);
    receive_bytes(&world.a, world.udp, bytes, sizeof bytes, MSG_ERRQUEUE);
}

static void do_raw(void) {
    struct socket *socket;
    struct packet_shape shape = {.protocol = 99};
    socket_create(world.a.stack, SOCK_RAW, 99, &socket);
    socket->holders = 1;
    peer_packet(&world.a, &shape, "raw", 3);
    socket->holders = 0;
    socket_release(world.a.stack, socket);
}

/* Runs an action in a child that is killed after so many instructions. Returns whether it was, or had
 * finished before. */
static bool die_during(struct stack *stack, void (*action)(void), uint64_t instructions, uint64_t *executed) {
    int status = 0;
    stack_work_on(stack, NULL); /* as whoever lets the lock go */
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(77);
        raise(SIGSTOP);
        action();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        skip(); /* no ptrace here */
    for (*executed = 0; *executed < instructions; ++*executed) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) < 0)
            break;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSTOPPED(status)) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            return false;
        }
        assert_int_equal(WSTOPSIG(status), SIGTRAP);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return true;
}

static void count_holder(void *object, void *context) {
    struct socket *socket = object;
    *(unsigned *)context += socket->holders;
}

static void close_one(void *object, void *context) {
    struct stack *stack = context;
    socket_release(stack, object);
}

static void world_check(void) {
    struct stack *stack = world.a.stack;
    stack_repair_memory(stack);
    assert_true(stack_repair(stack, now, NULL));
    unsigned holders = 0, resets = 0;
    pool_walk(&stack->sockets, count_holder, &holders);
    assert_int_equal(holders, stack->sockets.used);
    for (int round = 0; round < 400; round++) {
        for (int i = 0; i < BYSTANDERS; i++) {
            struct bystander *bystander = &world.bystanders[i];
            bool whole = !bystander->reset;
            if (whole && round < 5)
                whole = stream_send(&world.a, bystander->a, &bystander->out, 10000) &&
                        stream_send(&world.b, bystander->b, &bystander->in, 10000);
            if (whole)
                whole = stream_receive(&world.a, bystander->a, &bystander->in) &&
                        stream_receive(&world.b, bystander->b, &bystander->out);
            bystander->reset = !whole;
        }
        cable_run(&world.cable, 20 * MS);
    }
    for (int i = 0; i < BYSTANDERS; i++) {
        resets += world.bystanders[i].reset;
        if (world.bystanders[i].reset)
            continue;
        assert_int_equal(world.bystanders[i].in.received, world.bystanders[i].in.sent);
        assert_int_equal(world.bystanders[i].out.received, world.bystanders[i].out.sent);
    }
    assert_int_equal(resets, 0);
    /* The victim, if it is still there, works or says why not. */
    if (pool_has(&stack->sockets, world.victim)) {
        ssize_t sent = send_bytes(&world.a, world.victim, "x", 1, 0);
        assert_true(sent == 1 || sent == -ECONNRESET || sent == -EPIPE || sent == -EAGAIN);
    }
    /* Another socket's datagram is still there; the listener still listens. */
    char bytes[10];
    assert_int_equal(receive_bytes(&world.a, world.udp_idle, bytes, sizeof bytes, 0), 5);
    if (pool_has(&stack->sockets, world.listener_a)) {
        struct socket *client;
        assert_int_equal(socket_create(world.b.stack, SOCK_STREAM, 0, &client), 0);
        client->options.inet6 = true;
        assert_int_equal(socket_connect(world.b.stack, client, next_address(HOST_A), 90), -EINPROGRESS);
        cable_run(&world.cable, 3000 * MS);
        assert_int_equal(socket_connect(world.b.stack, client, ip_from_v4(HOST_A), 90), 0);
    }
    pool_walk(&stack->sockets, close_one, stack);
    cable_run(&world.cable, 1 * SECOND);
    pool_walk(&world.b.stack->sockets, close_one, world.b.stack);
    cable_run(&world.cable, 400 * SECOND);
    assert_nothing_left(&world.a);
    cable_cut(&world.cable);
    host_destroy(&world.a);
    host_destroy(&world.b);
}

/* Lets an action die at instructions spread over all of it, differently each time. */
static void die_everywhere(void (*action)(void)) {
    const char *wanted = getenv("BAREWIRE_KILLS");
    unsigned kills = wanted ? (unsigned)atoi(wanted) : KILLS_EACH;
    uint64_t total, executed;
    world_begin();
    assert_false(die_during(world.a.stack, action, UINT64_MAX, &total));
    world_check();
    for (unsigned i = 0; i < kills; i++) {
        uint64_t from = total * i / kills, to = total * (i + 1) / kills;
        uint64_t at = from + (to > from ? (uint64_t)rand() % (to - from) : 0);
        world_begin();
        die_during(world.a.stack, action, at, &executed);
        world_check();
    }
}

#define DEATH(action)                             \
    static void death_in_##action(void **state) { \
        (void)state;                              \
        die_everywhere(do_##action);              \
    }
DEATH(send)
DEATH(receive)
DEATH(connect)
DEATH(refused_connect)
DEATH(accept)
DEATH(close)
DEATH(abort)
DEATH(close_listener)
DEATH(listen)
DEATH(udp_send)
DEATH(udp_receive)
DEATH(input)
DEATH(timers)
DEATH(shutdown)
DEATH(send_to_itself)
DEATH(join)
DEATH(fragments)
DEATH(long_send)
DEATH(error)
DEATH(raw)

/* The peer opens a connection, from its port, and acknowledges. */
static void let_in(struct scene *scene) {
    say(scene, TCP_SYN, scene->remote++, 0, 65535, NULL, 0);
    assert_true(hear(scene));
    scene->local = scene->packet.tcp.sequence + 1;
    say(scene, TCP_ACK, scene->remote, scene->local, 65535, NULL, 0);
}

static void numbers_of_a_connection_that_has_ended_are_not_those_of_the_next_in_its_place(void **state) {
    (void)state;
    struct scene scene;
    listen_on(&scene, 5);
    struct stack *stack = scene.host.stack;
    scene.listener->holders = 1;
    let_in(&scene);
    assert_int_equal(socket_accept(stack, scene.listener, &scene.socket), 0);
    say(&scene, TCP_FIN | TCP_ACK, scene.remote++, scene.local, 65535, NULL, 0);
    expect(&scene, TCP_ACK, scene.local, 0);
    const struct tcp *before = scene.socket->tcp;
    socket_release(stack, scene.socket);
    expect(&scene, TCP_FIN | TCP_ACK, scene.local++, 0);
    stack_work_on(stack, NULL);
    /* Frames of one batch, with the lock held all the while: its last acknowledgment, and the next one's
     * handshake. Whoever worked on it dies then. */
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, NULL, 0);
    assert_int_equal(stack->connections.used, 1);
    scene.remote_port++;
    scene.remote += 100000;
    let_in(&scene);
    stack_repair_memory(stack);
    assert_true(stack_repair(stack, now, NULL));
    host_discard(&scene.host);
    assert_int_equal(socket_accept(stack, scene.listener, &scene.socket), 0);
    scene.socket->holders = 1;
    assert_ptr_equal(scene.socket->tcp, before);
    say(&scene, TCP_ACK, scene.remote, scene.local, 65535, "question", 8);
    char got[10];
    assert_int_equal(receive_bytes(&scene.host, scene.socket, got, sizeof got, 0), 8);
    assert_int_equal(send_bytes(&scene.host, scene.socket, "answer", 6, 0), 6);
    host_discard(&scene.host);
    assert_int_equal(scene.socket->tcp->snd_nxt, scene.local + 6);
    scene.remote += 8;
    scene_end(&scene);
}

/* A connection's last FIN comes, twice: it becomes compact, is one again, and becomes compact. */
static struct scene waits;

static void do_wait(void) {
    for (int times = 0; times < 2; times++) {
        say(&waits, TCP_FIN | TCP_ACK, waits.remote, waits.local, 5000, NULL, 0);
        stack_advance(waits.host.stack, now);
    }
}

static void waits_begin(void) {
    int yes = 1;
    connected(&waits, 5000, MSS);
    socket_set_option(waits.host.stack, waits.socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    socket_release(waits.host.stack, waits.socket);
    waits.socket = NULL;
    expect(&waits, TCP_FIN | TCP_ACK, waits.local++, 0);
    say(&waits, TCP_ACK, waits.remote, waits.local, 5000, NULL, 0);
    host_discard(&waits.host);
}

/* Whatever it was when its process died, it answers the next FIN, and its port is taken until it has ended. */
static void waits_check(void) {
    struct stack *stack = waits.host.stack;
    stack_repair_memory(stack);
    assert_true(stack_repair(stack, now, NULL));
    host_discard(&waits.host);
    stack_advance(stack, now);
    say(&waits, TCP_FIN | TCP_ACK, waits.remote, waits.local, 5000, NULL, 0);
    expect(&waits, TCP_ACK, waits.local, 0);
    assert_int_equal(waits.packet.tcp.acknowledgment, waits.remote + 1);
    stack_advance(stack, now);
    assert_int_equal(stack->connections.used, 0);
    assert_int_equal(stack->time_waits.used, 1);
    assert_int_equal(stack->time_wait_count, 1);
    assert_int_equal(stack->orphan_count, 0);
    struct socket *socket = make_socket(&waits.host, SOCK_STREAM, 0, 0);
    assert_int_equal(socket_bind(stack, socket, ip_from_v4(0), waits.local_port), -EADDRINUSE);
    socket_release(stack, socket);
    waits.remote++;
    host_run(&waits.host, 61 * SECOND);
    assert_int_equal(stack->time_wait_count, 0);
    scene_end(&waits);
}

static void death_in_time_wait(void **state) {
    const char *wanted = getenv("BAREWIRE_KILLS");
    unsigned kills = 2 * (wanted ? (unsigned)atoi(wanted) : KILLS_EACH);
    uint64_t total, executed;
    (void)state;
    waits_begin();
    assert_false(die_during(waits.host.stack, do_wait, UINT64_MAX, &total));
    waits_check();
    for (unsigned i = 0; i < kills; i++) {
        uint64_t from = total * i / kills, to = total * (i + 1) / kills;
        waits_begin();
        die_during(waits.host.stack, do_wait, from + (to > from ? (uint64_t)rand() % (to - from) : 0),
                   &executed);
        waits_check();
    }
}

/* Arguments: a pattern of the tests' names, or none. */
int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(death_in_send),
        cmocka_unit_test(death_in_receive),
        cmocka_unit_test(death_in_connect),
        cmocka_unit_test(death_in_refused_connect),
        cmocka_unit_test(death_in_accept),
        cmocka_unit_test(death_in_close),
        cmocka_unit_test(death_in_abort),
        cmocka_unit_test(death_in_close_listener),
        cmocka_unit_test(death_in_listen),
        cmocka_unit_test(death_in_udp_send),
        cmocka_unit_test(death_in_udp_receive),
        cmocka_unit_test(death_in_input),
        cmocka_unit_test(death_in_timers),
        cmocka_unit_test(death_in_shutdown),
        cmocka_unit_test(death_in_send_to_itself),
        cmocka_unit_test(death_in_join),
        cmocka_unit_test(death_in_fragments),
        cmocka_unit_test(death_in_long_send),
        cmocka_unit_test(death_in_error),
        cmocka_unit_test(death_in_raw),
        cmocka_unit_test(death_in_time_wait),
        cmocka_unit_test(numbers_of_a_connection_that_has_ended_are_not_those_of_the_next_in_its_place),
    };
    if (count > 1)
        cmocka_set_test_filter(arguments[1]);
    srand((unsigned)getpid());
    return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}
