/* SPDX-License-Identifier: MIT */
/*
 * sandboxed_calls.c - a program that makes its own system calls in a sandbox of its own, and has SIGSYS for
 * itself.
 *
 *   sandboxed_calls ADDRESS PORT      of an echo server
 *
 * Its filter kills the process for any system call that it has not named: none of those that the library
 * needs is among them. One that it makes by name is answered by a handler of SIGSYS (SECCOMP_RET_TRAP). Ends
 * with 0 when all is as on the kernel's stack.
 */
#include "tests/raw_call.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define ANSWER 4711

static struct sockaddr_in echo;
static volatile sig_atomic_t signals;

static void check(int holds, const char *what, long result) {
    if (holds)
        return;
    fprintf(stderr, "%s: %ld\n", what, result);
    exit(1);
}
#define CHECK(condition, result) check(condition, #condition, result)

static void speak(void) {
    static const char words[] = "from a sandbox";
    char heard[sizeof words];
    long fd = RAW_CALL(socket, AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0, fd);
    CHECK(RAW_CALL(connect, fd, &echo, sizeof echo) == 0, 0);
    CHECK(RAW_CALL(sendto, fd, words, sizeof words, 0, 0, 0) == sizeof words, 0);
    CHECK(RAW_CALL(recvfrom, fd, heard, sizeof heard, MSG_WAITALL, 0, 0) == sizeof heard, 0);
    CHECK(memcmp(heard, words, sizeof words) == 0, 0);
    CHECK(RAW_CALL(close, fd) == 0, 0);
}

static void *in_thread(void *context) {
    for (int i = 0; i < 10; i++)
        speak();
    return context;
}

/* Answers a system call that the filter traps; counts those that somebody sends. */
static void on_sigsys(int signal, siginfo_t *info, void *context) {
    (void)signal;
    if (info->si_code == 1) /* SYS_SECCOMP */
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] =
            info->si_syscall == SYS_getppid ? ANSWER : -ENOSYS;
    else
        signals++;
}

/* What becomes of a child that sends itself the signal. */
static int status_with(void (*handler)(int)) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSYS, handler);
        raise(SIGSYS);
        _exit(3);
    }
    waitpid(child, &status, 0);
    return status;
}

#define ALLOW(number) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void enter_sandbox(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(socket),
        ALLOW(connect),
        ALLOW(sendto),
        ALLOW(recvfrom),
        ALLOW(close),
        ALLOW(exit_group),
        ALLOW(exit),
        ALLOW(write),
        ALLOW(futex),
        ALLOW(rt_sigreturn),
        /* what libc makes and ends a thread with */
        ALLOW(clone3),
        ALLOW(clone),
        ALLOW(mmap),
        ALLOW(munmap),
        ALLOW(madvise),
        ALLOW(set_robust_list),
        ALLOW(rseq),
        ALLOW(rt_sigprocmask),
        ALLOW(rt_sigaction),
        ALLOW(gettid),
        ALLOW(brk),
        ALLOW(getrandom),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        /* of mprotect what makes no code, as in many a sandbox: the guard of a thread's stack */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, errno);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, errno);
}

int main(int count, char **arguments) {
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO}, now;
    pthread_t thread;
    if (count != 3)
        return 2;
    echo = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    inet_aton(arguments[1], &echo.sin_addr);
    speak();
    int status = status_with(SIG_IGN);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3, status);
    status = status_with(SIG_DFL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, status);
    CHECK(sigaction(SIGSYS, &action, NULL) == 0, errno);
    CHECK(sigaction(SIGSYS, NULL, &now) == 0 && now.sa_sigaction == on_sigsys, errno);
    raise(SIGSYS);
    CHECK(signals == 1, signals);
    enter_sandbox();
    CHECK(RAW_CALL(getppid) == ANSWER, 0);
    CHECK(getppid() == ANSWER, getppid());
    speak();
    CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0, 0);
    speak();
    CHECK(pthread_join(thread, NULL) == 0, 0);
    return 0;
}
