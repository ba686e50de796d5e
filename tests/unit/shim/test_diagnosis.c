/* SPDX-License-Identifier: MIT */
/*
 * test_diagnosis.c - report/: what is found in captures, and whose it is said to be.
 *
 * Two stacks talk over a link of nic/impair.c, in virtual time, with a fault whose cause is known; the frames
 * are captured at both ends. For each fault, each direction of the data and each place of the capture a table
 * says what must be found, and what else may be; anything beyond that is a wrong verdict. Figures must be
 * possible ones.
 */
#include "nic/impair.h"
#include "shim/keeper/tools/report/thin.h"
#include "shim/keeper/tools/report/verdict.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REQUEST 82u
#define LIMIT (120 * SECOND)

/* What the programs do. */
struct programs {
    uint32_t bytes;               /* that the sender of the data has to say */
    uint32_t piece, pause_ms;     /* it writes so much, and then nothing for a while; 0: all at once */
    uint32_t read_bytes, read_ms; /* the receiver reads so much every so often; 0: at once */
    uint32_t think_ms;            /* before the sender begins */
    int receive_buffer;           /* of the receiver; 0: the stack's own choice */
};

struct fault {
    const char *name;
    const char *data, *back; /* the link's properties, the way of the data and the other */
    struct programs programs;
    const char *must, *may; /* findings: name:owner, each with a semicolon behind */
    uint32_t rtt_us;        /* of the empty path */
    const char
        *uses; /* what most of the time that is not the way's went for, if that is certain: words with a
                             * semicolon behind; S and R are the sender's side and the receiver's, for first or second */
    bool receiver_sees;  /* nothing of it can be seen at the sender */
    bool receiver_knows; /* ... but in barewire's own capture at the receiver */
};

/* A frame that a capture has. */
struct taken {
    uint64_t time_ns;
    uint32_t length;
    bool out;
    uint8_t *bytes;
    char comment[200];
};

struct end {
    struct host host;
    struct socket *socket;
    struct taken *taken;
    uint32_t taken_count, taken_room;
    uint32_t written, read;
    uint64_t next_write_ns, next_read_ns;
    bool finished, closed;
};

struct world {
    struct end ends[2]; /* 0: the client */
    struct impair *links[2];
    struct socket *listener;
    const struct fault *fault;
    int sender;
};

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static void take(struct end *end, const struct seen *seen, bool out) {
    assert_true(array_grow((void **)&end->taken, end->taken_count, &end->taken_room, sizeof *end->taken));
    struct taken *taken = &end->taken[end->taken_count++];
    *taken =
        (struct taken){.time_ns = now, .length = seen->length, .out = out, .bytes = malloc(seen->length)};
    memcpy(taken->bytes, seen->bytes, seen->length);
    if (!end->socket || !end->socket->tcp)
        return;
    struct trace_sample sample;
    trace_sample_of(end->socket->tcp, &sample);
    snprintf(taken->comment, sizeof taken->comment, "tcp (\"test\",pid=1) cwnd=%u unread=%u", sample.cwnd,
             sample.unread);
}

/* Carries what has been sent to the link, and what has come over it to the other end. */
static void carry(struct world *world) {
    static struct seen seen;
    for (int i = 0; i < 2; i++) {
        while (host_sent(&world->ends[i].host, &seen)) {
            take(&world->ends[i], &seen, true);
            impair_put(world->links[i], now, seen.bytes, seen.length);
        }
        while ((seen.length = impair_get(world->links[i], now, seen.bytes, sizeof seen.bytes))) {
            take(&world->ends[1 - i], &seen, false);
            host_input(&world->ends[1 - i].host, seen.bytes, seen.length, 0);
        }
    }
}

static void write_some(struct end *end, uint32_t all, uint32_t piece, uint64_t pause_ns) {
    static uint8_t data[65536];
    while (end->written < all && end->next_write_ns <= now) {
        uint32_t left = piece ? piece - end->written % piece : all - end->written;
        left = left < all - end->written ? left : all - end->written;
        ssize_t sent = send_bytes(&end->host, end->socket, data, left < sizeof data ? left : sizeof data, 0);
        if (sent <= 0)
            return;
        end->written += (uint32_t)sent;
        if (piece && end->written % piece == 0)
            end->next_write_ns = now + pause_ns;
    }
}

