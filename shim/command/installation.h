/* SPDX-License-Identifier: MIT */
/*
 * installation.h - where the library and the other programs are: beside the command in a checkout (build/), in
 * ../lib/barewire of an installation, or where BAREWIRE_LIBRARY says.
 */
#ifndef SHIM_COMMAND_INSTALLATION_H
#define SHIM_COMMAND_INSTALLATION_H

#include <limits.h>

#define LIBRARY_NAME "libbarewire.so"
#define LIBRARY_FOLDER_MAX (PATH_MAX - 32) /* leaves room for the names in it */

/* The folder of the library, an absolute path. Fails if there is none, or no keeper beside it. */
const char *installation_library(void);

/* Writes the path of a file in that folder. Returns `path`. */
char *installation_file(const char *name, char path[PATH_MAX]);

/* Writes the path of the keeper's program for what needs no rights. A package has one for everybody, and one with
 * the right to open raw interfaces for a group alone. Returns `path`. */
char *installation_tool(char path[PATH_MAX]);

/* Writes the path of the lab's script. Fails if there is none. Returns `path`. */
char *installation_lab(char path[PATH_MAX]);

#endif
