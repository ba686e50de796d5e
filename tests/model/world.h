/* SPDX-License-Identifier: MIT */
/*
 * world.h - what all processes of a model share: the scheduler's table of threads, virtual time, the NIC.
 *
 * Theory of operation. The model runs the shipped library and the shipped keeper in processes and threads of
 * the machine's own, but one at a time: whoever has the token. A thread gives it away at each system call
 * that could sleep or wake somebody, at each lock, and between any two basic blocks of the library or the
 * keeper (they are compiled with -fsanitize-coverage=trace-pc). Who has it next is drawn from one sequence of
 * random numbers, so that a seed is one order of events. Nobody really sleeps: a call that would marks its
 * thread as blocked, with what would wake it, and gives the token away; when all are blocked, time goes on to
 * the first deadline.
 *
 *   seam.c      the calls, in a library that is preloaded behind the one under test
 *   schedule.c  who is next
 *   model.c     the director, thread 0: starts everybody, is the host at the other end of the cable, sends
 *               signals, kills, and checks what must hold
 *   program.c   what runs on barewire
 */
#ifndef TESTS_MODEL_WORLD_H
#define TESTS_MODEL_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WORLD_BASE UINT64_C(0x7d0000000000)
#define WORLD_FD \
    900 /* in every process of the model: this memory, what is readable when frames have come, where --trace \
           writes */
#define NIC_FD 901
#define TRACE_FD 902
#define THREADS_MAX 96
#define PROCESSES_MAX 40
#define NUMBERS_MAX 4096 /* descriptors of a process */
#define WATCHERS_MAX 64
#define FRAME_ROOM 66000
#define RING_MAX 32
#define INODES_MAX 16384
#define NEVER UINT64_MAX
#define DIRECTOR 0
#define FAR_ADDRESS 0x0a4d0002u  /* 10.77.0.2 */
#define NEAR_ADDRESS 0x0a4d000au /* 10.77.0.10 */
#define ECHO_PORT 7
#define SINK_PORT 9 /* accepts, and never reads */

enum thread_state { THREAD_FREE, THREAD_RUNNABLE, THREAD_BLOCKED, THREAD_ENDED };
enum reason { ON_TIME, ON_WORD, ON_MUTEX, ON_DESCRIPTORS, ON_THREAD, ON_PROCESS };
enum process_state { PROCESS_FREE, PROCESS_ALIVE, PROCESS_LEAVING, PROCESS_DEAD, PROCESS_PLANNED };
enum wakened { WAKENED, TIMED_OUT, INTERRUPTED };

struct model_thread {
    _Atomic uint32_t token;
    uint8_t state, reason;
    bool retry;         /* blocked on descriptors: something has happened that may concern it */
    bool woken_by_nic;  /* ... the NIC chose it */
    bool interruptible; /* a signal ends its wait */
    uint8_t wakened;    /* how the last wait ended */
    int process, tid;   /* tid: the machine's */
    uintptr_t words[2]; /* of a futex, or a mutex */
    int epoll;          /* that it sleeps in, or -1 */
    int awaited;        /* ON_THREAD, ON_PROCESS: which */
    uint64_t deadline_ns;
    uint64_t pending, mask; /* signals, a bit each */
    /* What the program is at, by itself: see program.c. */
    char at[40];
    uint64_t since_ns;
    uint64_t socket; /* it waits for the one of this name, its inode, to ... */
    uint32_t events;
};

struct model_process {
    uint8_t state;
    bool keeper, crashed, doomed; /* doomed: the director is to kill it */
    int pid, parent;
    uint64_t pending;
    int16_t epoll_of[NUMBERS_MAX]; /* its descriptors: epoll's number + 1, or 0 */
    bool nic_of[NUMBERS_MAX];      /* ... that are the NIC */
    bool foreign[NUMBERS_MAX];     /* ... that came in a message: another process's eventfd */
};

/* An epoll set's registration of the NIC, in the order in which the kernel would wake them. */
struct watcher {
    int epoll; /* -1: free */
    uint32_t events;
    uint64_t data;
    bool pending;
    uint64_t since_ns; /* when it was registered */
};

struct ring {
    uint32_t first, count;
    uint32_t length[RING_MAX];
    uint8_t frames[RING_MAX][FRAME_ROOM];
};

struct model_plan {
    uint64_t seed;
    uint32_t preempt_every;             /* basic blocks, on average; 0: never */
    uint32_t stay_percent;              /* how often who has the token keeps it, if it may */
    uint32_t send_room;                 /* frames that the interface's queue holds */
    uint32_t threads, children, rounds; /* of the program */
    uint32_t far_ns;                    /* how long the far host takes at most */
    uint32_t busy_percent;              /* how much processor time the programs seem to take */
    bool signals, jumps, kills, spurious, no_descriptors, no_memory, exits_slowly;
};

struct model_world {
    struct model_plan plan;
    uint64_t random, now_ns;
    uint64_t steps, switches;
    uint64_t print; /* of the order of events: of who had the token when */
    uint32_t epolls;
    int epoll_references[1024];
    uint32_t inode_count;
    struct {
        uint64_t machines;
        uint32_t models;
    } inodes[INODES_MAX];
    bool ready;     /* the program has installed its handlers */
    bool idle;      /* the director is asked since nobody else can run */
    bool idle_seen; /* ... and was, since anybody ran */
    int running;
    int region; /* the keeper's descriptor of the region */
    uint64_t nic_inode;
    int deaths;   /* how many may still be killed as they are about to wake others */
    int nic_bell; /* the director's end of what is readable when frames have come */
    struct watcher watchers[WATCHERS_MAX];
    int watcher_count;
    struct ring received, sent;
    struct model_thread threads[THREADS_MAX];
    struct model_process processes[PROCESSES_MAX];
    bool trace, failed;
    char failure[400];
};

static struct model_world *const world = (struct model_world *)WORLD_BASE;

/* schedule.c */
extern __thread struct model_thread *model_self; /* this thread; NULL: it is none of the model's */

uint64_t model_random(uint64_t limit);
bool model_one_in(uint64_t n);

/* Gives the token to whoever is next, and waits for it. The thread's state says whether it can go on. */
void model_schedule(void);

/* Sleeps for a reason, until woken, a deadline, or (if it may be) a signal. */
enum wakened model_block(enum reason reason, uint64_t deadline_ns, bool interruptible);

/* Gives the token away for good: to whoever is next; to the director, since this thread's process ends. */
void model_pass_on(void);
void model_ask_director(void);

void model_wait_for_token(struct model_thread *thread);
struct model_thread *model_new_thread(int process);

/* Wakes up to `count` who sleep on a word or a mutex, in any order. `process`: of whom alone, or -1. */
int model_wake(enum reason reason, uintptr_t word, int count, int process);

/* Something has happened to descriptors: who sleeps on some looks again. */
void model_descriptors_changed(void);

/* Frames have come: wakes whom the kernel would. */
void model_nic_rings(void);

void model_epoll_hold(int epoll);
void model_epoll_drop(int epoll);
void model_process_dead(int process);
void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void model_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
