/* SPDX-License-Identifier: MIT */
/*
 * raw_threads.c - threads that a dynamically linked program makes by a system-call instruction of its own, as
 * Zig does: libc knows nothing of them. Each has thread-local storage and a stack of its own.
 *
 * Fetches http://ADDRESS:PORT/1K in each. Ends with 0 when all is as it should be, else says what is not.
 */
#include "tests/raw_call.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define THREADS 6
#define STACK_BYTES 32768

static struct sockaddr_in server;

struct thread {
    struct thread *self; /* at FS:0 */
    char *stack;
    int number;
    _Atomic int parent_tid, child_tid;
    _Atomic int fetched;
} threads[THREADS];

/* No function of libc's: its thread-local storage is not there. */
static void check(int holds, const char *what) {
    if (holds)
        return;
    RAW_CALL(write, 2, what, strlen(what));
    RAW_CALL(write, 2, "\n", 1);
    RAW_CALL(exit_group, 1);
}
#define CHECK(condition) check(condition, #condition)

static struct thread *this_thread(void) {
    struct thread *self;
    __asm__ volatile("movq %%fs:0, %0" : "=r"(self));
    return self;
}

__attribute__((no_stack_protector)) static void fetch(void) {
    static const char question[] = "GET /1K HTTP/1.0\r\n\r\n";
    char answer[2048];
    long got, all = 0, fd = RAW_CALL(socket, AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK(RAW_CALL(connect, fd, &server, sizeof server) == 0);
    CHECK(RAW_CALL(write, fd, question, sizeof question - 1) == sizeof question - 1);
    while ((got = RAW_CALL(read, fd, answer, sizeof answer)) > 0)
        all += got;
    CHECK(got == 0 && all > 1024);
    CHECK(RAW_CALL(close, fd) == 0);
}

static _Atomic int handled;
static void on_signal(int signal) {
    (void)signal;
    CHECK(this_thread()->self == this_thread());
    handled++;
}

__attribute__((used, no_stack_protector)) static void begin(struct thread *thread) {
    uint64_t mask = 1;
    CHECK(this_thread() == thread);
    CHECK(thread->parent_tid == RAW_CALL(gettid) && thread->child_tid == RAW_CALL(gettid));
    CHECK(RAW_CALL(rt_sigprocmask, SIG_BLOCK, 0, &mask, 8) == 0 && mask == 0);
    for (int i = 0; i < 10; i++) {
        fetch();
        thread->fetched++;
        RAW_CALL(tgkill, RAW_CALL(getpid), RAW_CALL(gettid), SIGUSR1);
        CHECK(this_thread() == thread);
    }
}

/* The thread gives its stack away and ends, as musl's detached threads do. */
long make_thread(unsigned long flags, void *stack, _Atomic int *parent_tid, _Atomic int *child_tid, void *fs,
                 struct thread *thread);
__asm__(".text\n"
        "make_thread:\n"
        "    pushq %r12\n"
        "    movq %r9, %r12\n"
        "    movq %rcx, %r10\n"
        "    movl $56, %eax\n" /* SYS_clone */
        "    syscall\n"
        "    testq %rax, %rax\n"
        "    je 1f\n"
        "    popq %r12\n"
        "    ret\n"
        "1:  movq %r12, %rdi\n"
        "    call begin\n"
        "    movq 8(%r12), %rdi\n"
        "    movl $32768, %esi\n"
        "    movl $11, %eax\n" /* SYS_munmap */
        "    syscall\n"
        "    xorl %edi, %edi\n"
        "    movl $60, %eax\n" /* SYS_exit */
        "    syscall\n");

#define FLAGS                                                                                          \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
     CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

static void run_threads(void) {
    for (int i = 0; i < THREADS; i++) {
        struct thread *thread = &threads[i];
        thread->self = thread;
        thread->number = i;
        thread->fetched = 0;
        thread->child_tid = -1;
        thread->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(make_thread(FLAGS, thread->stack + STACK_BYTES, &thread->parent_tid, &thread->child_tid, thread,
                          thread) > 0);
    }
    for (int i = 0; i < THREADS; i++) {
        int tid;
        while ((tid = threads[i].child_tid)) /* cleared when the thread has ended */
            RAW_CALL(futex, &threads[i].child_tid, FUTEX_WAIT, tid, 0, 0, 0);
        CHECK(threads[i].fetched == 10);
    }
}

int main(int count, char **arguments) {
    struct sigaction action = {.sa_handler = on_signal};
    if (count != 3)
        return 2;
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    inet_aton(arguments[1], &server.sin_addr);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 5; i++)
        run_threads();
    CHECK(handled == 5 * THREADS * 10);
    fetch();
    printf("libc's thread goes on\n");
    return 0;
}
