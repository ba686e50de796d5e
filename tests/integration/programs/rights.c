/* SPDX-License-Identifier: MIT */
/*
 * rights.c - gives up rights or places, one after another, before it opens its first socket; then downloads
 * /1K from 10.77.0.2:8080 and prints how many bytes came.
 *
 *   rights [WHAT...]     WHAT: see STEPS; after "exec" or "fork" it goes on in another program, or in a child
 *
 * With "socket" it opens a connection first, which it uses at the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

int capset(cap_user_header_t header, const cap_user_data_t data);

static int connection = -1;

static int reach(void) {
    struct sockaddr_in server = {
        .sin_family = AF_INET, .sin_port = htons(8080), .sin_addr.s_addr = inet_addr("10.77.0.2")};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) < 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

static int drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    return capset(&header, none);
}

static int away(void) {
    char folder[] = "/tmp/rights-XXXXXX";
    if (!mkdtemp(folder) || chroot(folder) < 0 || chdir("/") < 0)
        return -1;
    return 0;
}

static int filter(void) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog all = {sizeof program / sizeof *program, program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
               ? -1
               : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all, 0, 0);
}

static void *change_thread(void *unused) {
    (void)unused;
    if (syscall(SYS_setresuid, NOBODY, NOBODY, -1) < 0)
        return "setresuid";
    connection = reach();
    return NULL;
}

static int in_thread(void) {
    pthread_t thread;
    void *failed;
    return pthread_create(&thread, NULL, change_thread, NULL) || pthread_join(thread, &failed) || failed ? -1
                                                                                                         : 0;
}

static int back(void) {
    return seteuid(NOBODY) < 0 || seteuid(0) < 0 ? -1 : 0;
}

static int step(const char *what) {
    const gid_t group = NOBODY;
    if (strcmp(what, "setuid") == 0)
        return setuid(NOBODY);
    if (strcmp(what, "seteuid") == 0)
        return seteuid(NOBODY);
    if (strcmp(what, "setreuid") == 0)
        return setreuid(NOBODY, NOBODY);
    if (strcmp(what, "setresuid") == 0)
        return setresuid(NOBODY, NOBODY, NOBODY);
    if (strcmp(what, "setfsuid") == 0)
        return setfsuid(NOBODY) < 0;
    if (strcmp(what, "setgid") == 0)
        return setgid(NOBODY);
    if (strcmp(what, "setegid") == 0)
        return setegid(NOBODY);
    if (strcmp(what, "setregid") == 0)
        return setregid(NOBODY, NOBODY);
    if (strcmp(what, "setresgid") == 0)
        return setresgid(NOBODY, NOBODY, NOBODY);
    if (strcmp(what, "setfsgid") == 0)
        return setfsgid(NOBODY) < 0;
    if (strcmp(what, "setgroups") == 0)
        return setgroups(1, &group);
    if (strcmp(what, "capset") == 0)
        return drop_capabilities();
    if (strcmp(what, "chroot") == 0)
        return away();
    if (strcmp(what, "bound") == 0)
        return prctl(PR_CAPBSET_DROP, CAP_NET_RAW, 0, 0, 0);
    if (strcmp(what, "nnp") == 0)
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (strcmp(what, "filter") == 0)
        return filter();
    if (strcmp(what, "thread") == 0)
        return in_thread();
    if (strcmp(what, "back") == 0)
        return back();
    if (strcmp(what, "mounts") == 0)
        return unshare(CLONE_NEWNS);
    if (strcmp(what, "socket") == 0)
        return (connection = reach()) < 0;
    errno = EINVAL;
    return -1;
}

/* What is still to be done, by a new program: the connection's number goes on beside it. */
static void go_on(char **arguments) {
    char number[20];
    if (connection >= 0) {
        snprintf(number, sizeof number, "%d", connection);
        setenv("RIGHTS_CONNECTION", number, 1);
    }
    execv("/proc/self/exe", arguments);
    perror("exec");
    exit(1);
}

/* As Python's subprocess does it for another user: the child has its parent's memory until exec. */
static void lend(char **arguments) {
    int status;
    pid_t child = vfork();
    if (child == 0) {
        if (setgid(NOBODY) == 0 && setuid(NOBODY) == 0)
            execv("/proc/self/exe", arguments);
        _exit(4);
    }
    waitpid(child, &status, 0);
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
}

static void in_child(void) {
    int status;
    pid_t child = fork();
    if (child == 0)
        return;
    waitpid(child, &status, 0);
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
}

int main(int count, char **arguments) {
    static const char request[] = "GET /1K HTTP/1.0\r\n\r\n";
    char answer[4096], *self = arguments[0];
    ssize_t length = 0, got;
    if (getenv("RIGHTS_CONNECTION"))
        connection = atoi(getenv("RIGHTS_CONNECTION"));
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "exec") == 0) {
            arguments[i] = self;
            go_on(arguments + i);
        } else if (strcmp(arguments[i], "vfork") == 0) {
            arguments[i] = self;
            lend(arguments + i);
        } else if (strcmp(arguments[i], "fork") == 0) {
            in_child();
        } else if (step(arguments[i])) {
            perror(arguments[i]);
            return 2;
        }
    }
    if (connection < 0)
        connection = reach();
    if (write(connection, request, sizeof request - 1) < 0) {
        perror("write");
        return 3;
    }
    while ((got = read(connection, answer + length, sizeof answer - (size_t)length)) > 0)
        length += got;
    char *body = memmem(answer, (size_t)length, "\r\n\r\n", 4);
    printf("%ld\n", body ? (long)(answer + length - body - 4) : -1);
    return 0;
}