static void read_some(struct end *end, uint32_t most, uint64_t pause_ns) {
    static uint8_t data[65536];
    while (end->next_read_ns <= now && !end->finished) {
        ssize_t got =
            receive_bytes(&end->host, end->socket, data, most && most < sizeof data ? most : sizeof data, 0);
        if (got < 0)
            return;
        end->finished = got == 0;
        end->read += (uint32_t)got;
        if (most)
            end->next_read_ns = now + pause_ns;
    }
}

/* One step of both programs. The client of a download asks first; whoever has said all closes, the other then
 * too. */
static void step(struct world *world) {
    const struct programs *programs = &world->fault->programs;
    struct end *sender = &world->ends[world->sender], *receiver = &world->ends[1 - world->sender];
    bool download = world->sender == 1;
    if (!sender->socket || !receiver->socket)
        return;
    if (download) {
        write_some(receiver, REQUEST, 0, 0);
        read_some(sender, 0, 0);
    }
    if (!sender->closed && (!download || sender->read == REQUEST)) {
        if (!sender->next_write_ns)
            sender->next_write_ns = now + programs->think_ms * MS;
        write_some(sender, programs->bytes, programs->piece, programs->pause_ms * MS);
    }
    read_some(receiver, programs->read_bytes, programs->read_ms * MS);
    struct end *ends[2] = {sender, receiver};
    for (int i = 0; i < 2; i++)
        if (!ends[i]->closed && (i == 0 ? sender->written == programs->bytes : receiver->finished)) {
            ends[i]->closed = true;
            socket_shutdown(ends[i]->host.stack, ends[i]->socket, SHUT_WR);
        }
}

static bool is_done(const struct world *world) {
    return world->ends[0].closed && world->ends[1].closed && impair_next(world->links[0]) == IMPAIR_NEVER &&
           impair_next(world->links[1]) == IMPAIR_NEVER;
}

static void run(struct world *world) {
    uint64_t end_ns = now + LIMIT;
    for (int spins = 0; now < end_ns && !is_done(world);) {
        uint64_t before_ns = now, next_ns = end_ns;
        carry(world);
        if (!world->ends[1].socket)
            socket_accept(world->ends[1].host.stack, world->listener, &world->ends[1].socket);
        step(world);
        carry(world);
        for (int i = 0; i < 2; i++) {
            struct end *end = &world->ends[i];
            next_ns = least(next_ns, least(stack_deadline(end->host.stack), impair_next(world->links[i])));
            if (end->next_write_ns > now)
                next_ns = least(next_ns, end->next_write_ns);
            if (end->next_read_ns > now)
                next_ns = least(next_ns, end->next_read_ns);
        }
        now = next_ns > now ? next_ns : now;
        for (int i = 0; i < 2; i++)
            stack_advance(world->ends[i].host.stack, now);
        spins = now == before_ns ? spins + 1 : 0;
        assert_true(spins < 10000);
    }
    assert_true(is_done(world));
}

static void play(struct world *world, const struct fault *fault, int sender) {
    memset(world, 0, sizeof *world);
    world->fault = fault;
    world->sender = sender;
    for (int i = 0; i < 2; i++) {
        struct impair_specs specs;
        char error[IMPAIR_ERROR_BYTES];
        world->ends[i].host = host_create(i ? HOST_B : HOST_A, 1500);
        assert_true(impair_parse(i == sender ? fault->data : fault->back, &specs, error));
        world->links[i] = impair_create(&specs.out, 7 + (uint64_t)i);
    }
    struct end *server = &world->ends[1], *client = &world->ends[0];
    world->listener = make_socket(&server->host, SOCK_STREAM, 0, 80);
    client->socket = make_socket(&client->host, SOCK_STREAM, 0, 0);
    if (fault->programs.receive_buffer)
        set_option(sender ? &client->host : &server->host, sender ? client->socket : world->listener,
                   SOL_SOCKET, SO_RCVBUF, fault->programs.receive_buffer);
    assert_int_equal(socket_listen(server->host.stack, world->listener, 1), 0);
    socket_connect(client->host.stack, client->socket, ip_from_v4(HOST_B), 80);
    run(world);
}

static void leave(struct world *world) {
    for (int i = 0; i < 2; i++) {
        for (uint32_t j = 0; j < world->ends[i].taken_count; j++)
            free(world->ends[i].taken[j].bytes);
        free(world->ends[i].taken);
        impair_destroy(world->links[i]);
        host_destroy(&world->ends[i].host);
    }
}

