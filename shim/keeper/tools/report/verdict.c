/* SPDX-License-Identifier: MIT */
/*
 * verdict.c - see verdict.h.
 *
 * Each finding is weighed by the time that it cost (triage.h), and what kept a connection from coming about at all by
 * a time of its own; the findings of one name and one owner are weighed together. What is heaviest is the verdict.
 */
#include "shim/keeper/tools/report/verdict.h"
#include <string.h>

#define FAILURE_NS UINT64_C(1000000000) /* a connection that failed weighs so much */
#define NAMES_MAX 40u
#define MS 1e6
#define SLIGHT 100 /* less than a hundredth of the time */

/* What a name of a finding costs: a use of time, by which side's; or a failure. */
struct meaning {
    const char *name;
    bool failure;
    enum use use;
    const char *words, *advice;
};

#define RATE_ADVICE                                                                                         \
    "Look for the link that is full or damaged: compare captures of both ends; ethtool -S counts a card's " \
    "errors."

static const struct meaning meanings[] = {
    {"loss", false, USE_REPAIR, "segments were lost on the way", RATE_ADVICE},
    {"syn-loss", false, USE_HANDSHAKE, "handshakes were lost on the way", RATE_ADVICE},
    {"needless-retransmission", false, USE_REPAIR, "segments that had arrived were sent again",
     "Look for a path whose delay jumps, or on which acknowledgments are lost."},
    {"out-of-order", false, USE_REPAIR, "segments overtook each other",
     "Look for paths of different length that one flow is spread over (per-packet load balancing), or a "
     "card's several "
     "queues."},
    {"bufferbloat", false, USE_QUEUE, "a full queue on the way delays everything",
     "Give the queue before the slow link an AQM (fq_codel, CAKE), limit the rate just below the link's, or "
     "send by BBR."},
    {"zero-window", false, USE_FIRST_WINDOW, "a program reads too slowly",
     "Look at what the reading program does between its reads: perf, strace, barewire --trace."},
    {"slow-reader", false, USE_FIRST_WINDOW, "a program reads too slowly",
     "Look at what the reading program does between its reads: perf, strace, barewire --trace."},
    {"silly-window", false, USE_FIRST_WINDOW, "a program reads little by little",
     "Let the program read more at a time; let its TCP wait with updates of the window until half of it is "
     "free."},
    {"window-limited", false, USE_FIRST_WINDOW, "a receive buffer is too small for the path",
     "Raise net.ipv4.tcp_rmem's last number there, and don't set SO_RCVBUF in the program, which ends "
     "autotuning."},
    {"nagle-delayed-ack", false, USE_NAGLE, "Nagle's rule and delayed acknowledgments wait for each other",
     "Write what belongs together at once (writev), or set TCP_NODELAY in the writing program."},
    {"small-writes", false, USE_FIRST_IDLE, "a program writes little by little",
     "Let the program write through a buffer, or set TCP_CORK around what belongs together."},
    {"application-limited", false, USE_FIRST_IDLE, "a program takes its time",
     "Look at what that program does before it writes: perf, strace, barewire --trace; the network is not "
     "the cause."},
    {"incomplete-capture", false, USE_COUNT, "it is not whole",
     "Capture again with a larger buffer (tcpdump -B), and see that both ways come by where it is made."},
    {"refused", true, 0, "connections were refused",
     "See whether the server runs and listens on that address and port (ss -ltn there), and whether a "
     "firewall rejects."},
    {"no-answer", true, 0, "nobody answered",
     "See whether the host is up, the address right, and what a firewall "
     "on the way drops; traceroute shows how far packets come."},
    {"unreachable", true, 0, "a host can't be reached",
     "See the route of whoever says so by ICMP, and its filters."},
    {"reset", true, 0, "connections were reset",
     "Look into the log of the program at the end that sent the reset."},
    {"no-such-neighbour", true, 0, "nobody on the link has the address",
     "See whether the host is up and on this link, and whether address and prefix length are right."},
    {"dns-no-such-name", true, 0, "a name has no address",
     "See whether the name is right; dig shows what its zone has."},
    {"dns-failure", true, 0, "a name server fails",
     "Ask another name server (--dns), and look into this one's log."},
    {"dns-refused", true, 0, "no name server is there", "See /etc/resolv.conf; --dns names another server."},
    {"dns-no-answer", true, 0, "a name server does not answer",
     "See /etc/resolv.conf; --dns names another server."},
    {"dns-slow", true, 0, "a name server is slow",
     "Ask another name server (--dns), or run one that caches."},
    {"dhcp-no-answer", true, 0, "no DHCP server answers",
     "Give an address by hand (--address), or see whether the "
     "server is on this link."},
};

