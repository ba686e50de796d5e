/*
 * streams.h - streams over our sockets.
 */
#ifndef SHIM_STREAMS_H
#define SHIM_STREAMS_H

/* Descriptor 0, 1 or 2 may have become ours, or have ceased to be: lets stdin, stdout or stderr follow. */
void stdio_follow(int fd);

/* Writes out what the standard streams over our sockets hold. */
void stdio_flush(void);

#endif
