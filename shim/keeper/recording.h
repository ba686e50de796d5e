/* SPDX-License-Identifier: MIT */
/*
 * recording.h - the file of --record, to which the keeper writes what the stack's doors have noted (stack/record.h).
 */
#ifndef SHIM_KEEPER_RECORDING_H
#define SHIM_KEEPER_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

/* Opens the file. False: it can't be written; errno says why. */
bool recording_open(const char *path);

/* Begins, before the stack is made, if there is a file. Returns how many bytes of the region's end it takes. */
uint64_t recording_begin(void);

/* Starts the thread that writes the file. Returns 0 or a negative errno. */
int recording_start(void);

/* Writes the rest. */
void recording_finish(void);

#endif
