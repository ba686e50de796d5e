/* SPDX-License-Identifier: MIT */
/*
 * boot_key.c - see boot_key.h. The file has the boot's identity, then the key. Its name begins with a
 * dot, as no stack's does.
 */
#include "shim/keeper/boot_key.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_BYTES 36 /* a UUID as text */

struct content {
    char boot[BOOT_BYTES];
    uint8_t key[KEEPER_KEY_BYTES];
};

static bool read_boot(char boot[BOOT_BYTES]) {
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    bool good = file >= 0 && read(file, boot, BOOT_BYTES) == BOOT_BYTES;
    if (file >= 0)
        close(file);
    return good;
}

/* Nobody else may have written it, nor may read it. */
static bool ours_alone(int file) {
    struct stat status;
    return fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & 077) == 0;
}

/* The file is open, and locked. */
static bool read_key(int file, uint8_t key[KEEPER_KEY_BYTES]) {
    struct content now = {0}, there;
    if (!ours_alone(file) || !read_boot(now.boot))
        return false;
    bool whole = pread(file, &there, sizeof there, 0) == sizeof there;
    if (!whole || memcmp(there.boot, now.boot, BOOT_BYTES) != 0) {
        there = now;
        if (getrandom(there.key, sizeof there.key, 0) != sizeof there.key ||
            pwrite(file, &there, sizeof there, 0) != sizeof there)
            return false;
    }
    memcpy(key, there.key, sizeof there.key);
    return true;
}

bool keeper_key(const char *directory, uint8_t key[KEEPER_KEY_BYTES]) {
    char path[PATH_MAX];
    memset(key, 0, KEEPER_KEY_BYTES);
    snprintf(path, sizeof path, "%s/.key", directory);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return false;
    bool taken = flock(file, LOCK_EX) == 0 && read_key(file, key);
    close(file);
    return taken;
}