/* What a capture at one end shows: from its `first` frame on, without those that `misses` says. */
struct view {
    int at;
    bool own; /* the capture is barewire's: it says which way a frame went, and how the connection stands */
    uint32_t first, held_max;
    bool (*misses)(uint32_t number, const struct taken *taken);
};

static void look(const struct world *world, const struct view *view, struct report *report) {
    const struct end *end = &world->ends[view->at];
    memset(report, 0, sizeof *report);
    report->held_max = view->held_max;
    for (uint32_t i = view->first; i < end->taken_count; i++) {
        const struct taken *taken = &end->taken[i];
        if (view->misses && view->misses(i, taken))
            continue;
        struct capture_packet packet = {
            .number = i + 1,
            .time_ns = taken->time_ns,
            .type = (enum capture_type)wire_get16(taken->bytes + 12),
            .payload = taken->bytes + 14,
            .captured = taken->length - 14,
            .length = taken->length,
            .frame_bytes = taken->length,
            .direction = !view->own   ? CAPTURE_UNKNOWN
                         : taken->out ? CAPTURE_OUT
                                      : CAPTURE_IN,
            .comment = view->own && taken->comment[0] ? taken->comment : NULL,
        };
        report_packet(&packet, report);
    }
    report_diagnose(report);
}

/* Every word of `wanted` was found, and nothing that is in neither. */
static void judge(const struct connection *connection, const char *what, const char *must, const char *may) {
    char found[1000] = "", word[80];
    for (uint32_t i = 0; i < connection->finding_count; i++) {
        const struct finding *finding = &connection->findings[i];
        snprintf(word, sizeof word, "%s:%s@%d ", finding->name, finding_owner(finding->whose), finding->side);
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s", word);
        word[strcspn(word, "@")] = 0;
        snprintf(word + strlen(word), sizeof word - strlen(word), ";");
        if (!strstr(must, word) && !strstr(may, word))
            fail_msg("%s: wrong verdict %s(%s: %s)", what, word, finding->title, finding->text);
    }
    for (const char *at = must; *at; at += strcspn(at, ";") + 1) {
        snprintf(word, sizeof word, "%.*s@", (int)strcspn(at, ";"), at);
        if (!strstr(found, word))
            fail_msg("%s: '%s' was not found; there is: %s", what, word, found);
    }
}

static void check_figures(const struct world *world, const struct view *view,
                          const struct connection *connection, const char *what) {
    const struct fault *fault = world->fault;
    const struct side *sender = &connection->sides[world->sender];
    uint64_t lasted_ns = connection->end_ns - connection->begin_ns;
    uint64_t rtt_us = connection_rtt(connection) / 1000, mean_us = connection_mean_rtt(connection) / 1000;
    if (connection->recovering_ns > lasted_ns || sender->idle_ns > lasted_ns || sender->queued_ns > lasted_ns)
        fail_msg("%s: repaired for %llu ms of %llu", what, (unsigned long long)connection->recovering_ns / MS,
                 (unsigned long long)lasted_ns / MS);
    if (sender->bytes != fault->programs.bytes)
        fail_msg("%s: %llu bytes seen of %u", what, (unsigned long long)sender->bytes, fault->programs.bytes);
    if (rtt_us < fault->rtt_us || rtt_us > fault->rtt_us * 3 / 2 + 2000 || mean_us < rtt_us)
        fail_msg("%s: a round trip of %llu us, %llu on average, where there is one of %u", what,
                 (unsigned long long)rtt_us, (unsigned long long)mean_us, fault->rtt_us);
    if (fault->rtt_us > 1000 && connection->local != view->at)
        fail_msg("%s: the capture was made at %d, not at %d", what, view->at, connection->local);
    for (uint32_t i = 0; i < connection->finding_count; i++) {
        const struct finding *finding = &connection->findings[i];
        int side = finding->whose == WHOSE_RECEIVER || strcmp(finding->name, "duplicate-ack") == 0
                       ? 1 - world->sender
                       : world->sender;
        if (finding->side != side)
            fail_msg("%s: %s is said of side %d, and is side %d's", what, finding->name, finding->side, side);
    }
}