static const struct meaning *meaning_of(const char *name) {
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strcmp(meanings[i].name, name) == 0)
            return &meanings[i];
    return NULL;
}

const char *verdict_advice(const char *name) {
    const struct meaning *meaning = meaning_of(name);
    return meaning ? meaning->advice : "";
}

static bool is_of_side(enum use use) {
    return use == USE_FIRST_WINDOW || use == USE_FIRST_IDLE;
}

/* The time that a finding of a connection cost. */
static uint64_t weigh(const struct connection *connection, const struct finding *finding) {
    const struct meaning *meaning = meaning_of(finding->name);
    if (!meaning)
        return 0;
    if (meaning->failure)
        return FAILURE_NS;
    if (meaning->use == USE_COUNT) /* nothing is known of the time */
        return 0;
    bool second = finding->side == 1;
    uint64_t ns = connection->triage.ns[meaning->use + (second && is_of_side(meaning->use))];
    if (finding->whose ==
        WHOSE_RECEIVER) /* while the window still takes what comes, it is the program's time */
        ns += connection->triage.ns[second ? USE_SECOND_IDLE : USE_FIRST_IDLE];
    return ns;
}

/* The findings of one name and owner, over all connections. */
struct sum {
    const struct meaning *meaning;
    const struct finding *first;
    enum whose whose;
    uint64_t ns, all_ns;           /* that they cost; of the connections that have them */
    const struct connection *last; /* that was counted */
    uint32_t connections, times;
};

static struct sum *sum_of(struct sum *sums, uint32_t *count, const struct finding *finding) {
    for (uint32_t i = 0; i < *count; i++)
        if (strcmp(sums[i].meaning->name, finding->name) == 0 && sums[i].whose == finding->whose)
            return &sums[i];
    const struct meaning *meaning = meaning_of(finding->name);
    if (!meaning || *count == NAMES_MAX)
        return NULL;
    sums[*count] = (struct sum){.meaning = meaning, .first = finding, .whose = finding->whose};
    return &sums[(*count)++];
}

static void add(struct sum *sums, uint32_t *count, const struct connection *connection,
                const struct finding *finding) {
    struct sum *sum = sum_of(sums, count, finding);
    if (!sum)
        return;
    sum->times += finding->count;
    bool again = connection && connection == sum->last; /* the other way: what has no side was counted */
    if (!again || is_of_side(sum->meaning->use))
        sum->ns += connection ? weigh(connection, finding) : FAILURE_NS;
    if (!connection || again)
        return;
    sum->last = connection;
    sum->connections++;
    sum->all_ns += connection->end_ns - connection->begin_ns;
}

static void note_moments(const struct report *report, const struct sum *sum, struct verdict *verdict) {
    for (uint32_t i = 0; i < report->count && verdict->moment_count < VERDICT_MOMENTS; i++) {
        const struct connection *connection = report->connections[i];
        for (uint32_t j = 0; j < connection->finding_count; j++) {
            const struct finding *finding = &connection->findings[j];
            if (strcmp(finding->name, sum->meaning->name) != 0 || finding->whose != sum->whose ||
                !finding->at_ns)
                continue;
            verdict->moments[verdict->moment_count++] = (struct moment){i, finding->at_ns};
            break;
        }
    }
}

/* A verdict on programs stands and falls with where the capture was made, and with its being whole. */
static void judge_sureness(const struct report *report, const struct sum *sum, struct verdict *verdict) {
    uint32_t incomplete = 0, placed = 0, told = 0;
    for (uint32_t i = 0; i < report->count; i++) {
        const struct connection *connection = report->connections[i];
        incomplete += connection->sides[0].unseen + connection->sides[1].unseen > 0;
        placed += connection->local >= 0;
        told += connection->sample_count > 0;
    }
    bool program = sum->whose == WHOSE_SENDER || sum->whose == WHOSE_RECEIVER;
    if (incomplete) {
        verdict->sure = "a guess";
        verdict->sure_why = "the capture is not whole";
    } else if (sum->meaning->failure) {
        verdict->sure = "sure";
        verdict->sure_why = "it was said, or nothing was, and the capture is whole";
    } else if (told) {
        verdict->sure = "sure";
        verdict->sure_why = "barewire's capture has what its own TCP knew";
    } else if (program && placed < report->count) {
        verdict->sure = "a guess";
        verdict->sure_why = "it can't be seen at which end the capture was made";
    } else if (sum->times < 3) {
        verdict->sure = "likely";
        verdict->sure_why = "it was seen only once or twice";
    } else {
        verdict->sure = "likely";
        verdict->sure_why = "told from the packets' times and numbers alone";
    }
}

