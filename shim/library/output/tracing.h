/* SPDX-License-Identifier: MIT */
/*
 * tracing.h - --trace: a line an event, of the program's calls and of what the stack does, as strace(1) and
 * tcpdump(8) write them.
 *
 * The calls are noted here, by whoever makes them. The stack's events lie in its ring (stack/trace.h); each
 * is written once, by whichever traced process comes by next, without the lock.
 */
#ifndef SHIM_LIBRARY_OUTPUT_TRACING_H
#define SHIM_LIBRARY_OUTPUT_TRACING_H

#include "shim/region/tracing_text.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

extern unsigned tracing; /* enum tracing_group: what is wanted */

/* What a call that has begun is; it is told of with its result. */
struct tracing_call {
    bool pending;
    unsigned long long begun_ns;
    char text[200];
    const struct iovec
        *data; /* that will be there when it has succeeded: shown in place of '@' in the text */
    struct iovec piece;
};

extern __thread struct tracing_call tracing_call __attribute__((tls_model("initial-exec")));

/* Begins: reads BAREWIRE_TRACE (what is wanted was checked by config.c). The stack is attached. */
void tracing_start(void);

/* A call of the program's on a descriptor of ours begins. With `data` '@' in the text is what it will have
 * read. */
void tracing_begin(void *data, size_t length, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define TRACE(...)                               \
    do                                           \
        if (__builtin_expect(tracing, 0))        \
            tracing_begin(NULL, 0, __VA_ARGS__); \
    while (0)
#define TRACE_DATA(data, length, ...)                     \
    do                                                    \
        if (__builtin_expect(tracing, 0))                 \
            tracing_begin((data), (length), __VA_ARGS__); \
    while (0)

/* ... and ends; a negative result is an errno. Called by call_result. */
void tracing_end(long result);

/* Memory for the text of an argument: one of four, in turn. */
#define TRACING_TEXT_BYTES 160
char *tracing_buffer(void);

/* The text for an argument: bytes of the program's as in a string of C, an address of the caller's own. In
 * such a buffer. */
const char *tracing_bytes(const void *bytes, size_t length);
const char *tracing_address(const void *address, unsigned length);

/* The same of the program's own memory, which may not be there: an iovec, shown by its first piece; an
 * address that was told. */
const char *tracing_pieces(const struct iovec *pieces, int count);
const char *tracing_given(const void *address, const unsigned *length);

/* "SOL_SOCKET, SO_ERROR"; "F_SETFL"; "FIONREAD": the number where there is no name (tracing_names.c). What an
 * option's value is: "[1]", or bytes. */
const char *tracing_option(int level, int name);
const char *tracing_command(int command);
const char *tracing_request(unsigned long request);
const char *tracing_value(const void *value, unsigned length);

/* Writes what the stack has noted since. The lock is not held. */
void tracing_show(void);

#endif