/* The time between the first packet and the last is given away once, and most of what is not the way's as expected. */
static void check_uses(const struct world *world, const struct connection *connection, const char *what) {
    const struct triage *triage = &connection->triage;
    uint64_t all_ns = 0;
    int most = USE_QUEUE;
    char word[40];
    for (int i = 0; i < USE_COUNT; i++)
        all_ns += triage->ns[i];
    if (all_ns != connection->end_ns - connection->begin_ns)
        fail_msg("%s: %llu ns were given away of %llu", what, (unsigned long long)all_ns,
                 (unsigned long long)(connection->end_ns - connection->begin_ns));
    assert_in_range(triage->count, 1, TRIAGE_SLOTS);
    assert_in_range(all_ns, (triage->count - 1) * triage->width_ns, triage->count * triage->width_ns);
    for (uint32_t i = 0; i < triage->count; i++)
        assert_in_range(triage->slots[i], 0, USE_COUNT - 1);
    for (int i = USE_QUEUE; i < USE_COUNT; i++)
        if (triage->ns[i] > triage->ns[most])
            most = i;
    snprintf(word, sizeof word, "%s;", triage_word((enum use)most));
    bool of_sender = strncmp(word, world->sender ? "second" : "first", 5) == 0;
    char *dash = strchr(word, '-');
    if (dash)
        snprintf(word, sizeof word, "%c%s", of_sender ? 'S' : 'R',
                 triage_word((enum use)most) + (dash - word));
    if (dash)
        strcat(word, ";");
    if (world->fault->uses && !strstr(world->fault->uses, word))
        fail_msg("%s: its time went for %s (%llu of %llu ms)", what, word,
                 (unsigned long long)triage->ns[most] / MS, (unsigned long long)all_ns / MS);
}

/* What weighs most is among what must be found; where nothing must be, nothing or little is wrong. */
static void check_verdict(const struct report *report, const struct fault *fault, const char *what) {
    struct verdict verdict;
    char word[80];
    verdict_of(report, &verdict);
    snprintf(word, sizeof word, "%s:%s;", verdict.name, finding_owner(verdict.whose));
    if (*fault->must ? !strstr(fault->must, word)
                     : *verdict.name && !strstr(verdict.sentence, "Little is wrong"))
        fail_msg("%s: the verdict is %s (%s)", what, word, verdict.sentence);
    assert_int_equal(!*verdict.name, !*verdict.sure);
    assert_int_equal(!*verdict.name, !*verdict.advice);
    for (uint32_t i = 0; i < verdict.moment_count; i++)
        assert_in_range(verdict.moments[i].at_ns, report->begin_ns, report->end_ns);
}

#define MB 1000000u
#define LOSS "loss:network;"
#define REPAIR "retransmission:network;duplicate-ack:network;needless-retransmission:network;"

