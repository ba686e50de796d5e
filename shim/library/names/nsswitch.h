/* SPDX-License-Identifier: MIT */
/*
 * nsswitch.h - which sources know a host's name, and in which order: the line "hosts" of /etc/nsswitch.conf
 * (nsswitch.conf(5)).
 */
#ifndef SHIM_LIBRARY_NAMES_NSSWITCH_H
#define SHIM_LIBRARY_NAMES_NSSWITCH_H

#include <nss.h>
#include <stdbool.h>

#define NSSWITCH_SOURCES_MAX 16
#define NSSWITCH_NAME_BYTES 32

struct nsswitch_source {
    char name[NSSWITCH_NAME_BYTES];
    bool ends[NSS_STATUS_SUCCESS - NSS_STATUS_TRYAGAIN + 1]; /* by status, from NSS_STATUS_TRYAGAIN on */
};

struct nsswitch {
    int count;
    struct nsswitch_source sources[NSSWITCH_SOURCES_MAX];
};

/* Reads the file's line for hosts; "files dns" where there is none, as glibc has it. */
void nsswitch_read(struct nsswitch *nsswitch);

/* The same of a line's text, after "hosts:". False: it makes no sense. */
bool nsswitch_parse(const char *line, struct nsswitch *nsswitch);

/* Whether the search is over when a source has answered so. */
static inline bool nsswitch_ends(const struct nsswitch_source *source, enum nss_status status) {
    return source->ends[status - NSS_STATUS_TRYAGAIN];
}

#endif
