/* SPDX-License-Identifier: MIT */
/*
 * sanitizer.c - programs, and this library, built with AddressSanitizer.
 *
 * AddressSanitizer's runtime, where it is a shared library (gcc's default), refuses to run behind any other
 * library: it wants to be the first whose functions are found. Behind this one it works all the same: what it
 * watches of the calls that we take over it sees when they go on to libc. It asks for its options by this
 * name, whoever has it; a program's own comes before ours, and ASAN_OPTIONS is read after it.
 *
 * Where this library is built with one (make SAN=asan), what leaks is the program's.
 */
#include "shim/region/libc.h"

const char *__asan_default_options(void);

EXPORT const char *__asan_default_options(void) {
#ifdef __SANITIZE_ADDRESS__
    return "verify_asan_link_order=0:detect_leaks=0";
#else
    return "verify_asan_link_order=0";
#endif
}
