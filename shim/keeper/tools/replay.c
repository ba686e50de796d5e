/* SPDX-License-Identifier: MIT */
/*
 * replay.c - `barewire replay`: does again what a recording says was done with a stack, and tells what it did.
 *
 * The stack's own events say that (stack/trace.h): they are on in a replay, whatever they were in the recording.
 * To stop before the call in which something happens the replay is run until it has happened, and then anew to
 * the call before: so one steps back, too.
 */
#include "stack/replay.h"
#include "shim/keeper/tools/tool.h"
#include "shim/region/region.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES 256

static struct session {
    struct replay replay;
    const uint8_t *bytes;
    size_t size;
    char *memory;
    size_t memory_bytes;
    uint64_t event; /* the next to be told */
    struct tracing_flows flows;
    struct mib before; /* the last call */
    bool calls, quiet;
    bool happened; /* in the last call, what is waited for */
    enum replay_outcome outcome;
} session;

/* Where to stop. */
struct goal {
    uint64_t calls, time_ns; /* after so many; before that time */
    const char *event;       /* before the call in which it happens; NULL: none */
};

static const struct goal TO_THE_END = {UINT64_MAX, UINT64_MAX, NULL};

static int complain(const char *what, const char *why) {
    fprintf(stderr, "barewire: %s: %s\n", what, why);
    return 2;
}

static void restart(void) {
    madvise(session.memory, session.memory_bytes, MADV_DONTNEED);
    replay_begin(&session.replay, session.bytes, session.size, build_digest(), session.memory,
                 session.memory_bytes);
    memset(&session.flows, 0, sizeof session.flows);
    memset(&session.before, 0, sizeof session.before);
    session.event = 0;
    session.outcome = REPLAY_GOES_ON;
}

static double seconds(uint64_t now_ns) {
    return (double)(now_ns - session.replay.began_ns) / 1e9;
}

/* Whether a counter of that name has risen in the last call. */
static bool counter_rose(const char *name) {
    static const struct {
        const char *name;
        size_t at;
    } counters[] = {
#define NAMED(group, name) {#group #name, offsetof(struct mib, group##name)},
        MIB_COUNTERS(NAMED)
#undef NAMED
    };
    const struct mib *now = &session.replay.stack->mib;
    const char *known = strcmp(name, "tcp_retransmit") == 0 ? "TcpRetransSegs" : name;
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        if (strcmp(counters[i].name, known) == 0)
            return memcmp((const char *)now + counters[i].at, (const char *)&session.before + counters[i].at,
                          sizeof now->TcpRetransSegs) != 0;
    return false;
}

/* Tells of what the last call did, and looks whether that is what is waited for. */
static void tell_events(const char *wanted) {
    static char text[3 * TRACING_LINE_BYTES];
    struct trace *trace = &session.replay.stack->trace;
    struct trace_event event;
    for (; session.event < trace->next; session.event++) {
        char time[32];
        if (!trace_at(trace, session.event, &event))
            continue; /* one call did more than the ring holds */
        snprintf(time, sizeof time, "%12.6f", seconds(event.time_ns));
        size_t length =
            tracing_text(&event, TRACING_TCP | TRACING_IP | TRACING_ARP, time, &session.flows, text);
        text[length] = 0;
        session.happened |= wanted && length && strstr(text, wanted);
        if (!session.quiet)
            fwrite(text, 1, length, stdout);
    }
}

static void step(const char *wanted) {
    struct replay *replay = &session.replay;
    struct record_entry next;
    if (replay->stack)
        session.before = replay->stack->mib;
    session.happened =
        wanted && replay_next(replay, &next) && strcmp(replay_door_name(next.door), wanted) == 0;
    session.outcome = replay_step(replay);
    if (!replay->stack)
        return;
    if (session.calls && !session.quiet)
        printf("%12.6f call %llu %s\n", seconds(replay->entry.now_ns), (unsigned long long)replay->calls,
               replay_door_name(replay->entry.door));
    session.happened |= wanted && counter_rose(wanted);
    tell_events(wanted);
    replay->stack->trace.wanted = TRACE_TCP | TRACE_FRAMES;
}

static bool is_debugged(void) {
    char line[LINE_BYTES];
    int tracer = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && !tracer && fgets(line, sizeof line, status))
        sscanf(line, "TracerPid: %d", &tracer);
    if (status)
        fclose(status);
    return tracer != 0;
}

/* Goes on until the goal. False: it was not reached. */
static bool run(const struct goal *goal) {
    struct record_entry next;
    const struct replay *replay = &session.replay;
    while (session.outcome == REPLAY_GOES_ON && replay->calls < goal->calls) {
        if (goal->time_ns != UINT64_MAX && replay->stack && replay_next(replay, &next) &&
            next.now_ns - replay->began_ns > goal->time_ns)
            return true;
        step(goal->event);
        if (goal->event && session.happened)
            return true;
    }
    return replay->calls >= goal->calls;
}

/* To a call, without a word. */
static void go_to(uint64_t calls) {
    bool quiet = session.quiet;
    session.quiet = true;
    restart();
    run(&(struct goal){calls, UINT64_MAX, NULL});
    session.quiet = quiet;
}

static void tell_place(const char *why) {
    struct record_entry next;
    bool more = replay_next(&session.replay, &next);
    printf("%s after call %llu, at %.6f s, with %llu frames sent; next: %s\n", why,
           (unsigned long long)session.replay.calls,
           session.replay.stack ? seconds(session.replay.stack->now_ns) : 0.0,
           (unsigned long long)session.replay.frames, more ? replay_door_name(next.door) : "the end");
    fflush(stdout);
}

