/* SPDX-License-Identifier: MIT */
/*
 * instruction.h - where instructions of x86-64 begin and end.
 *
 * The two bytes of a system-call instruction, 0f 05, also occur inside of other instructions, as parts of
 * addresses and constants: ten times as often as real ones in a library that has none. Who wants to know
 * whether a program has any must read its text instruction by instruction.
 */
#ifndef SHIM_REGION_INSTRUCTION_H
#define SHIM_REGION_INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the instruction at `code`, of which `room` bytes are there: 1 to 15; 0: it is none, or does
 * not end within them. (Intel's manual, volume 2, chapter 2 and appendix A.) */
unsigned instruction_length(const uint8_t *code, size_t room);

/* Calls `visit` for every instruction of a text in turn. Where bytes are none, one is skipped. */
void instruction_walk(const uint8_t *text, size_t bytes,
                      void (*visit)(const uint8_t *instruction, unsigned length, void *context),
                      void *context);

static inline bool instruction_is_syscall(const uint8_t *instruction, unsigned length) {
    return length == 2 && instruction[0] == 0x0f && instruction[1] == 0x05;
}

#endif
