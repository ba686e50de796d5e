/* SPDX-License-Identifier: MIT */
/*
 * image.h - what the file of a program or a library says about how it makes its system calls.
 */
#ifndef SHIM_KEEPER_TOOLS_IMAGE_H
#define SHIM_KEEPER_TOOLS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

struct image {
    bool go;           /* has a note of Go's */
    bool loads;        /* calls dlopen(3) or dlmopen(3) */
    bool rings;        /* asks for an io_uring */
    size_t text_bytes; /* of its executable segments */
    unsigned
        instructions; /* that make system calls which may concern a socket, or whose number is not known */
    unsigned irreplaceable; /* of these: no jump can take their place (syscall_site.h) */
    unsigned late;          /* the others, but those that may be replaced while other threads are there */
    bool opens;             /* one of the instructions makes sockets, or its number is not known */
};

/* Reads an ELF file of 64 bits. False: it can't be read, or is none; errno says which (ENOEXEC). */
bool image_read(const char *path, struct image *image);

#endif
