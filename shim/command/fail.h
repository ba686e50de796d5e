/* SPDX-License-Identifier: MIT */
/*
 * fail.h - the command's last words.
 */
#ifndef SHIM_COMMAND_FAIL_H
#define SHIM_COMMAND_FAIL_H

#define STATUS_WRONG 2        /* an option is wrong, or the stack can't be had */
#define STATUS_NO_PROGRAM 126 /* what is named can't be executed */
#define STATUS_NOT_FOUND 127

/* Writes one line to standard error, "barewire: ..." with control characters made harmless, and exits. */
void fail_with(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* The same without exiting. */
void __attribute__((format(printf, 1, 2))) warn_user(const char *format, ...);

#define fail(...) fail_with(STATUS_WRONG, __VA_ARGS__)

#endif
