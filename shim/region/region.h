/* SPDX-License-Identifier: MIT */
/*
 * region.h - what lies in a stack's memory beside the stack: the lock, and who uses what.
 *
 * Theory of operation. The region is a memfd that the keeper makes and every process of the stack maps at
 * SHARED_BASE, so that plain pointers are good everywhere. All of it is read and written with the lock held,
 * but for the futex words.
 *
 *   process      a program's process, or the keeper. When it dies, the keeper reaps what it held.
 *   file table   what a process has open: file references, each to a socket or an epoll set with our sockets in it
 *   waiter       a thread that can sleep in the stack, and how to wake it: a futex word, or an eventfd when it
 *                waits for descriptors of the kernel's at the same time
 *   watch        a waiter, or an item of an epoll set, wants to know of a socket's readiness
 */
#ifndef SHIM_REGION_REGION_H
#define SHIM_REGION_REGION_H

#include "nic/nic.h"
#include "shim/region/lock_profile.h"
#include "shim/region/receiving.h"
#include "shim/region/tracing_text.h"
#include "stack/doors.h"
#include "stack/stack.h"
#include <pthread.h>
#include <stdatomic.h>

#define SHARED_BASE \
    UINT64_C(0x7e9000000000) /* clear of the heaps, stacks and shadows of common programs and tools */
#define SHARED_BYTES (UINT64_C(1) << 30)
#define SHARED_RECORD_BYTES (UINT64_C(64) << 20) /* of a recording: the end of the region, if there is one */
#define SHARED_MAGIC UINT64_C(0x3165726977657261)
#define SHARED_VERSION build_digest()
#define SHARED_NAME_BUCKETS 4096u
#define SHARED_MESSAGE_BYTES 480
#define RECEPTION_BATCH 32 /* frames that the keeper takes at a time */
#define RECEPTION_OWN 8    /* ... and another process */
#define RECEPTION_PIECES ((NIC_FRAME_MAX + BUFFER_CAPACITY - 1) / BUFFER_CAPACITY)

/* A digest of the sources that this was built of: only the same code may share memory. Made by the Makefile.
 */
uint32_t build_digest(void);

struct waiter;
struct file_table;

struct process {
    struct list link;
    uint64_t made_ns;            /* 0: not yet an account */
    int pid;                     /* 0: of a child that fork has not made yet */
    uint64_t fork_deadline_ns;   /* ... nor will have made, when it is past that */
    struct process *maker;       /* ... but it is at it, however long that takes; NULL: it is no longer */
    int pidfd;                   /* the keeper's; -1: not watched yet */
    bool begun;                  /* such a child has come to the stack by now */
    bool in_child_pid_namespace; /* in a PID namespace below the keeper's: its numbers are not the keeper's */
    bool leaving; /* exec puts a program there that can't be taken over: its sockets are the others' */
    struct file_table *file_table; /* what it has open; NULL: nothing any more */
    struct list waiters;
    bool receives;         /* its threads can receive frames by themselves */
    bool spins;            /* --spin: not to be slowed down */
    uint64_t cpu_ns;       /* processor time, when the keeper looked last: offload_control.c */
    struct waiter *poller; /* the thread that sleeps on the NIC, or NULL */
    uint64_t memory_bytes; /* of its own that the library has in it: for who looks */
    struct buffer *receptions[RECEPTION_OWN][RECEPTION_PIECES]; /* that its threads receive frames into */
};

/* How a message names an account, whose place may be another's by the time that it is read. */
struct process_record {
    struct process *process; /* NULL: none */
    uint64_t made_ns;
};

enum file_ref_kind {
    FILE_REF_SOCKET,
    FILE_REF_EPOLL,
};

struct file_ref {
    struct list link; /* in file_table->holdings */
    struct file_table *file_table;
    uint8_t kind;
    struct socket *socket;   /* FILE_REF_SOCKET */
    struct epoll_set *epoll; /* FILE_REF_EPOLL */
};

/* What a process has open. After fork it is its child's, too, until one of the two opens or closes something
 * and makes itself an fd table of its own: so fork costs the same however much is open. */
struct file_table {
    uint32_t processes;
    struct list file_refs;
};

enum watch_kind {
    WATCH_WAITER,
    WATCH_EPOLL,
};

/* A stream has one reader and one writer at a time, for as long as they copy without the lock (transfer.h).
 */
enum stream_side {
    STREAM_IN = 1,
    STREAM_OUT,
};

struct watch {
    struct list socket_link; /* in socket->watches, or in no list: the socket is gone */
    struct list owner_link;  /* in waiter->watches */
    uint8_t kind;
    bool gone;       /* the socket is */
    uint8_t side;    /* whose turn is awaited (enum stream_side); 0: events are */
    uint32_t events; /* POLLIN ... */
    struct waiter *waiter;
};