static const struct fault faults[] = {
    {.name = "a short way",
     .data = "delay=50us",
     .back = "delay=50us",
     .programs = {.bytes = 4 * MB},
     .must = "",
     .may = "",
     .rtt_us = 100},
    {.name = "a long way",
     .data = "delay=50ms",
     .back = "delay=50ms",
     .programs = {.bytes = 4 * MB},
     .must = "",
     .may = "",
     .rtt_us = 100000},
    {.name = "a little to say",
     .data = "delay=30ms",
     .back = "delay=30ms",
     .programs = {.bytes = 3000},
     .must = "",
     .may = "",
     .rtt_us = 60000},
    {.name = "jitter",
     .data = "delay=30ms,jitter=8ms",
     .back = "delay=30ms,jitter=8ms",
     .programs = {.bytes = 2 * MB},
     .must = "",
     .may = "",
     .rtt_us = 44000},
    {.name = "loss",
     .data = "delay=10ms,loss=1%",
     .back = "delay=10ms",
     .programs = {.bytes = 4 * MB},
     .must = LOSS,
     .may = REPAIR,
     .uses = "repair;",
     .rtt_us = 20000},
    {.name = "much loss",
     .data = "delay=20ms,loss=5%",
     .back = "delay=20ms",
     .programs = {.bytes = 1 * MB},
     .must = LOSS,
     .may = REPAIR,
     .uses = "repair;",
     .rtt_us = 40000},
    {.name = "loss on a short way",
     .data = "delay=100us,loss=2%",
     .back = "delay=100us",
     .programs = {.bytes = 2 * MB},
     .must = LOSS,
     .may = REPAIR,
     .uses = "repair;",
     .rtt_us = 200},
    {.name = "lost acknowledgments",
     .data = "delay=10ms",
     .back = "delay=10ms,loss=3%",
     .programs = {.bytes = 2 * MB},
     .must = "",
     .may = "needless-retransmission:network;",
     .rtt_us = 20000},
    {.name = "a full queue",
     .data = "rate=20mbit,delay=5ms,queue=1000",
     .back = "delay=5ms",
     .programs = {.bytes = 6 * MB},
     .must = "bufferbloat:network;",
     .may = "",
     .uses = "queue;",
     .rtt_us = 10000},
    {.name = "a full queue on a long way",
     .data = "rate=10mbit,delay=40ms,queue=1000",
     .back = "delay=40ms",
     .programs = {.bytes = 6 * MB},
     .must = "bufferbloat:network;",
     .may = "",
     .uses = "queue;",
     .rtt_us = 80000},
    {.name = "a queue that overflows",
     .data = "rate=20mbit,delay=5ms,queue=100",
     .back = "delay=5ms",
     .programs = {.bytes = 6 * MB},
     .must = "bufferbloat:network;" LOSS,
     .may = REPAIR,
     .uses = "queue;repair;",
     .rtt_us = 10000},
    {.name = "overtaking",
     .data = "delay=10ms,reorder=1%",
     .back = "delay=10ms",
     .programs = {.bytes = 2 * MB},
     .must = "out-of-order:network;",
     .may = REPAIR,
     .rtt_us = 20000,
     .receiver_sees = true},
    {.name = "a slow reader",
     .data = "delay=5ms",
     .back = "delay=5ms",
     .programs = {.bytes = 1 * MB, .read_bytes = 10000, .read_ms = 10, .receive_buffer = 60000},
     .must = "slow-reader:receiving program;",
     .may = "",
     .uses = "R-window;",
     .rtt_us = 10000},
    {.name = "a reader with a large buffer",
     .data = "delay=5ms",
     .back = "delay=5ms",
     .programs = {.bytes = 2 * MB, .read_bytes = 10000, .read_ms = 10},
     .must = "slow-reader:receiving program;",
     .may = "",
     .uses = "R-window;",
     .rtt_us = 10000},
    {.name = "a reader with room for all",
     .data = "delay=5ms",
     .back = "delay=5ms",
     .programs = {.bytes = 1 * MB, .read_bytes = 10000, .read_ms = 10, .receive_buffer = 3000000},
     .must = "slow-reader:receiving program;",
     .may = "",
     .rtt_us = 10000,
     .receiver_knows = true},
    {.name = "a slow writer",
     .data = "delay=5ms",
     .back = "delay=5ms",
     .programs = {.bytes = 1 * MB, .piece = 50000, .pause_ms = 100},
     .must = "application-limited:sending program;",
     .may = "",
     .uses = "S-idle;",
     .rtt_us = 10000},
    {.name = "a slow writer far away",
     .data = "delay=60ms",
     .back = "delay=60ms",
     .programs = {.bytes = 1 * MB, .piece = 50000, .pause_ms = 700},
     .must = "application-limited:sending program;",
     .may = "",
     .uses = "S-idle;",
     .rtt_us = 120000},
    {.name = "a small window",
     .data = "delay=25ms",
     .back = "delay=25ms",
     .programs = {.bytes = 2 * MB, .receive_buffer = 30000},
     .must = "window-limited:receiving program;",
     .may = "",
     .uses = "R-window;",
     .rtt_us = 50000},
};

static void each_fault_is_found_at_either_end_and_nothing_else(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        for (int sender = 0; sender < 2; sender++) {
            struct world world;
            play(&world, &faults[i], sender);
            for (int at = 0; at < 2; at++)
                for (int own = 0; own < 2; own++) {
                    struct view view = {.at = at, .own = own};
                    struct report report;
                    char what[160];
                    snprintf(what, sizeof what, "%s, %s, captured at the %s%s", faults[i].name,
                             sender ? "download" : "upload", at == sender ? "sender" : "receiver",
                             own ? " by barewire" : "");
                    look(&world, &view, &report);
                    assert_int_equal(report.count, 1);
                    bool hidden = (faults[i].receiver_sees && at == sender) ||
                                  (faults[i].receiver_knows && (at == sender || !own));
                    judge(report.connections[0], what, hidden ? "" : faults[i].must, faults[i].may);
                    check_figures(&world, &view, report.connections[0], what);
                    check_uses(&world, report.connections[0], what);
                    if (!hidden)
                        check_verdict(&report, &faults[i], what);
                    report_free(&report);
                }
            leave(&world);
        }
}

