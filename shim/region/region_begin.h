/* SPDX-License-Identifier: MIT */
/*
 * region_begin.h - the beginning of a region: what lies in it beside the stack is empty. And why there is
 * none.
 */
#ifndef SHIM_REGION_REGION_BEGIN_H
#define SHIM_REGION_REGION_BEGIN_H

/* Makes the lists and pools of `shared`, whose stack has been made, and marks it as one of this version. */
void region_begin(void);

#define REGION_REASON_BYTES 160

/* Why the region can't be mapped, by mmap(2)'s errno; 0: its address is taken. */
void region_unmapped(int error, char reason[REGION_REASON_BYTES]);

#endif
