/* SPDX-License-Identifier: MIT */
/*
 * target.h - what the fuzz targets share: a stack in a region of its own, made anew for each input.
 */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include "stack/stack.h"

#define TARGET_ADDRESS 0x0a4d000au /* 10.77.0.10 */
#define TARGET_PEER 0x0a4d0002u
#define SECOND UINT64_C(1000000000)

#define TARGET_ADDRESS6              \
    {                                \
        .bytes = { 0xfd, [15] = 10 } \
    }
#define TARGET_PEER6                \
    {                               \
        .bytes = { 0xfd, [15] = 2 } \
    }

extern uint64_t target_now;

/* Makes a stack at the start of zeroed memory, of which it leaves so many bytes alone. */
struct stack *target_create(void *start, size_t bytes, size_t reserved, uint32_t address);

/* A new stack; the one before is gone. */
struct stack *target_stack(uint32_t address);

/* Gives it an IP packet of the peer's, whose header's options, if its length is more than 20, and payload
 * stand in their places after the Ethernet header of `frame`; writes the rest of both headers. */
void target_packet(struct stack *stack, uint8_t *frame, uint8_t protocol, uint32_t destination,
                   uint32_t header_length, uint32_t length);

/* Gives it a frame. */
void target_input(struct stack *stack, const uint8_t *bytes, size_t length);

/* A copy of bytes, in memory that begins anew at each call, with nothing behind them that may be read. It is
 * aligned to four bytes, so that up to three zeroes may be. */
uint8_t *target_guarded(const uint8_t *bytes, size_t length);

/* Lets time pass, timer by timer; what is sent goes nowhere. */
void target_run(struct stack *stack, uint64_t ns);

/* Ends the program when that is not so. */
void target_expect(bool true_now, const char *what);

/* Nothing is left of an input: all sockets are closed, and time has passed. */
void target_end(struct stack *stack);

#endif