struct waiter {
    struct list link; /* in process->waiters */
    struct process *process;
    uint32_t number;       /* no other waiter ever has it */
    _Atomic uint32_t word; /* 0: sleep on; 1: woken */
    bool sleeping;
    bool epoll_eventfd; /* no thread, and no process's, but an epoll set's epoll eventfd: told of every event,
                           beside a thread */
    bool spinning;      /* ... not yet: it looks at the word by itself */
    bool by_descriptor; /* sleeps in poll(2) or epoll_wait(2), with the eventfd among its descriptors */
    int descriptor;     /* eventfd: the process's number, or -1 */
    int keeper_descriptor;   /* the keeper's, or -1 */
    struct list keeper_link; /* in shared->keeper_wakes */
    struct watch watch;      /* for a wait on one socket */
    struct list watches;     /* further ones, from the pool */
    struct list epoll_link;  /* in set->waiters, while it waits for an epoll set */
    struct epoll_set *set;   /* that it waits for, and holds; of a epoll eventfd: whose it is */
    struct socket *socket;   /* that a call of this thread works on, and holds */
    bool writing;            /* ... and counts among its blocked_writers */
    uint8_t turns;           /* ... and has turns of: a bit a side */
    uint8_t turns_offered;   /* ... and was woken for: whoever leaves such a turn to others wakes the next */
    struct buffer *staged;   /* a chain that this thread copies data into, which is to be sent */
    struct buffer *held;     /* the first of so many buffers of a stream that it copies data from */
    uint32_t held_count;
};

/* The sockets of ours in an epoll set of the kernel's. */
struct epoll_set {
    uint32_t holders;
    uint32_t passed; /* of these, messages that nobody has read yet */
    bool mixed;      /* the kernel's part has something, or had */
    bool watched;    /* somebody may sleep on the epoll descriptor itself: its epoll eventfd is to tell */
    bool settled;    /* it is the kernel's set's, and no other is: epoll_set.c */
    struct waiter *epoll_eventfd; /* by whose number the kernel's set is known: epoll_eventfd.h; NULL: none
                                     could be had */
    struct list items;
    struct list ready;   /* of struct epoll_item */
    struct list waiters; /* of struct waiter */
};

struct epoll_item {
    struct watch watch; /* WATCH_EPOLL */
    struct list link;   /* in set->items */
    struct list ready_link;
    struct epoll_set *set;
    struct socket *socket;
    int descriptor;
    uint32_t events; /* EPOLLIN ... EPOLLET, EPOLLONESHOT */
    uint64_t data;
    bool disarmed; /* EPOLLONESHOT has fired */
};

#define FRAMES_AT_ONCE 64

#define ENDED_AT_ONCE 16 /* so many make the keeper close them */

struct shared {
    struct stack stack; /* first: it is the region's start, as stack_create wants */
    uint64_t magic;
    uint32_t version;
    pthread_mutex_t lock;
    pthread_mutex_t keeper_life; /* robust, and locked by the keeper for as long as it lives */
    bool busy;            /* a lock's owner that dies with this set leaves a state that may be half changed */
    uint32_t repairs;     /* how often that happened */
    _Atomic bool broken;  /* the stack is of no more use; message says why */
    bool orphaned;        /* ... since its keeper has died: what lies here is whole */
    bool kernel_loopback; /* 127.0.0.0/8 is the kernel's, but for loopback.h */
    bool refused;         /* ... because it never could be used: programs end with status 2 */
    char message[SHARED_MESSAGE_BYTES];
    int keeper_pid;

    struct pool processes, file_tables, file_refs, watches, waiters, epoll_sets, epoll_items;
    struct list process_list;
    struct list epoll_eventfds; /* of struct waiter */
    struct list ended;          /* waiters that are gone, but for the keeper's copies of their eventfds */
    uint32_t ended_count;
    _Atomic uint32_t sets_settled; /* how often an epoll set was */
    uint32_t waiters_made;         /* begins anywhere, so that numbers of two stacks differ */
    bool begun;     /* a child of fork has come to the stack: the keeper watches it from now on */
    bool unwatched; /* it has processes that fork has made, whose end the keeper is not told of yet */
    struct pool inflight_pool;
    struct list inflights; /* of struct inflight */
    uint64_t inflight_made;
    bool inflight_changed; /* a message was sent, or somebody has closed what is in one */
    struct hash_link *names[SHARED_NAME_BUCKETS]; /* sockets by inode */

    _Atomic uint32_t doorbell;        /* the keeper's transmitter sleeps on it */
    _Atomic uint32_t keeper_sleeping; /* ... now */
    uint64_t keeper_deadline_ns;      /* ... and wakes by itself then */
    struct list keeper_wakes;         /* waiters whose eventfd only the keeper can write */
    _Atomic uint64_t trace_shown;     /* the number of the next of the stack's events that --trace shows */
    struct tracing_flows trace_flows; /* by who shows it */
    uint32_t conflicts_seen;          /* of the stack's address: by the keeper */
    uint32_t conflicts6_seen;         /* ... of those of IPv6 */
    _Atomic bool monitored;           /* programs are to be told of changes: netlink_monitor.c */
    uint32_t changes_told;            /* ... up to which one, of stack->changes */
    uint64_t next_picture_ns;         /* ... and of others not before then */
    _Atomic uint32_t monitors_asked, monitors_taken; /* ... numbers of requests (IPC_MONITOR) */
    struct lease sending;
    struct receiving receiving;
    char nic[128]; /* the keeper's --nic, by which programs are told the interface's name */
    bool impaired; /* there is a bad network before the stack (--impair) ... */
    _Atomic bool overflow_told;
    struct impair_counters
        impairment[2];    /* ... which did this to what was sent, and to what came: by the keeper */
    uint64_t moved_bytes; /* sent and received */
    struct lock_profile lock_profile;
    struct buffer *receptions[RECEPTION_BATCH][RECEPTION_PIECES]; /* the keeper's, to receive frames into */
};

static struct shared *const shared = (struct shared *)SHARED_BASE;

#endif
