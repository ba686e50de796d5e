/* SPDX-License-Identifier: MIT */
/*
 * installation.c - see installation.h.
 */
#include "shim/command/installation.h"
#include "shim/command/fail.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static char here[PATH_MAX], library[LIBRARY_FOLDER_MAX];

/* The folder of the command itself, behind all links. */
static void find_here(void) {
    const char *started = (const char *)getauxval(AT_EXECFN); /* where there is no /proc */
    ssize_t length = readlink("/proc/self/exe", here, sizeof here - 1);
    if (length > 0)
        here[length] = 0;
    else if (!started || !realpath(started, here))
        fail("can't find out where this program lies: %s", strerror(errno));
    char *slash = strrchr(here, '/');
    if (*here != '/' || !slash)
        fail("can't find out where this program lies");
    *slash = 0;
}

static bool is_library(const char *folder, const char *below) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s/" LIBRARY_NAME, folder, below);
    if (length >= LIBRARY_FOLDER_MAX || access(path, F_OK) < 0)
        return false;
    snprintf(library, sizeof library, "%s%s", folder, below);
    return true;
}

/* The variable's folder is made absolute: the program may change its own. */
static bool is_named(const char *folder) {
    char whole[PATH_MAX];
    return folder && *folder && realpath(folder, whole) && is_library(whole, "");
}

static void check_library(void) {
    char path[PATH_MAX];
    if (library[strcspn(library, " \t\n:")])
        fail("%s can't be preloaded: LD_PRELOAD has no place for a path with a blank or a colon in it; move "
             "it, or "
             "name another folder by BAREWIRE_LIBRARY",
             library);
    if (access(installation_file("barewire-plain", path), X_OK) < 0 &&
        access(installation_file("barewire-keeper", path), X_OK) < 0)
        fail("barewire-keeper is not in %s, where " LIBRARY_NAME " is", library);
}

const char *installation_library(void) {
    char above[PATH_MAX];
    if (*library)
        return library;
    find_here();
    snprintf(above, sizeof above, "%s", here);
    char *slash = strrchr(above, '/');
    if (slash)
        *slash = 0;
    if (!is_named(getenv("BAREWIRE_LIBRARY")) && !is_library(here, "") && !is_library(above, "/lib/barewire"))
        fail(LIBRARY_NAME " is neither in %s nor in %s/lib/barewire; 'make' builds it", here, above);
    check_library();
    return library;
}

char *installation_file(const char *name, char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s/%s", installation_library(), name);
    return path;
}

char *installation_tool(char path[PATH_MAX]) {
    return access(installation_file("barewire-plain", path), X_OK) == 0
               ? path
               : installation_file("barewire-keeper", path);
}

char *installation_lab(char path[PATH_MAX]) {
    if (access(installation_file("lab", path), X_OK) == 0)
        return path;
    int length = snprintf(path, PATH_MAX, "%s/../scripts/lab", here);
    if (length >= PATH_MAX || access(path, X_OK) < 0)
        fail("the lab's script is neither in %s nor in %s/../scripts", library, here);
    return path;
}
