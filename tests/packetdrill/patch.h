/* SPDX-License-Identifier: MIT */
/*
 * patch.h - puts a function in the place of one that the main program imports.
 */
#ifndef TESTS_PACKETDRILL_PATCH_H
#define TESTS_PACKETDRILL_PATCH_H

/* Whoever in the main program calls `name` calls `replacement` from now on. Nothing happens when it does not
 * import it. */
void patch_import(const char *name, void *replacement);

#endif