static void reach(const struct goal *goal) {
    bool reached = run(goal);
    if (session.outcome == REPLAY_GOES_ON && reached && goal->event) {
        go_to(session.replay.calls - 1);
        tell_place("stopped");
        if (is_debugged())
            raise(SIGTRAP); /* the next call is the one */
        return;
    }
    if (goal->event)
        printf("'%s' does not happen\n", goal->event);
    if (session.outcome == REPLAY_GOES_ON)
        tell_place("stopped");
}

static int tell_outcome(void) {
    const struct replay *replay = &session.replay;
    const char *message = replay->message;
    switch (session.outcome) {
    case REPLAY_GOES_ON:
        return 0;
    case REPLAY_ENDED:
        printf("%llu calls, %llu frames: the same left%s%s\n", (unsigned long long)replay->calls,
               (unsigned long long)replay->frames, *message ? "; the recording ends here: " : "", message);
        return 0;
    case REPLAY_DIVERGED:
        printf("the stack did something else: %s\n", message);
        return 1;
    case REPLAY_INVALID:
        break;
    }
    fflush(stdout);
    return complain("replay", message);
}

/* N, or a time with its unit. */
static bool parse_until(const char *text, struct goal *goal) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || value < 0 || value > 1e12)
        return false;
    if (strcmp(end, "s") == 0)
        goal->time_ns = (uint64_t)(value * 1e9 < 1e18 ? value * 1e9 : 1e18);
    else if (strcmp(end, "ms") == 0)
        goal->time_ns = (uint64_t)(value * 1e6);
    else
        goal->calls = (uint64_t)value;
    return *end == 0 || goal->time_ns != UINT64_MAX;
}

static void obey(const char *word, char *rest) {
    struct goal goal = TO_THE_END;
    uint64_t count = *rest ? strtoull(rest, NULL, 10) : 1, calls = session.replay.calls;
    if (strcmp(word, "next") == 0 || strcmp(word, "n") == 0) {
        goal.calls = calls + count;
        reach(&goal);
    } else if (strcmp(word, "back") == 0 || strcmp(word, "b") == 0) {
        go_to(calls > count ? calls - count : 0);
        tell_place("back");
    } else if (strcmp(word, "until") == 0 && parse_until(rest, &goal)) {
        if (goal.calls < calls)
            restart();
        reach(&goal);
    } else if (strcmp(word, "break") == 0 && *rest) {
        if (session.outcome == REPLAY_GOES_ON)
            step(NULL); /* it stands before what it stopped for last */
        goal.event = rest;
        reach(&goal);
    } else {
        puts("next [N], back [N], until N|TIME, break NAME, quit");
    }
    tell_outcome();
}

static int interact(void) {
    char line[LINE_BYTES];
    for (;;) {
        fputs("> ", stdout);
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
            break;
        line[strcspn(line, "\n")] = 0;
        char *rest = line + strcspn(line, " ");
        if (*rest)
            *rest++ = 0;
        if (strcmp(line, "quit") == 0 || strcmp(line, "q") == 0)
            break;
        obey(line, rest);
    }
    return 0;
}

static int open_recording(const char *path) {
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) < 0)
        return complain(path, strerror(errno));
    session.size = (size_t)status.st_size;
    void *bytes = session.size ? mmap(NULL, session.size, PROT_READ, MAP_PRIVATE, file, 0) : "";
    close(file);
    if (bytes == MAP_FAILED)
        return complain(path, strerror(errno));
    session.bytes = bytes;
    session.memory_bytes = replay_memory(bytes, session.size);
    char *mapped = mmap(NULL, session.memory_bytes + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return complain("the stack's memory", strerror(errno));
    session.memory = mapped + (-(uintptr_t)mapped & (ARENA_BLOCK_BYTES - 1));
    if (!replay_begin(&session.replay, bytes, session.size, build_digest(), session.memory,
                      session.memory_bytes))
        return complain(path, session.replay.message);
    return 0;
}

int tool_replay(int count, char **options) {
    struct goal goal = TO_THE_END;
    const char *path = NULL;
    bool interactive = false;
    for (int i = 0; i < count; i++) {
        const char *option = options[i];
        bool valued = strcmp(option, "--until") == 0 || strcmp(option, "--break") == 0;
        if (valued && i + 1 == count)
            return complain(option, "a value is wanted");
        if (strcmp(option, "--until") == 0) {
            if (!parse_until(options[++i], &goal))
                return complain(options[i], "give the number of a call, or a time such as 1.5s or 20ms");
        } else if (strcmp(option, "--break") == 0)
            goal.event = options[++i];
        else if (strcmp(option, "--calls") == 0)
            session.calls = true;
        else if (strcmp(option, "--quiet") == 0)
            session.quiet = true;
        else if (strcmp(option, "--interactive") == 0)
            interactive = true;
        else if (*option == '-' || path)
            return complain(option, "'barewire replay --help' says what it takes");
        else
            path = option;
    }
    if (!path)
        return complain("replay", "give the file that --record has written");
    int error = open_recording(path);
    if (error)
        return error;
    restart();
    if (!interactive || goal.event || goal.calls != UINT64_MAX || goal.time_ns != UINT64_MAX)
        reach(&goal);
    int result = tell_outcome();
    return interactive ? interact() : result;
}
