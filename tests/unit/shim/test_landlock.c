/* SPDX-License-Identifier: MIT */
/* What a keeper of root's can still reach. */
#include "shim/keeper/landlock.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], own[96], inside[128], outside[128];

static int refused(int result) {
    return result < 0 && (errno == EACCES || errno == EPERM);
}

/* In a child, since there is no way back. Its status is the number of the first line that is not so. */
static int look(void) {
    struct sockaddr_un door = {.sun_family = AF_UNIX};
    int socket_of_door = socket(AF_UNIX, SOCK_SEQPACKET, 0), open_before = open(outside, O_RDWR);
    snprintf(door.sun_path, sizeof door.sun_path, "%s/door", own);
    if (!landlock_restrict(own))
        return 77;
    if (!refused(open("/etc/passwd", O_RDONLY)) || !refused(open(outside, O_RDONLY)))
        return __LINE__;
    if (!refused(open(outside, O_WRONLY)) || !refused(unlink(outside)) || !refused(mkdir("/tmp/other", 0700)))
        return __LINE__;
    if (open_before < 0 || write(open_before, "x", 1) != 1)
        return __LINE__;
    if (open("/proc/self/status", O_RDONLY) < 0 || open("/proc/sys/kernel/random/boot_id", O_RDONLY) < 0)
        return __LINE__;
    if (open(inside, O_RDWR | O_CREAT, 0600) < 0 || unlink(inside))
        return __LINE__;
    if (bind(socket_of_door, (const struct sockaddr *)&door, sizeof door) || unlink(door.sun_path))
        return __LINE__;
    return rmdir(own) ? __LINE__ : 0;
}

static void keeper_of_roots_reaches_its_directory_and_proc_alone(void **state) {
    (void)state;
    int status;
    snprintf(folder, sizeof folder, "/tmp/barewire-landlock-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(own, sizeof own, "%s/own", folder);
    snprintf(inside, sizeof inside, "%s/key", own);
    snprintf(outside, sizeof outside, "%s/outside", folder);
    assert_int_equal(mkdir(own, 0700), 0);
    close(open(outside, O_RDWR | O_CREAT, 0600));
    pid_t pid = fork();
    if (pid == 0)
        _exit(look());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rmdir(own);
    unlink(outside);
    rmdir(folder);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* this kernel has no Landlock */
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeper_of_roots_reaches_its_directory_and_proc_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