static void sum_up(const struct connection *connection, char *text, size_t room) {
    size_t used = 0;
    for (uint32_t i = 0; i < connection->finding_count; i++)
        used += (size_t)snprintf(text + used, room - used, "%s:%d ", connection->findings[i].name,
                                 connection->findings[i].side);
}

/* A capture that is too long to be held is measured in pieces: the same is found, and the same bytes are counted. */
static void long_capture_is_thinned_and_says_the_same(void **state) {
    (void)state;
    uint32_t thinned = 0;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct world world;
        play(&world, &faults[i], 1);
        for (int at = 0; at < 2; at++) {
            struct report whole, pieces;
            char what[160], expected[1000] = "", found[1000] = "";
            snprintf(what, sizeof what, "%s, captured at the %s, in pieces", faults[i].name,
                     at ? "sender" : "receiver");
            look(&world, &(struct view){.at = at, .own = true}, &whole);
            look(&world, &(struct view){.at = at, .own = true, .held_max = 1500}, &pieces);
            const struct connection *one = whole.connections[0], *other = pieces.connections[0];
            thinned += other->dropped > 0;
            assert_int_equal(one->count, other->count + other->dropped);
            assert_in_range(other->count, 0, 1500);
            sum_up(one, expected, sizeof expected);
            sum_up(other, found, sizeof found);
            assert_string_equal(found, expected);
            check_uses(&world, other, what);
            for (int side = 0; side < 2; side++) {
                struct series rates[2];
                uint64_t bytes = 0;
                thin_rates(other, rates);
                for (uint32_t slot = 0; slot < SERIES_SLOTS; slot++)
                    bytes += rates[side].bytes[slot];
                assert_in_range(bytes, one->sides[side].bytes, one->sides[side].bytes + 3000);
                assert_int_equal(other->sides[side].bytes, one->sides[side].bytes);
            }
            for (uint32_t j = 0; j < other->count; j++) { /* what moved along is still each one's own */
                assert_in_range(other->segments[j].sample, 0, other->sample_count);
                assert_in_range(other->segments[j].sack_at + other->segments[j].sack_count, 0,
                                other->block_count);
            }
            report_free(&whole);
            report_free(&pieces);
        }
        leave(&world);
    }
    assert_true(thinned > 10);
}

/* Without the handshake nobody knows what a window's number means; what else is said is true all the same. */
static void capture_that_begins_late_says_no_more_than_it_shows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct world world;
        play(&world, &faults[i], 1);
        for (int at = 0; at < 2; at++) {
            struct view view = {.at = at, .own = at, .first = world.ends[at].taken_count / 3};
            struct report report;
            char may[400];
            bool windows = strstr(faults[i].must, "window-limited");
            snprintf(may, sizeof may, "%s%s", windows ? "" : faults[i].must, faults[i].may);
            look(&world, &view, &report);
            assert_int_equal(report.count, 1);
            assert_false(connection_scale_known(report.connections[0]));
            assert_int_equal(report.connections[0]->handshake_ns, 0);
            judge(report.connections[0], faults[i].name, "", may);
            assert_in_range(report.connections[0]->recovering_ns, 0,
                            report.connections[0]->end_ns - report.connections[0]->begin_ns);
            report_free(&report);
        }
        leave(&world);
    }
}

static bool misses_a_part(uint32_t number, const struct taken *taken) {
    return taken->length > 200 && number / 20 % 3 == 1;
}

static bool misses_acknowledgments(uint32_t number, const struct taken *taken) {
    return number > 100 && taken->length < 200;
}

/* What the capture lost is not blamed on the network, nor on a program; and what was acknowledged is counted.
 */
static void capture_with_holes_says_so_and_blames_nobody(void **state) {
    (void)state;
    for (int sender = 0; sender < 2; sender++)
        for (int at = 0; at < 2; at++) {
            const struct fault fault = {.name = "holes",
                                        .data = "delay=10ms",
                                        .back = "delay=10ms",
                                        .programs = {.bytes = 2 * MB, .piece = 100000, .pause_ms = 50}};
            struct world world;
            struct report report;
            play(&world, &fault, sender);
            look(&world, &(struct view){.at = at, .misses = misses_a_part}, &report);
            const struct side *side = &report.connections[0]->sides[sender];
            judge(report.connections[0], "holes", "incomplete-capture:capture;", "");
            assert_int_equal(side->bytes + side->unseen, 2 * MB);
            report_free(&report);
            look(&world, &(struct view){.at = at, .misses = misses_acknowledgments}, &report);
            judge(report.connections[0], "one way", "incomplete-capture:capture;", "");
            struct verdict verdict;
            verdict_of(&report, &verdict);
            assert_string_equal(verdict.name, "incomplete-capture");
            assert_null(strstr(verdict.sentence, "Nothing is wrong"));
            report_free(&report);
            leave(&world);
        }
}

