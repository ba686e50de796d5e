/* SPDX-License-Identifier: MIT */
/*
 * hot_instructions.c - system-call instructions that several threads use at once from their first call on, while signals
 * interrupt them whose handler uses the same ones, and while children are made that use them: so that they are replaced
 * under threads that are in all states. They stand in the forms that a jump can replace (syscall_site.h).
 *
 * Ends with 0 when each call gave what it should, and what follows it was done; else says what is not so.
 */
#include "tests/raw_call.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 1 /* each in a process of its own, in which nothing is replaced yet */
#define SITES_OF_FORM 40
#define FORMS 5
#define SITES (SITES_OF_FORM * FORMS)
#define SITE_BYTES 48
#define THREADS 3
#define CALLS 24 /* a thread, of each site */
#define PERIOD_US 100
#define CHILD_SECONDS 30

/* Each is a function long (long number, long *done), of which the number is getpid's: it gives the result, and adds 1 to
 * *done behind the instruction. They begin at each place within 8 bytes, in turn. */
#define SITES_LIKE(load, behind)       \
    ".set turn, 0\n"                   \
    ".rept 40\n"                       \
    "1:  .skip 1 + (turn & 7), 0x90\n" \
    "    " load "\n"                   \
    "    syscall\n"                    \
    "    " behind "\n"                 \
    "    .skip 48 - (. - 1b), 0xcc\n"  \
    "    .set turn, turn + 1\n"        \
    ".endr\n"

__asm__(".text\n"
        ".balign 4096, 0xcc\n"
        "sites:\n" SITES_LIKE("movq %rdi, %rax", "cmpq $-4095, %rax; jae 2f; incq (%rsi); 2: ret")
            SITES_LIKE("movl $39, %eax", "cmpq $-4095, %rax; jae 2f; incq (%rsi); 2: ret")
                SITES_LIKE("movq $39, %rax", "cmpq $-4095, %rax; jae 2f; incq (%rsi); 2: ret")
                    SITES_LIKE("movq %rdi, %rax", "testq %rax, %rax; jle 2f; incq (%rsi); 2: ret")
                        SITES_LIKE("incq (%rsi); movq %rdi, %rax",
                                   "ret; .byte 0x66, 0x90") ".balign 4096, 0xcc\n");
extern const char sites[];

/* The note of a Go program's: in one that is linked dynamically what follows an instruction moves, too, in that case. */
#ifdef LIKE_GO
__asm__(".section .note.go.buildid, \"a\", @note\n"
        ".balign 4\n"
        ".long 4, 4, 4\n"
        ".asciz \"Go\\0\"\n"
        ".long 0\n"
        ".text\n");
#endif

typedef long call(long number, long *done);

static _Atomic long pid;
static _Atomic int current = -1;
static atomic_int arrived, children_made, failures;

static void use(int site) {
    long done = 0, result = ((call *)(sites + (size_t)site * SITE_BYTES))(SYS_getpid, &done);
    if (result != pid || done != 1)
        failures++;
}

static void on_signal(int signal) {
    (void)signal;
    if (current >= 0)
        use(current);
}

/* All threads begin with a site together. */
static void meet(int site) {
    arrived++;
    while (arrived < THREADS * (site + 1))
        sched_yield();
    current = site;
}

static void *run(void *context) {
    (void)context;
    for (int site = 0; site < SITES; site++) {
        meet(site);
        for (int i = 0; i < CALLS; i++)
            use(site);
    }
    return NULL;
}

/* A child has what its parent's other threads had half done. It is ended if it does not come on. */
static void make_child(void) {
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        signal(SIGALRM, SIG_DFL);
        pid = getpid();
        for (int site = 0; site <= current; site++)
            use(site);
        _exit(failures != 0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        failures++;
    children_made++;
}

static _Atomic int running;

static void *make_children(void *context) {
    (void)context;
    while (running) {
        if (current >= 0)
            make_child();
        usleep(500);
    }
    return NULL;
}

static int run_round(void) {
    pthread_t threads[THREADS], maker;
    const struct itimerval often = {{0, PERIOD_US}, {0, PERIOD_US}}, never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    pid = getpid();
    running = 1;
    sigaction(SIGPROF, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    setitimer(ITIMER_PROF, &often, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, NULL);
    pthread_create(&maker, NULL, make_children, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    running = 0;
    pthread_join(maker, NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    setitimer(ITIMER_PROF, &never, NULL);
    return failures;
}

int main(void) {
    for (int round = 0; round < ROUNDS; round++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            _exit(run_round() != 0);
        if (waitpid(child, &status, 0) != child || status != 0) {
            printf("round %d ends with %#x\n", round, (unsigned)status);
            return 1;
        }
    }
    return 0;
}
