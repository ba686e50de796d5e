/* SPDX-License-Identifier: MIT */
/*
 * tracing.c - see tracing.h.
 */
#include "shim/library/output/tracing.h"
#include "shim/library/fd/fd_table.h"
#include "shim/library/output/messages.h"
#include "shim/library/process/attach.h"
#include "shim/library/user_memory.h"
#include "shim/region/libc.h"
#include "shim/region/lock.h"
#include "shim/region/tracing_text.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define SHOWN_BYTES 32 /* of data, as strace(1) */

unsigned tracing;
__thread struct tracing_call tracing_call;

static int output = -1;

void tracing_start(void) {
    if (!attach_config.trace || tracing)
        return;
    output = -1;
    if (attach_config.trace_file[0]) {
        int file = open(attach_config.trace_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (file < 0)
            attach_fail("can't write -o %s: %s", attach_config.trace_file, strerror(errno));
        output = descriptor_make_private(file);
    }
    region_enter();
    unsigned before = shared->stack.trace.wanted;
    shared->stack.trace.wanted |=
        (attach_config.trace & TRACING_TCP ? TRACE_TCP : 0) |
        (attach_config.trace & (TRACING_TCP | TRACING_IP | TRACING_ARP | TRACING_FRAME) ? TRACE_FRAMES : 0);
    if (!before)
        shared->trace_shown = shared->stack.trace.next;
    region_leave();
    tracing = attach_config.trace;
    shared_traced = tracing_show;
}

static void put(const char *text, size_t length) {
    if (output < 0)
        messages_write(text, length);
    else if (LIBC(write)(output, text, length) < 0)
        return; /* the file is full */
}

static void format_time(uint64_t time_ns, char *text, size_t room) {
    static _Atomic uint64_t offset;
    if (!offset)
        offset = clock_realtime_offset();
    uint64_t real_ns = time_ns + offset;
    time_t seconds = (time_t)(real_ns / 1000000000);
    struct tm local;
    localtime_r(&seconds, &local);
    snprintf(text, room, "%02d:%02d:%02d.%06u", local.tm_hour, local.tm_min, local.tm_sec,
             (unsigned)(real_ns % 1000000000 / 1000));
}

char *tracing_buffer(void) {
    static __thread char texts[4][TRACING_TEXT_BYTES] __attribute__((tls_model("initial-exec")));
    static __thread unsigned next __attribute__((tls_model("initial-exec")));
    return texts[next++ % 4];
}

const char *tracing_bytes(const void *bytes, size_t length) {
    char *text = tracing_buffer(), *at = text;
    unsigned char from[SHOWN_BYTES];
    if (user_read(from, bytes, length < sizeof from ? length : sizeof from)) {
        snprintf(text, TRACING_TEXT_BYTES, "%p", bytes);
        return text;
    }
    *at++ = '"';
    for (size_t i = 0; i < length && i < SHOWN_BYTES; i++) {
        const char *special = from[i] ? strchr("\n\r\t\\\"", from[i]) : NULL;
        if (special)
            at += sprintf(at, "\\%c", "nrt\\\""[special - "\n\r\t\\\""]);
        else if (from[i] >= 32 && from[i] < 127)
            *at++ = (char)from[i];
        else
            at += sprintf(at, "\\%o", from[i]);
    }
    strcpy(at, length > SHOWN_BYTES ? "\"..." : "\"");
    return text;
}

const char *tracing_address(const void *address, unsigned length) {
    const struct sockaddr *any = address;
    char *text = tracing_buffer(), numbers[INET6_ADDRSTRLEN] = "?";
    if (!any || length < sizeof any->sa_family)
        return "NULL";
    if (any->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *in = address;
        inet_ntop(AF_INET, &in->sin_addr, numbers, sizeof numbers);
        snprintf(text, TRACING_TEXT_BYTES, "%s:%u", numbers, ntohs(in->sin_port));
    } else if (any->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        const struct sockaddr_in6 *in6 = address;
        inet_ntop(AF_INET6, &in6->sin6_addr, numbers, sizeof numbers);
        snprintf(text, TRACING_TEXT_BYTES, "[%s]:%u", numbers, ntohs(in6->sin6_port));
    } else {
        snprintf(text, TRACING_TEXT_BYTES, "{family %u}", any->sa_family);
    }
    return text;
}

const char *tracing_pieces(const struct iovec *pieces, int count) {
    char *text = tracing_buffer();
    struct iovec first = {NULL, 0};
    if (count > 0 && user_read(&first, pieces, sizeof first))
        snprintf(text, TRACING_TEXT_BYTES, "%p", (const void *)pieces);
    else
        snprintf(text, TRACING_TEXT_BYTES, count > 1 ? "[%s, ...]" : "[%s]",
                 tracing_bytes(first.iov_base, first.iov_len));
    return text;
}

const char *tracing_given(const void *address, const unsigned *length) {
    struct sockaddr_storage copy;
    unsigned bytes = 0;
    if (user_read(&bytes, length, sizeof bytes) ||
        user_read(&copy, address, bytes < sizeof copy ? bytes : sizeof copy))
        return "...";
    return tracing_address(&copy, bytes < sizeof copy ? bytes : sizeof copy);
}

void tracing_begin(void *data, size_t length, const char *format, ...) {
    struct tracing_call *call = &tracing_call;
    int saved = errno;
    va_list arguments;
    if (!(tracing & TRACING_CALL))
        return;
    va_start(arguments, format);
    vsnprintf(call->text, sizeof call->text, format, arguments);
    va_end(arguments);
    call->piece = (struct iovec){data, length};
    call->data = data ? &call->piece : NULL;
    call->begun_ns = clock_now();
    call->pending = true;
    errno = saved;
}

void tracing_end(long result) {
    struct tracing_call *call = &tracing_call;
    char time[32], line[600], value[80];
    int saved = errno;
    call->pending = false;
    if (result < 0)
        snprintf(value, sizeof value, "-1 %s (%s)",
                 strerrorname_np((int)-result) ? strerrorname_np((int)-result) : "?", strerror((int)-result));
    else
        snprintf(value, sizeof value, "%ld", result);
    const char *hole = call->data ? strchr(call->text, '@') : NULL;
    const char *shown =
        !hole ? ""
        : result < 0
            ? "..."
            : tracing_bytes(call->data->iov_base,
                            (size_t)result < call->data->iov_len ? (size_t)result : call->data->iov_len);
    int before = hole ? (int)(hole - call->text) : (int)strlen(call->text);
    format_time(call->begun_ns, time, sizeof time);
    int length = snprintf(line, sizeof line, "%s call  [%d] %.*s%s%s = %s <%.6f>\n", time,
                          (int)LIBC(syscall)(SYS_gettid), before, call->text, shown, hole ? hole + 1 : "",
                          value, (double)(clock_now() - call->begun_ns) / 1e9);
    tracing_show();
    put(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
    errno = saved;
}

/* Takes the next event for this process. */
static bool take_next(struct trace_event *event) {
    for (;;) {
        uint64_t number = shared->trace_shown;
        if (number >= shared->stack.trace.next)
            return false;
        bool there = trace_at(&shared->stack.trace, number, event);
        uint64_t oldest =
            shared->stack.trace.next > TRACE_EVENTS ? shared->stack.trace.next - TRACE_EVENTS : 0;
        uint64_t after = there ? number + 1 : oldest > number ? oldest : number + 1;
        if (!atomic_compare_exchange_strong(&shared->trace_shown, &number, after))
            continue; /* somebody else has it */
        if (there)
            return true;
        char text[80];
        int length = snprintf(text, sizeof text, "barewire: %llu events came too fast to be traced\n",
                              (unsigned long long)(after - number));
        put(text, (size_t)length);
    }
}

void tracing_show(void) {
    struct trace_event event;
    char time[32], text[3 * TRACING_LINE_BYTES];
    int saved = errno;
    while (take_next(&event)) {
        format_time(event.time_ns, time, sizeof time);
        size_t length = tracing_text(&event, tracing, time, &shared->trace_flows, text);
        if (length > 0)
            put(text, length);
    }
    errno = saved;
}
