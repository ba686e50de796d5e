/*
 * program.h - whether a program can be taken over.
 */
#ifndef SHIM_PROGRAM_H
#define SHIM_PROGRAM_H

#include <stddef.h>

/* Why the loader will not load a library into the program of a file: NULL when it will, or when that can't be
 * told. A script is what its interpreter is. */
const char *program_out_of_reach(const char *path);

/* The ELF file that the kernel runs for a program: itself, or its interpreter; of a script that env(1) finds
 * an interpreter for, that; /bin/sh for what is neither. `room` has PATH_MAX bytes. */
const char *program_image(const char *path, char *room);

/* Finds a program's file as execvp(3) does. Returns `name` or `room`, which has PATH_MAX bytes, or NULL. */
const char *program_find(const char *name, char *room);

#endif