static void say_nothing_wrong(const struct report *report, struct verdict *verdict) {
    *verdict = (struct verdict){.name = "", .whose = WHOSE_CAPTURE, .sure = "", .sure_why = "", .advice = ""};
    if (report->count == 0)
        snprintf(verdict->sentence, sizeof verdict->sentence, "There is no TCP connection in this capture.");
    else
        snprintf(verdict->sentence, sizeof verdict->sentence,
                 "Nothing is wrong: no loss, no closed window, no program that was waited for, in %u "
                 "connection%s.",
                 report->count, report->count == 1 ? "" : "s");
}

void verdict_of(const struct report *report, struct verdict *verdict) {
    static const char *const blamed[] = {"The network", "The sending program", "The receiving program",
                                         "A host", "The capture"};
    struct sum sums[NAMES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->finding_count; i++)
        add(sums, &count, NULL, &report->findings[i]);
    for (uint32_t i = 0; i < report->count; i++)
        for (uint32_t j = 0; j < report->connections[i]->finding_count; j++)
            add(sums, &count, report->connections[i], &report->connections[i]->findings[j]);
    say_nothing_wrong(report, verdict);
    if (!count)
        return;
    const struct sum *sum = &sums[0];
    for (uint32_t i = 1; i < count; i++)
        if (sums[i].ns > sum->ns || (sums[i].ns == sum->ns && sums[i].times > sum->times))
            sum = &sums[i];
    verdict->name = sum->meaning->name;
    verdict->whose = sum->whose;
    verdict->advice = sum->meaning->advice;
    bool slight = !sum->meaning->failure && sum->meaning->use != USE_COUNT && sum->ns < sum->all_ns / SLIGHT;
    int used = snprintf(verdict->sentence, sizeof verdict->sentence, "%s%s: %s",
                        slight ? "Little is wrong. " : "", blamed[sum->whose], sum->meaning->words);
    char *rest = verdict->sentence + used, which[80] = "";
    size_t room = sizeof verdict->sentence - (size_t)used;
    if (report->count > 1)
        snprintf(which, sizeof which, " in %u of %u connections", sum->connections, report->count);
    if (!sum->connections)
        snprintf(verdict->sentence, sizeof verdict->sentence, "%s.", sum->first->title);
    else if (sum->meaning->failure || sum->meaning->use == USE_COUNT)
        snprintf(rest, room, "%s.", which);
    else
        snprintf(rest, room, "%s; it cost %.1f ms, %.1f %% of %s time.", which, (double)sum->ns / MS,
                 sum->all_ns ? 100.0 * (double)sum->ns / (double)sum->all_ns : 0,
                 sum->connections == 1 ? "that connection's" : "their");
    judge_sureness(report, sum, verdict);
    note_moments(report, sum, verdict);
}

void verdict_uses(const struct connection *connection, char *text, size_t room) {
    const struct triage *triage = &connection->triage;
    uint64_t all_ns = 0;
    size_t used = 0;
    text[0] = 0;
    if (connection_is_incomplete(connection))
        return; /* what is not seen may have been sent meanwhile */
    for (int i = 0; i < USE_COUNT; i++)
        all_ns += triage->ns[i];
    for (uint64_t below = UINT64_MAX; used < room;) {
        int most = -1;
        for (int i = 0; i < USE_COUNT; i++)
            if (triage->ns[i] < below && triage->ns[i] * 20 >= all_ns && triage->ns[i] &&
                (most < 0 || triage->ns[i] > triage->ns[most]))
                most = i;
        if (most < 0)
            return;
        below = triage->ns[most];
        used +=
            (size_t)snprintf(text + used, room - used, "%s%.0f %% %s", used ? ", " : "",
                             100.0 * (double)triage->ns[most] / (double)all_ns, triage_name((enum use)most));
    }
}
