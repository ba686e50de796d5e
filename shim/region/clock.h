/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the stack's time: one for all its processes.
 *
 * It is the keeper's CLOCK_MONOTONIC. A program may be told another time than the kernel's, by a library that
 * is preloaded, too; so the kernel is asked where no library is in between, in its vDSO (vdso(7)). And a
 * process may be in a time namespace of its own (time_namespaces(7)): when it joins the stack it finds out by
 * how much its clock differs from the keeper's.
 */
#ifndef SHIM_REGION_CLOCK_H
#define SHIM_REGION_CLOCK_H

#include <stdint.h>

/* Finds the vDSO. Called when the program begins; what is asked before then is a system call. */
void clock_begin(void);

/* The stack's time in nanoseconds. */
uint64_t clock_now(void);

/* The time of day, in nanoseconds since 1970; and by how many it is ahead of clock_now. */
uint64_t clock_realtime(void);
uint64_t clock_realtime_offset(void);

/* What this process's CLOCK_MONOTONIC says when it is so late by the stack's time. */
uint64_t clock_own(uint64_t stack_ns);

/* The process joins a stack: when it asked, when it was answered (both by clock_now), and what the keeper's
 * clock_now and clock_realtime_offset said in between. */
void clock_join(uint64_t asked_ns, uint64_t answered_ns, uint64_t keeper_ns, uint64_t keeper_realtime_offset);

/* In a child, which may be in another time namespace than its parent: when the parent was about to fork. */
void clock_forked(uint64_t before_ns);

#endif
