/* SPDX-License-Identifier: MIT */
/*
 * md5.h - the MD5 digest (RFC 1321), for TCP's old signatures only: it is no good for anything else any more.
 */
#ifndef STACK_BASE_MD5_H
#define STACK_BASE_MD5_H

#include <stddef.h>
#include <stdint.h>

#define MD5_BYTES 16

struct md5 {
    uint32_t state[4];
    uint64_t length;   /* bytes so far */
    uint8_t block[64]; /* those of the last that do not fill it yet */
};

void md5_begin(struct md5 *md5);
void md5_add(struct md5 *md5, const void *bytes, size_t length);
void md5_end(struct md5 *md5, uint8_t digest[MD5_BYTES]);

#endif
