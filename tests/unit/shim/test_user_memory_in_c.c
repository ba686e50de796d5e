/* SPDX-License-Identifier: MIT */
/*
 * test_user_memory_in_c.c - the same of the copy that is made in C, for machines that have no other.
 */
#define USER_COPY_IN_C
#define user_read user_read_in_c
#define user_write user_write_in_c
#define user_memory_fault user_memory_fault_in_c
#define user_memory_mask_changed user_memory_mask_changed_in_c
#include "shim/library/user_memory.c"

#include "tests/unit/shim/test_user_memory.c"