/* An IPv4 packet of a capture that is made by hand. */
static void give(struct report *report, uint64_t time_ns, enum capture_type type, const void *bytes,
                 uint32_t length) {
    struct capture_packet packet = {.number = report->packets + 1,
                                    .time_ns = time_ns,
                                    .type = type,
                                    .payload = bytes,
                                    .captured = length,
                                    .length = length + 14,
                                    .frame_bytes = length + 14};
    report_packet(&packet, report);
}

static void give_arp(struct report *report, uint64_t time_ns, uint16_t operation, uint32_t sender,
                     uint32_t target) {
    uint8_t arp[28] = {0, 1, 8, 0, 6, 4};
    wire_put16(arp + 6, operation);
    wire_put32(arp + 14, sender);
    wire_put32(arp + 24, target);
    give(report, time_ns, CAPTURE_ARP, arp, sizeof arp);
}

static uint32_t put_ip(uint8_t *ip, uint8_t protocol, uint32_t source, uint32_t destination,
                       uint32_t payload) {
    memset(ip, 0, 20);
    ip[0] = 0x45;
    wire_put16(ip + 2, (uint16_t)(20 + payload));
    ip[9] = protocol;
    wire_put32(ip + 12, source);
    wire_put32(ip + 16, destination);
    return 20 + payload;
}

/* A question of DNS for www.example.org, or an answer. */
static uint32_t put_dns(uint8_t *ip, uint16_t id, uint16_t port, bool answer, uint8_t code) {
    static const uint8_t question[] = "\3www\7example\3org\0\0\1\0";
    uint32_t server = HOST_B, client = HOST_A, length = 8 + 12 + sizeof question;
    uint32_t all = put_ip(ip, 17, answer ? server : client, answer ? client : server, length);
    uint8_t *udp = ip + 20;
    memset(udp, 0, 20);
    wire_put16(udp, answer ? 53 : port);
    wire_put16(udp + 2, answer ? port : 53);
    wire_put16(udp + 8, id);
    wire_put16(udp + 10, (uint16_t)(answer ? 0x8180 + code : 0x0100));
    wire_put16(udp + 12, 1);
    memcpy(udp + 20, question, sizeof question);
    return all;
}

static void expect_findings(struct report *report, const char *names) {
    char found[400] = "";
    report_diagnose(report);
    for (uint32_t i = 0; i < report->finding_count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s ", report->findings[i].name);
    assert_string_equal(found, names);
    report_free(report);
}

static void unanswered_arp_is_told_and_probes_are_not(void **state) {
    struct report report = {0};
    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        give_arp(&report, (i + 1) * SECOND, 1, 0, HOST_A);          /* a probe: nobody should have it */
        give_arp(&report, (i + 1) * SECOND, 1, HOST_A, HOST_A);     /* an announcement */
        give_arp(&report, (i + 1) * SECOND, 1, HOST_A, HOST_B + 9); /* nobody has it */
        give_arp(&report, (i + 1) * SECOND, 1, HOST_A, HOST_B);     /* answered */
    }
    give_arp(&report, 4 * SECOND, 2, HOST_B, HOST_A);
    expect_findings(&report, "no-such-neighbour ");
}

