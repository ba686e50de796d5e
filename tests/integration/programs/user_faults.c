/* SPDX-License-Identifier: MIT */
/*
 * user_faults.c - a program whose own faults are its own, and whose bad pointers are EFAULT: with a handler
 * for SIGSEGV, without, with the signal blocked, in handlers; and streams that many threads read and write at
 * once, of which some memory is bad.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define CHECK(what)                                                    \
    do                                                                 \
        if (!(what)) {                                                 \
            printf("line %d: %s, errno %d\n", __LINE__, #what, errno); \
            exit(1);                                                   \
        }                                                              \
    while (0)

static int ends[2];
static char *gone; /* a page that is not there, behind one that is */
static volatile int faults;
static void *volatile fault_at;
static sigjmp_buf back;
static char *signal_stack;
static volatile bool on_signal_stack;

static void make_pair(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr("127.0.0.1")};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
    getsockname(listener, (struct sockaddr *)&address, &length);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(ends[0], (struct sockaddr *)&address, length) == 0);
    CHECK((ends[1] = accept(listener, NULL, NULL)) >= 0);
    close(listener);
}

static void is_a_fault(void) {
    char data[64];
    CHECK(write(ends[0], gone, 10) == -1 && errno == EFAULT);
    CHECK(write(ends[0], "0123456789", 10) == 10);
    CHECK(recv(ends[1], gone - 5, 10, 0) == -1 && errno == EFAULT);
    CHECK(recv(ends[1], data, sizeof data, 0) == 10 && memcmp(data, "0123456789", 10) == 0);
}

static void on_fault(int signal, siginfo_t *info, void *context) {
    char here;
    (void)signal;
    (void)context;
    faults++;
    fault_at = info->si_addr;
    on_signal_stack = &here >= signal_stack && &here < signal_stack + SIGSTKSZ;
    is_a_fault(); /* in the handler of the very signal */
    siglongjmp(back, 1);
}

static void own_fault_is_its_own(void) {
    if (sigsetjmp(back, 1) == 0)
        *(volatile char *)gone = 1;
    CHECK(faults == 1 && fault_at == gone && on_signal_stack);
    is_a_fault();
    CHECK(faults == 1);
    if (sigsetjmp(back, 1) == 0)
        *(volatile char *)(gone + 1) = 1;
    CHECK(faults == 2 && fault_at == gone + 1);
    is_a_fault();
}

static void on_user(int signal) {
    (void)signal;
    is_a_fault();
}

static void *blocks_all(void *unused) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    is_a_fault();
    return unused;
}

/* How a child ends that has a fault. */
static int status_of_fault(void (*handler)(int)) {
    int status;
    struct rlimit none = {0, 0};
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, handler);
        is_a_fault();
        *(volatile char *)gone = 1;
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status;
}

static void in_one_thread(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK}, told;
    stack_t stack = {.ss_sp = signal_stack = malloc((size_t)SIGSTKSZ), .ss_size = SIGSTKSZ};
    pthread_t thread;
    sigaltstack(&stack, NULL);
    CHECK(sigaction(SIGSEGV, NULL, &told) == 0 && told.sa_handler == SIG_DFL);
    is_a_fault(); /* nobody has a handler */
    CHECK(sigaction(SIGSEGV, &action, &told) == 0 && told.sa_handler == SIG_DFL);
    CHECK(sigaction(SIGSEGV, NULL, &told) == 0 && told.sa_sigaction == on_fault);
    own_fault_is_its_own();
    struct sigaction user = {.sa_handler = on_user};
    sigfillset(&user.sa_mask);
    sigaction(SIGUSR1, &user, NULL);
    raise(SIGUSR1);
    pthread_create(&thread, NULL, blocks_all, NULL);
    pthread_join(thread, NULL);
    int status = status_of_fault(SIG_DFL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    status = status_of_fault(SIG_IGN);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(faults == 2);
}

/* Writers and readers of one stream, some of whose memory is bad: each byte arrives once, and of a record,
 * which is written at once, all bytes are together. */
#define WRITERS 3
#define READERS 3
#define RECORD 5000
#define RECORDS 2000

static _Atomic uint64_t sums[WRITERS], wrong;
static atomic_int writing = WRITERS;

static char *half_there(size_t bytes) {
    size_t pages = (bytes + PAGE - 1) / PAGE * PAGE;
    char *at = mmap(NULL, pages + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(at + pages, PAGE, PROT_NONE);
    return at + pages - bytes;
}

static void *write_records(void *number) {
    char *record = half_there(RECORD);
    memset(record, (int)(intptr_t)number + 1, RECORD);
    for (int i = 0; i < RECORDS; i++) {
        if (i % 7 == 0 && (write(ends[0], record + RECORD, 10) != -1 || errno != EFAULT))
            wrong++;
        if (write(ends[0], record, RECORD) != RECORD)
            wrong++;
    }
    if (--writing == 0)
        shutdown(ends[0], SHUT_WR);
    return NULL;
}

static void *read_all(void *number) {
    size_t size = 3000 << (intptr_t)number;
    char *room = half_there(size);
    ssize_t got;
    uint64_t own[WRITERS] = {0};
    unsigned turns = 0;
    do {
        if (turns++ % 5 == 0 && recv(ends[1], room + size, 10, MSG_DONTWAIT) > 0)
            wrong++;
        got = read(ends[1], room, size);
        for (ssize_t i = 0; i < got; i++)
            if (room[i] >= 1 && room[i] <= WRITERS)
                own[room[i] - 1]++;
            else
                wrong++;
    } while (got > 0);
    for (int i = 0; i < WRITERS; i++)
        sums[i] += own[i];
    return NULL;
}

static void in_many_threads(void) {
    pthread_t threads[WRITERS + READERS];
    for (intptr_t i = 0; i < WRITERS; i++)
        pthread_create(&threads[i], NULL, write_records, (void *)i);
    for (intptr_t i = 0; i < READERS; i++)
        pthread_create(&threads[WRITERS + i], NULL, read_all, (void *)(i * 2));
    for (int i = 0; i < WRITERS + READERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WRITERS; i++)
        CHECK(sums[i] == (uint64_t)RECORD * RECORDS);
    CHECK(wrong == 0);
}

/* A long write whose end is not there: what was before it counts, and is what the other end gets. */
static void *read_to_end(void *unused) {
    static char room[100000];
    uintptr_t at = 0;
    ssize_t got;
    while ((got = read(ends[1], room, sizeof room)) > 0)
        for (ssize_t i = 0; i < got; i++, at++)
            if (room[i] != (char)(at % 251))
                wrong++;
    (void)unused;
    return (void *)at;
}

static void long_write(void) {
    const size_t bytes = 3000000;
    char *from = half_there(bytes);
    pthread_t thread;
    void *got;
    for (size_t i = 0; i < bytes; i++)
        from[i] = (char)(i % 251);
    pthread_create(&thread, NULL, read_to_end, NULL);
    ssize_t sent = write(ends[0], from, bytes + 100000);
    CHECK(sent > (ssize_t)bytes - 100000 && sent <= (ssize_t)bytes);
    shutdown(ends[0], SHUT_WR);
    pthread_join(thread, &got);
    CHECK((ssize_t)(uintptr_t)got == sent && wrong == 0);
}

int main(void) {
    gone = half_there(PAGE) + PAGE;
    make_pair();
    in_one_thread();
    in_many_threads();
    make_pair();
    long_write();
    puts("as on the kernel");
    return 0;
}
