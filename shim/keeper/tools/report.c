/* SPDX-License-Identifier: MIT */
/*
 * report.c - `barewire report`: a capture, or what a live stack does meanwhile, explained (report/).
 *
 * A live stack is watched through the ring of its events, from a mapping for reading only: frames become
 * packets of a capture, and what the stack says of a connection becomes their comment. The page is there from the
 * beginning, is written anew every two seconds, and reads itself again in the browser, until the watching ends.
 */
#include <stdio.h>

#include "shim/keeper/keeper.h"
#include "shim/keeper/tools/report/connection.h"
#include "shim/keeper/tools/tool.h"
#include "shim/region/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIVE_SECONDS 10
#define PAUSE_NS 5000000
#define FLOWS 1024u
#define ETHERNET 14u
#define REFRESH_S 2u

static struct report report;
static volatile sig_atomic_t enough;

static int complain(const char *what, const char *why) {
    fprintf(stderr, "barewire: %s: %s\n", what, why);
    return 2;
}

/* What the stack has said last of a connection, and whose it is. */
struct known {
    struct ip_address local, remote;
    uint16_t local_port, remote_port;
    bool sampled, named;
    struct trace_sample sample;
    char holders[160];
};

static struct known *known_of(struct ip_address local, uint16_t local_port, struct ip_address remote,
                              uint16_t remote_port) {
    static struct known all[FLOWS];
    uint64_t address = ip_high(remote) ^ ip_low(remote);
    struct known *known =
        &all[(local_port * 31u + remote_port * 17u + (uint32_t)(address ^ address >> 32)) % FLOWS];
    if (!ip_equal(known->local, local) || !ip_equal(known->remote, remote) ||
        known->local_port != local_port || known->remote_port != remote_port)
        *known = (struct known){
            .local = local, .remote = remote, .local_port = local_port, .remote_port = remote_port};
    return known;
}

static void find_holders(const void *object, void *context) {
    struct known *known = context;
    struct tcp tcp;
    memcpy(&tcp, object, sizeof tcp);
    if (!ip_equal(tcp.binding.address, known->local) || tcp.binding.port != known->local_port ||
        !ip_equal(tcp.remote_address, known->remote) || tcp.remote_port != known->remote_port)
        return;
    tool_name_holders(tcp.socket, known->holders, sizeof known->holders);
    known->named = known->holders[0];
}

static struct ip_address address_of(const struct address *address) {
    return ip_from_bytes(address->bytes);
}

/* Writes what is known of a packet's connection as barewire's captures have it; "" if it is not one of TCP. */
static void describe(const struct trace_event *event, const struct capture_packet *packet, char *comment) {
    struct captured_ip ip;
    bool out = packet->direction == CAPTURE_OUT;
    comment[0] = 0;
    if (!packet_read_ip(packet, &ip) || ip.protocol != PROTOCOL_TCP || ip.fragment || ip.captured < 4)
        return;
    struct ip_address source = address_of(&ip.source), destination = address_of(&ip.destination);
    uint16_t from = wire_get16(ip.payload), to = wire_get16(ip.payload + 2);
    struct known *known =
        out ? known_of(source, from, destination, to) : known_of(destination, to, source, from);
    if (!known->named)
        pool_look(&shared->stack.connections, find_holders, known);
    snprintf(comment, NIC_COMMENT_BYTES, "%s", known->holders);
    if (known->sampled)
        capture_put_sample(comment, &known->sample);
    if (out && event->frame.note.why)
        capture_put_note(comment, &event->frame.note);
}

static void take_event(const struct trace_event *event, uint64_t number, uint64_t offset_ns) {
    if (event->kind == TRACE_SAMPLE || event->kind == TRACE_RECOVERY) {
        struct known *known = known_of(event->local, event->local_port, event->remote, event->remote_port);
        known->sample = event->sample;
        known->sampled = true;
        return;
    }
    bool out = event->kind == TRACE_FRAME_OUT;
    if (!out && event->kind != TRACE_FRAME_IN)
        return;
    char comment[NIC_COMMENT_BYTES];
    bool whole = event->frame.header_length >= ETHERNET + 20;
    uint16_t type = whole ? wire_get16(event->frame.header + 12) : 0;
    bool known = type == CAPTURE_IPV4 || type == CAPTURE_IPV6 || type == CAPTURE_ARP;
    struct capture_packet packet = {.number = number,
                                    .time_ns = event->time_ns + offset_ns,
                                    .type = known ? (enum capture_type)type : CAPTURE_OTHER,
                                    .payload = known ? event->frame.header + ETHERNET : NULL,
                                    .captured = known ? event->frame.header_length - ETHERNET : 0,
                                    .length = event->frame.length,
                                    .frame_bytes = event->frame.header_length,
                                    .direction = out ? CAPTURE_OUT : CAPTURE_IN};
    describe(event, &packet, comment);
    packet.comment = *comment ? comment : NULL;
    report_packet(&packet, &report);
}

static void stop(int signal) {
    (void)signal;
    enough = 1;
}

