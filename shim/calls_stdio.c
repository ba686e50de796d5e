/*
 * calls_stdio.c - fdopen(3), and the standard streams, over sockets of ours.
 *
 * libc's streams read and write from inside libc, where no interposer sees them. So a stream over one of our
 * sockets has functions of its own (fopencookie(3)) that come back to our calls; and when descriptor 0, 1 or
 * 2 is ours, because it was inherited or put there by dup2, the variables stdin, stdout and stderr name such
 * streams.
 */
#include "call.h"
#include "streams.h"
#include <stdio.h>

static ssize_t stream_read(void *cookie, char *buffer, size_t length) {
    return read((int)(intptr_t)cookie, buffer, length);
}

static ssize_t stream_write(void *cookie, const char *buffer, size_t length) {
    size_t written = 0;
    while (written < length) {
        ssize_t result = write((int)(intptr_t)cookie, buffer + written, length - written);
        if (result < 0)
            return written ? (ssize_t)written : 0; /* fopencookie(3): 0 is an error */
        written += (size_t)result;
    }
    return (ssize_t)written;
}

static int stream_close(void *cookie) {
    return close((int)(intptr_t)cookie);
}

static FILE *stream_open(int fd, const char *mode) {
    static const cookie_io_functions_t functions = {
        .read = stream_read, .write = stream_write, .close = stream_close};
    FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);
    if (stream)
        stream->_fileno = fd; /* for fileno(3) */
    return stream;
}

EXPORT FILE *fdopen(int fd, const char *mode) {
    return descriptor_socket(fd) ? stream_open(fd, mode) : LIBC(fdopen)(fd, mode);
}

static FILE **const standard[] = {&stdin, &stdout, &stderr};
static FILE *original[3], *ours[3];

void stdio_follow(int fd) {
    if (fd < 0 || fd > 2)
        return;
    bool wanted = descriptor_socket(fd);
    bool active = ours[fd] && *standard[fd] == ours[fd];
    if (wanted && !active) {
        if (!ours[fd]) {
            ours[fd] = stream_open(fd, fd == 0 ? "r" : "w");
            if (!ours[fd])
                return;
            if (fd == 2)
                setvbuf(ours[fd], NULL, _IONBF, 0);
        }
        original[fd] = *standard[fd];
        *standard[fd] = ours[fd];
    } else if (!wanted && active) {
        *standard[fd] = original[fd];
    }
}

void stdio_flush(void) {
    for (int fd = 1; fd <= 2; fd++)
        if (ours[fd] && descriptor_socket(fd))
            fflush(ours[fd]);
}
