/* SPDX-License-Identifier: MIT */
/*
 * tsan_first.c - begins ThreadSanitizer's runtime before any library's constructor runs (-z initfirst): one
 * of those may make a call that libbarewire.so takes over, and that is instrumented (make SAN=tsan).
 */
void __tsan_init(void);

__attribute__((constructor)) static void begin(void) {
    __tsan_init();
}