static int write_to(const char *path, bool text) {
    FILE *to = path ? fopen(path, "we") : stdout;
    if (!to)
        return complain(path, strerror(errno));
    if (text)
        report_text(&report, to);
    else
        report_html(&report, to);
    if (fflush(to) != 0 || ferror(to))
        return complain(path ? path : "the output", strerror(errno));
    if (path)
        fclose(to);
    return 0;
}

/* A page that is there already, or not yet, is replaced as a whole, so that a browser never finds half of it; anything
 * else (a device, a pipe, a link to elsewhere) is written into. */
static bool is_replaceable(const char *path) {
    struct stat status;
    return path && (lstat(path, &status) == 0 ? S_ISREG(status.st_mode) : errno == ENOENT);
}

static int replace_page(const char *path) {
    char next[PATH_MAX];
    struct stat old;
    if (snprintf(next, sizeof next, "%s.XXXXXX", path) >= (int)sizeof next)
        return complain(path, strerror(ENAMETOOLONG));
    int file = mkostemp(next, O_CLOEXEC);
    FILE *to = file >= 0 ? fdopen(file, "w") : NULL;
    if (!to)
        return complain(path, strerror(errno));
    mode_t mask = umask(0);
    umask(mask);
    fchmod(file, lstat(path, &old) == 0 ? old.st_mode & 0777 : 0666 & ~mask);
    report_html(&report, to);
    bool whole = fflush(to) == 0 && !ferror(to);
    if (fclose(to) == 0 && whole && rename(next, path) == 0)
        return 0;
    int why = errno;
    unlink(next);
    return complain(path, strerror(why));
}

/* Writes what there is so far, while the watching goes on: a child does, whose memory is this moment's. */
static pid_t write_moment(const char *path) {
    pid_t child = fork();
    if (child != 0)
        return child;
    report.refresh_s = REFRESH_S;
    report_diagnose(&report);
    _exit(replace_page(path) == 0 ? 0 : 1);
}

/* `page`, unless it is NULL, is written anew every so often meanwhile. */
static int watch(double seconds, const char *page) {
    static char name[200];
    struct trace_event event;
    int failed = tool_look(IPC_TRACE);
    if (failed)
        return failed;
    const struct trace *trace = &shared->stack.trace;
    uint64_t next = trace->next, lost = 0, end_ns = clock_now() + (uint64_t)(seconds * 1e9);
    uint64_t page_ns = clock_now();
    pid_t writer = 0;
    uint64_t offset_ns = clock_realtime_offset();
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    snprintf(name, sizeof name, "stack %s, live", getenv("BAREWIRE_NAME") ? getenv("BAREWIRE_NAME") : "");
    report.path = name;
    fprintf(stderr, "barewire: watching for %g s; ^C ends it\n", seconds);
    while (!enough && clock_now() < end_ns && (kill(shared->keeper_pid, 0) == 0 || errno == EPERM)) {
        for (uint64_t last = trace->next; next < last; next++) {
            if (trace_at(trace, next, &event))
                take_event(&event, next, offset_ns);
            else
                lost++;
        }
        if (writer > 0 && waitpid(writer, NULL, WNOHANG) != 0)
            writer = 0;
        if (page && writer <= 0 && clock_now() >= page_ns) {
            writer = write_moment(page);
            page_ns = clock_now() + REFRESH_S * UINT64_C(1000000000);
        }
        nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
    }
    if (writer > 0)
        waitpid(writer, NULL, 0);
    if (lost)
        fprintf(stderr, "barewire: %llu events came too fast to be seen; --pcap has all\n",
                (unsigned long long)lost);
    return 0;
}

int tool_report(int count, char **options) {
    const char *file = NULL, *output = NULL;
    bool text = false, live = false;
    double seconds = LIVE_SECONDS;
    for (int i = 0; i < count; i++) {
        char *end;
        if (strcmp(options[i], "--text") == 0)
            text = true;
        else if (strcmp(options[i], "--live") == 0)
            live = true;
        else if (strcmp(options[i], "-o") == 0 && i + 1 < count)
            output = options[++i];
        else if (options[i][0] == '-' && options[i][1])
            return complain(options[i],
                            "report takes FILE (-: standard input) or --live [SECONDS], --text and -o FILE");
        else if (live && !file && strtod(options[i], &end) > 0 && !*end)
            seconds = strtod(options[i], NULL);
        else if (!file && !live)
            file = options[i];
        else
            return complain(options[i], "report takes one FILE, or --live [SECONDS]");
    }
    if (!file && !live)
        return complain("report", "name a capture (barewire --pcap FILE makes one), or --live");
    if (!text && !output && isatty(STDOUT_FILENO))
        return complain("report", "say where the page goes: -o report.html; or --text");
    if (live) {
        int failed = watch(seconds, text || !is_replaceable(output) ? NULL : output);
        if (failed)
            return failed;
    } else {
        report.path = file;
        const char *why = capture_read(file, report_packet, &report);
        if (why && report.packets == 0)
            return complain(file, why);
        if (why)
            fprintf(stderr, "barewire: %s: %s; the report is about what comes before\n", file, why);
    }
    if (report.out_of_memory)
        fprintf(stderr, "barewire: memory ran out; the report is not about all of it\n");
    report_diagnose(&report);
    return live && !text && is_replaceable(output) ? replace_page(output) : write_to(output, text);
}
