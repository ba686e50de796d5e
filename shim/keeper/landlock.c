/* SPDX-License-Identifier: MIT */
/*
 * landlock.c - see landlock.h, and landlock(7).
 *
 * A keeper of root's has no capability any more but owns what root owns: with its user alone it could read most
 * files of the machine and remove many. A plain user's keeper has that user's files, and is not restricted: Landlock
 * may keep a process from looking into others by /proc (ptrace(2)'s rules), as it must to see whether one of its
 * user's still has the region mapped; root's have capabilities, and a keeper without any can't look into those anyway.
 */
#include "shim/keeper/landlock.h"
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILES                                                                                             \
    (READS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
     LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* All that the first version of Landlock knows; later kernels refuse what these imply. */
#define KNOWN ((UINT64_C(1) << 13) - 1)

static bool allow(int rules, const char *path, uint64_t access) {
    struct landlock_path_beneath_attr below = {.allowed_access = access,
                                               .parent_fd = open(path, O_PATH | O_CLOEXEC | O_DIRECTORY)};
    bool added = below.parent_fd >= 0 &&
                 syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0;
    if (below.parent_fd >= 0)
        close(below.parent_fd);
    return added;
}

bool landlock_restrict(const char *directory) {
    struct landlock_ruleset_attr handled = {.handled_access_fs = KNOWN};
    char parent[256];
    const char *slash = strrchr(directory, '/');
    if (!slash || slash == directory || (size_t)(slash - directory) >= sizeof parent)
        return false;
    memcpy(parent, directory, (size_t)(slash - directory));
    parent[slash - directory] = 0;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    if (rules < 0)
        return false;
    bool restricted = allow(rules, directory, FILES) && allow(rules, "/proc", READS) &&
                      allow(rules, parent, LANDLOCK_ACCESS_FS_REMOVE_DIR) && /* the directory itself */
                      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                      syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    close(rules);
    return restricted;
}