static void failures_of_names_are_told(void **state) {
    struct report report = {0};
    uint8_t packet[200], error[300];
    (void)state;
    give(&report, SECOND, CAPTURE_IPV4, packet, put_dns(packet, 7, 5000, false, 0));
    give(&report, 6 * SECOND, CAPTURE_IPV4, packet, put_dns(packet, 8, 5000, false, 0));
    expect_findings(&report, "dns-no-answer ");
    give(&report, SECOND, CAPTURE_IPV4, packet, put_dns(packet, 7, 5000, false, 0));
    give(&report, SECOND + MS, CAPTURE_IPV4, packet, put_dns(packet, 7, 5000, true, 0));
    expect_findings(&report, "");
    give(&report, SECOND, CAPTURE_IPV4, packet, put_dns(packet, 7, 5000, false, 0));
    give(&report, 3 * SECOND, CAPTURE_IPV4, packet, put_dns(packet, 7, 5000, true, 0));
    expect_findings(&report, "dns-slow ");
    give(&report, SECOND, CAPTURE_IPV4, packet, put_dns(packet, 7, 5000, false, 0));
    give(&report, SECOND + MS, CAPTURE_IPV4, packet, put_dns(packet, 7, 5000, true, 2));
    expect_findings(&report, "dns-failure ");
    uint32_t length = put_dns(packet, 7, 5000, false, 0);
    give(&report, SECOND, CAPTURE_IPV4, packet, length);
    uint32_t all = put_ip(error, 1, HOST_B, HOST_A, 8 + length);
    memcpy(error + 20, (uint8_t[8]){3, 3}, 8);
    memcpy(error + 28, packet, length);
    give(&report, SECOND + MS, CAPTURE_IPV4, error, all);
    expect_findings(&report, "dns-refused ");
}

static uint32_t put_syn(uint8_t *ip, uint32_t source, uint16_t port) {
    uint32_t all = put_ip(ip, 6, source, HOST_B, 20);
    memset(ip + 20, 0, 20);
    wire_put16(ip + 20, port);
    wire_put16(ip + 22, 80);
    ip[32] = 0x50;
    ip[33] = 2;
    return all;
}

/* Finding one of very many takes no longer than finding one of a few; a page of them has an end. */
static void many_connections_take_neither_time_nor_room(void **state) {
    struct report report = {.path = "many"};
    uint8_t packet[100];
    (void)state;
    for (uint32_t i = 0; i < 60000; i++)
        give(&report, SECOND + i, CAPTURE_IPV4, packet,
             put_syn(packet, HOST_A + i / 30000, (uint16_t)(1000 + i % 30000)));
    assert_int_equal(report.count, 60000);
    for (uint32_t i = 0; i < report.table_size; i++) {
        uint32_t length = 0;
        for (const struct connection *at = report.table[i]; at; at = at->next_of_hash)
            length++;
        assert_in_range(length, 0, 12);
    }
    assert_in_range(sizeof(struct connection), 0, 1500);
    report_diagnose(&report);
    char *page = NULL, *text = NULL;
    size_t page_bytes, text_bytes;
    FILE *to = open_memstream(&page, &page_bytes);
    report_html(&report, to);
    fclose(to);
    to = open_memstream(&text, &text_bytes);
    report_text(&report, to);
    fclose(to);
    assert_in_range(page_bytes, 10000, 5000000);
    assert_in_range(text_bytes, 1000, 100000);
    assert_non_null(strstr(text, "of 60000"));
    free(page);
    free(text);
    report_free(&report);
}

static void tcp_over_ipv6_is_followed(void **state) {
    struct report report = {0};
    uint8_t ip[100] = {[0] = 0x60, [5] = 28, [6] = 0, [8] = 0x20, [23] = 1, [24] = 0x20, [39] = 2};
    (void)state;
    ip[40] = 6; /* an options header before TCP's */
    wire_put16(ip + 48, 5000);
    wire_put16(ip + 50, 80);
    ip[60] = 0x50;
    ip[61] = 2;
    give(&report, SECOND, CAPTURE_IPV6, ip, 68);
    assert_int_equal(report.count, 1);
    assert_string_equal(report_place(&report.connections[0]->sides[1]), "[2000::2]:80");
    for (uint32_t length = 0; length < 68; length++) /* cut anywhere */
        give(&report, SECOND, CAPTURE_IPV6, ip, length);
    assert_int_equal(report.count, 1);
    expect_findings(&report, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_found_at_either_end_and_nothing_else),
        cmocka_unit_test(long_capture_is_thinned_and_says_the_same),
        cmocka_unit_test(capture_that_begins_late_says_no_more_than_it_shows),
        cmocka_unit_test(capture_with_holes_says_so_and_blames_nobody),
        cmocka_unit_test(unanswered_arp_is_told_and_probes_are_not),
        cmocka_unit_test(failures_of_names_are_told),
        cmocka_unit_test(many_connections_take_neither_time_nor_room),
        cmocka_unit_test(tcp_over_ipv6_is_followed),
    };
    return cmocka_run_group_tests_name("diagnosis", tests, NULL, NULL);
}
