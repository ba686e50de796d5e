/* SPDX-License-Identifier: MIT */
/*
 * boot_key.h - the key of a boot, by which the stacks of one user and one boot have TCP's numbers go on
 * where the stack before them ended: see stack_config.key and tcp_isn.h.
 */
#ifndef SHIM_KEEPER_BOOT_KEY_H
#define SHIM_KEEPER_BOOT_KEY_H

#include <stdbool.h>
#include <stdint.h>

#define KEEPER_KEY_BYTES 16

/* Reads the key from the user's file in the directory of his stacks; makes one when there is none of this
 * boot. False: there can be none (the directory is full, or /proc is not there), key is all zero, and the
 * stack has one of its own.
 */
bool keeper_key(const char *directory, uint8_t key[KEEPER_KEY_BYTES]);

#endif
