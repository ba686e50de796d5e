/* SPDX-License-Identifier: MIT */
/*
 * model.c - barewire's library and keeper under a scheduler with a seed. See world.h.
 *
 *   model [FIRST COUNT]   runs so many seeds (1 to 500); says which fail, and why
 *   model --trace SEED    runs one, and tells what happens
 *
 * What must hold, whenever nobody can go on before time does: nobody sleeps whose event has come; nobody has
 * the stack's lock; no frames lie in the NIC that nobody takes in; nobody is at one thing for longer than a
 * minute. Always: no process dies by itself, and memory of the pools that was given back is not written to
 * (POOL_POISON). In the end: the keeper leaves, since nobody is left.
 */
#include "nic/splitmix.h"
#include "shim/region/region.h"
#include "stack/stack.h"
#include "tests/model/world.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/futex.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define FAR_BYTES (64u << 20)
#define FAR_SOCKETS 256
#define SINK_NS (3 * SECOND)
#define AT_ONE_THING_NS (90 * SECOND)
#define IN_NIC_NS (100 * MS)
#define LIFE_NS (900 * SECOND) /* of the whole, TIME_WAIT included */
#define PATIENCE_MS 20000      /* of the machine's time, until the token comes back */
#define AGAIN_EVERY 50         /* seeds: one is run twice, and must be the same order of events */

/* The digest is a part of the keeper and of the library; the model's own does not matter. */
uint32_t build_digest(void) {
    return 0;
}

static struct {
    struct stack *stack;
    void *mapped;
    struct socket *listeners[2], *datagrams, *unread, *sockets[FAR_SOCKETS];
    uint64_t ends_ns[FAR_SOCKETS]; /* of one that is not read */
    uint64_t sends_ns;             /* when its next frames go into the near side's NIC */
    uint64_t drains_ns;            /* when what the near side has sent is taken off its queue */
} far;

static struct {
    char folder[64], seam[256], keeper[256], program[256], preload[600]; /* of the program */
    int said; /* what the others say, to be shown when a seed fails */
    pid_t keeper_pid, program_pid;
    uint64_t strikes_ns; /* when the next signal or death is due */
    int kills;
    uint64_t in_nic_ns; /* since when there are frames in the NIC that nobody takes */
    bool mapped;
} director;

static uint64_t total_steps, total_switches, total_virtual_ns;

/* --- the far host --- */

static void far_create(void) {
    uint8_t seed[RANDOM_SEED_BYTES];
    struct stack_config config = {
        .address = FAR_ADDRESS, .prefix_length = 24, .mac = {2, 0, 0, 0, 0, 2}, .mtu = 1500};
    memset(&far, 0, sizeof far);
    far.mapped = mmap(NULL, FAR_BYTES + ARENA_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    far.stack = (struct stack *)(((uintptr_t)far.mapped + ARENA_BLOCK_BYTES - 1) &
                                 ~(uintptr_t)(ARENA_BLOCK_BYTES - 1));
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)model_random(256);
    if (stack_create(far.stack, far.stack, FAR_BYTES, sizeof(struct stack), &config, seed, world->now_ns))
        abort();
    const uint16_t ports[2] = {ECHO_PORT, SINK_PORT};
    for (int i = 0; i < 2; i++)
        if (socket_create(far.stack, SOCK_STREAM, 0, &far.listeners[i]) ||
            socket_bind(far.stack, far.listeners[i], ip_from_v4(0), ports[i]) ||
            socket_listen(far.stack, far.listeners[i], 100))
            abort();
    if (socket_create(far.stack, SOCK_DGRAM, 0, &far.datagrams) ||
        socket_bind(far.stack, far.datagrams, ip_from_v4(0), ECHO_PORT) ||
        socket_create(far.stack, SOCK_DGRAM, 0, &far.unread) ||
        socket_bind(far.stack, far.unread, ip_from_v4(0), SINK_PORT))
        abort();
    far.sends_ns = far.drains_ns = NEVER;
}

static void far_destroy(void) {
    munmap(far.mapped, FAR_BYTES + ARENA_BLOCK_BYTES);
}

static void far_accept(struct socket *listener, bool sink) {
    struct socket *made;
    while (socket_accept(far.stack, listener, &made) == 0)
        for (int i = 0; i < FAR_SOCKETS; i++)
            if (!far.sockets[i]) {
                far.sockets[i] = made;
                far.ends_ns[i] = sink ? world->now_ns + SINK_NS : NEVER;
                break;
            }
}

/* Writes back what can be read. */
static void far_echo(struct socket **place, uint64_t ends_ns) {
    static uint8_t bytes[65536];
    struct socket *socket = *place;
    unsigned ready = socket_poll(far.stack, socket);
    struct iovec piece = {bytes, sizeof bytes};
    struct socket_message message = {.pieces = &piece, .count = 1, .flags = MSG_PEEK};
    if (ends_ns <= world->now_ns) {
        socket_release(far.stack, socket);
        *place = NULL;
    }
    if (ends_ns != NEVER || !(ready & (POLLIN | POLLERR | POLLHUP)) ||
        (!(ready & POLLOUT) && !(ready & (POLLERR | POLLHUP))))
        return;
    ssize_t got = socket_receive(far.stack, socket, &message), sent = 0;
    if (got > 0) {
        piece.iov_len = (size_t)got;
        message.flags = 0;
        sent = socket_send(far.stack, socket, &message);
    }
    if (sent > 0) {
        piece.iov_len = (size_t)sent;
        socket_receive(far.stack, socket, &message);
    } else if (got != -EAGAIN && sent != -EAGAIN && sent != -ENOBUFS) {
        socket_release(far.stack, socket);
        *place = NULL;
    }
}

static void far_serve(void) {
    static uint8_t bytes[2000];
    struct iovec piece = {bytes, sizeof bytes};
    struct socket_message message = {.pieces = &piece, .count = 1};
    ssize_t length;
    far_accept(far.listeners[0], false);
    far_accept(far.listeners[1], true);
    for (int i = 0; i < FAR_SOCKETS; i++)
        if (far.sockets[i])
            far_echo(&far.sockets[i], far.ends_ns[i]);
    while ((length = socket_receive(far.stack, far.datagrams, &message)) >= 0) {
        struct iovec answer = {bytes, (size_t)length};
        struct socket_message back = {.pieces = &answer,
                                      .count = 1,
                                      .has_address = true,
                                      .address = message.address,
                                      .port = message.port};
        socket_send(far.stack, far.datagrams, &back);
        message = (struct socket_message){.pieces = &piece, .count = 1};
    }
    while (stack_next_event(far.stack))
        continue;
    stack_advance(far.stack, world->now_ns);
}

static struct buffer *chain_of(const uint8_t *bytes, uint32_t length) {
    struct buffer *first = NULL, **link = &first;
    while (length > 0) {
        struct buffer *buffer = buffer_take(&far.stack->buffers);
        if (!buffer)
            break;
        buffer->end = length < BUFFER_CAPACITY ? length : BUFFER_CAPACITY;
        memcpy(buffer->storage, bytes, buffer->end);
        bytes += buffer->end;
        length -= buffer->end;
        *link = buffer;
        link = &buffer->next;
    }
    return first;
}

/* Takes what the near side has sent off the interface's queue: one frame, or all. */
static void far_receive(void) {
    struct ring *ring = &world->sent;
    uint64_t count = ring->count ? 1 + model_random(ring->count) : 0;
    for (; count > 0; count--) {
        const uint8_t *frame = ring->frames[ring->first] + sizeof(struct virtio_net_hdr);
        uint32_t length = ring->length[ring->first] - (uint32_t)sizeof(struct virtio_net_hdr);
        struct buffer *chain = chain_of(frame, length);
        if (chain)
            stack_input(far.stack, world->now_ns, chain, STACK_INPUT_CHECKSUM_GOOD);
        ring->first = (ring->first + 1) % RING_MAX;
        ring->count--;
    }
    stack_advance(far.stack, world->now_ns);
    far.drains_ns = ring->count ? world->now_ns + model_random(world->plan.far_ns / 2) : NEVER;
}

/* Puts frames into the near side's NIC, and rings. */
static void far_send(void) {
    struct ring *ring = &world->received;
    bool any = false;
    struct frame *frame;
    while ((frame = stack_frame(far.stack, 0))) {
        if (ring->count < RING_MAX) {
            uint32_t place = (ring->first + ring->count) % RING_MAX;
            memset(ring->frames[place], 0, sizeof(struct virtio_net_hdr));
            ring->length[place] =
                (uint32_t)sizeof(struct virtio_net_hdr) +
                stack_frame_copy(frame, ring->frames[place] + sizeof(struct virtio_net_hdr));
            ring->count++;
            any = true;
        }
        stack_frames_sent(far.stack, 1);
        if (any && model_one_in(3))
            break; /* the rest comes later */
    }
    if (any) {
        send(world->nic_bell, "", 1, MSG_DONTWAIT);
        model_nic_rings();
    }
    far.sends_ns = stack_frame(far.stack, 0) ? world->now_ns + model_random(world->plan.far_ns) : NEVER;
}

static void far_run(void) {
    if (world->sent.count > 0 && far.drains_ns == NEVER)
        far.drains_ns = world->now_ns + model_random(world->plan.far_ns / 2);
    if (far.drains_ns <= world->now_ns)
        far_receive();
    if (stack_deadline(far.stack) <= world->now_ns)
        stack_advance(far.stack, world->now_ns);
    far_serve();
    if (stack_frame(far.stack, 0) && far.sends_ns == NEVER)
        far.sends_ns = world->now_ns + model_random(world->plan.far_ns);
    if (far.sends_ns <= world->now_ns)
        far_send();
}

/* --- processes --- */

static struct model_thread *enter(int number, bool keeper) {
    memset(&world->processes[number], 0, sizeof world->processes[number]);
    world->processes[number].state = PROCESS_ALIVE;
    world->processes[number].keeper = keeper;
    world->processes[number].parent = -1;
    return model_new_thread(number);
}

/* With an environment of its own: where things lie is the same everywhere. */
static pid_t start(struct model_thread *thread, const char *path, const char *preload, int ready) {
    char number[40], preloads[700], folder[100];
    char *arguments[] = {(char *)path, NULL}, *environment[] = {number,
                                                                preloads,
                                                                folder,
                                                                "BAREWIRE_NIC=packet:lo",
                                                                "BAREWIRE_ADDRESS=10.77.0.10/24",
                                                                "BAREWIRE_NAME=model",
                                                                "PATH=/usr/bin:/bin",
                                                                NULL};
    snprintf(number, sizeof number, "MODEL_THREAD=%d", (int)(thread - world->threads));
    snprintf(preloads, sizeof preloads, "LD_PRELOAD=%s", preload);
    snprintf(folder, sizeof folder, "XDG_RUNTIME_DIR=%s", director.folder);
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ready >= 0 ? ready : director.said, 2);
    posix_spawn_file_actions_adddup2(&actions, director.said, 1);
    if (posix_spawn(&pid, path, &actions, NULL, arguments, environment))
        abort();
    posix_spawn_file_actions_destroy(&actions);
    world->processes[thread->process].pid = pid;
    return pid;
}

static int pidfd_of(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool has_ended(pid_t pid, int patience_ms) {
    int fd = pidfd_of(pid);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    bool ended = fd < 0 || poll(&wait, 1, patience_ms) > 0;
    if (fd >= 0)
        close(fd);
    return ended;
}

/* The kernel marks a robust lock whose owner has died, and wakes one who sleeps on it. */
/* The kernel wakes the next also where the one who was woken for a lock that is free died before he took it
 * (list_op_pending, get_robust_list(2)). */
static void wake_heirs(void) {
    if (!director.mapped)
        return;
    if (!shared->lock.__data.__lock || shared->lock.__data.__lock & FUTEX_OWNER_DIED)
        model_wake(ON_MUTEX, (uintptr_t)&shared->lock, 1, -1);
    if (shared->keeper_life.__data.__lock & FUTEX_OWNER_DIED)
        model_wake(ON_WORD, (uintptr_t)&shared->keeper_life.__data.__lock, 1, -1);
}

static void see_off(int number) {
    if (!has_ended(world->processes[number].pid, PATIENCE_MS))
        model_fail("process %d does not end", number);
    model_process_dead(number);
    wake_heirs();
}

static void kill_one(int number) {
    model_tell("process %d is killed", number);
    kill(world->processes[number].pid, SIGKILL);
    see_off(number);
}

/* Waits for the token. False: somebody who has it has died, or does not give it back. */
static bool wait_for_token(void) {
    struct model_thread *self = model_self;
    for (int waited_ms = 0; !atomic_load(&self->token); waited_ms += 50) {
        struct timespec limit = {0, 50000000};
        syscall(SYS_futex, &self->token, FUTEX_WAIT, 0, &limit, NULL, 0);
        if (atomic_load(&self->token))
            break;
        struct model_thread *running = &world->threads[world->running];
        struct model_process *process = &world->processes[running->process];
        if (process->state == PROCESS_ALIVE && process->pid && has_ended(process->pid, 0) &&
            !atomic_load(&self->token)) {
            model_fail("process %d (%s) died by itself: %s", running->process,
                       process->keeper ? "the keeper" : "a program", running->at);
            return false;
        }
        if (waited_ms >= PATIENCE_MS) {
            model_fail("thread %d of process %d keeps the token: it sleeps on something that the model does "
                       "not know, or spins: %s",
                       world->running, running->process, running->at);
            return false;
        }
    }
    atomic_store(&self->token, 0);
    return true;
}

/* The director's turn is over until something is due. */
static bool sleep_until(uint64_t deadline_ns) {
    struct model_thread *self = model_self;
    self->state = THREAD_BLOCKED;
    self->reason = ON_TIME;
    self->deadline_ns = deadline_ns;
    self->retry = false;
    world->idle_seen &= world->idle;
    model_pass_on();
    if (!wait_for_token())
        return false;
    self->state = THREAD_RUNNABLE;
    return true;
}

/* --- what must hold --- */

/* The far host has all that it wants. */
bool pool_runs_out(void); /* of stack/memory/pool_poison.h */
bool pool_runs_out(void) {
    return false;
}

struct wanted {
    uint64_t socket;
    uint32_t events;
    bool ready;
};

static void look_at_socket(void *object, void *context) {
    struct socket *socket = object;
    struct wanted *wanted = context;
    if (socket->name == wanted->socket &&
        socket_poll(&shared->stack, socket) & (wanted->events | POLLERR | POLLHUP))
        wanted->ready = true;
}

static void check_sleeper(struct model_thread *thread) {
    struct wanted wanted = {thread->socket, thread->events, false};
    if (thread->state != THREAD_BLOCKED || world->processes[thread->process].keeper)
        return;
    if (thread->since_ns != NEVER && thread->since_ns && thread->at[0] &&
        world->now_ns - thread->since_ns > AT_ONE_THING_NS)
        model_fail("thread %d of process %d has been at '%s' for %llu s", (int)(thread - world->threads),
                   thread->process, thread->at,
                   (unsigned long long)((world->now_ns - thread->since_ns) / SECOND));
    if (!wanted.socket || (thread->reason != ON_WORD && thread->reason != ON_DESCRIPTORS))
        return;
    if (world->plan.no_memory && thread->deadline_ns != NEVER)
        return; /* for memory, by the clock */
    pool_walk(&shared->stack.sockets, look_at_socket, &wanted);
    if (wanted.ready)
        model_fail("thread %d of process %d sleeps in '%s' although socket %llu is ready",
                   (int)(thread - world->threads), thread->process, thread->at,
                   (unsigned long long)wanted.socket);
}

/* A queue of the interface's that is full holds the keeper up, and whom it is to wake: for 50 us at a time. */
static bool keeper_pauses(void) {
    for (int i = 1; i < THREADS_MAX; i++) {
        const struct model_thread *thread = &world->threads[i];
        if (thread->state == THREAD_BLOCKED && thread->reason == ON_TIME &&
            world->processes[thread->process].keeper)
            return true;
    }
    return false;
}

/* Nobody can go on. */
static void check_all(void) {
    uint32_t owner = (uint32_t)shared->lock.__data.__lock;
    if (!director.mapped || shared->broken || keeper_pauses())
        return;
    if (owner & FUTEX_TID_MASK && !(owner & FUTEX_OWNER_DIED))
        model_fail("everybody sleeps, and thread %u of the machine has the lock", owner & FUTEX_TID_MASK);
    else
        for (int i = 1; i < THREADS_MAX; i++)
            check_sleeper(&world->threads[i]);
    if (!world->received.count)
        director.in_nic_ns = NEVER;
    else if (director.in_nic_ns == NEVER)
        director.in_nic_ns = world->now_ns;
    else if (world->now_ns - director.in_nic_ns > IN_NIC_NS && world->processes[1].state == PROCESS_ALIVE)
        model_fail("%u frames lie in the NIC, and nobody takes them in", world->received.count);
}

/* --- a seed --- */

static int alive_programs(void) {
    int count = 0;
    for (int i = 2; i < PROCESSES_MAX; i++)
        count += world->processes[i].state == PROCESS_ALIVE;
    return count;
}

static int any_program(void) {
    int found = -1;
    uint64_t seen = 0;
    for (int i = 2; i < PROCESSES_MAX; i++)
        if (world->processes[i].state == PROCESS_ALIVE && model_random(++seen) == 0)
            found = i;
    return found;
}

/* A signal, a death, a wake-up for nothing. */
static void strike(void) {
    int number = any_program();
    const struct model_plan *plan = &world->plan;
    director.strikes_ns = world->now_ns + model_random(2 * MS);
    if (number < 0 || !world->ready)
        return;
    if (plan->signals && model_one_in(2))
        world->processes[number].pending |= 1u << (SIGUSR1 - 1);
    if (plan->jumps && model_one_in(4))
        world->processes[number].pending |= 1u << (SIGUSR2 - 1);
    if (plan->spurious && model_one_in(3))
        for (int i = 1; i < THREADS_MAX; i++)
            if (world->threads[i].state == THREAD_BLOCKED && world->threads[i].reason == ON_WORD &&
                model_one_in(3))
                world->threads[i].retry = true;
    if (plan->kills && director.kills > 0 && model_one_in(12) && world->now_ns > 20 * MS) {
        director.kills--;
        kill_one(number);
    }
}

static bool map_region(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", director.keeper_pid, world->region);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    director.mapped =
        fd >= 0 && mmap((void *)SHARED_BASE, SHARED_BYTES, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd, 0) == (void *)SHARED_BASE;
    if (fd >= 0)
        close(fd);
    return director.mapped;
}

static void choose_plan(uint64_t seed) {
    struct model_plan *plan = &world->plan;
    static const uint32_t every[] = {0, 8, 40, 200, 1000}, stay[] = {0, 30, 80, 95},
                          room[] = {1, 3, RING_MAX}, far_ns[] = {100000, 100000, 4000}, busy[] = {0, 50, 100};
    *plan = (struct model_plan){
        .seed = seed,
        .preempt_every = every[model_random(5)],
        .stay_percent = stay[model_random(4)],
        .send_room = room[model_random(3)],
        .threads = 1 + (uint32_t)model_random(3),
        .children = (uint32_t)model_random(4),
        .rounds = 2 + (uint32_t)model_random(6),
        .signals = model_one_in(2),
        .jumps = model_one_in(6),
        .kills = model_one_in(3),
        .spurious = model_one_in(2),
        .no_descriptors = model_one_in(8),
        .no_memory = seed % 8 == 5,
        .exits_slowly = model_one_in(3),
        .far_ns = far_ns[model_random(3)],
        .busy_percent = busy[model_random(3)],
    };
    director.kills = plan->kills ? 1 + (int)model_random(3) : 0;
    world->deaths = plan->kills ? (int)model_random(4) : 0;
}

static uint64_t earliest(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Everybody's life, until nobody is left. */
static void live(int ready) {
    char word[400];
    bool up = false;
    while (!world->failed) {
        far_run();
        if (world->idle)
            check_all();
        for (int i = 1; i < PROCESSES_MAX; i++)
            if (world->processes[i].state == PROCESS_LEAVING)
                see_off(i);
            else if (world->processes[i].state == PROCESS_ALIVE && world->processes[i].doomed)
                kill_one(i);
        if (up && director.strikes_ns <= world->now_ns)
            strike();
        if (!up) {
            ssize_t length = read(ready, word, sizeof word - 1);
            word[length > 0 ? length : 0] = 0;
            if (length > 0 && strcmp(word, "ready") != 0)
                model_fail("the keeper says: %s", word);
            if (length > 0 && !world->failed && !(up = map_region()))
                model_fail("the region can't be mapped");
            if (up) {
                director.program_pid = start(enter(2, false), director.program, director.preload, -1);
                director.strikes_ns = world->now_ns + model_random(5 * MS);
            }
        }
        if (up && !alive_programs() && world->processes[1].state == PROCESS_DEAD)
            return;
        if (up && world->processes[1].state == PROCESS_DEAD)
            model_fail("the keeper has left, and programs are there");
        if (world->now_ns > LIFE_NS)
            model_fail("it does not end: %s", alive_programs() ? "programs are at work" : "the keeper stays");
        uint64_t strikes_ns = up && alive_programs() ? director.strikes_ns : NEVER;
        if (!sleep_until(earliest(earliest(stack_deadline(far.stack), earliest(far.sends_ns, far.drains_ns)),
                                  earliest(strikes_ns, world->now_ns + SECOND))))
            return;
    }
}

static void end_all(void) {
    for (int i = 1; i < PROCESSES_MAX; i++)
        if (world->processes[i].pid &&
            (world->processes[i].state == PROCESS_ALIVE || world->processes[i].state == PROCESS_LEAVING))
            kill(world->processes[i].pid, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
    if (director.mapped)
        munmap((void *)SHARED_BASE, SHARED_BYTES);
    director.mapped = false;
}

static bool run_seed(uint64_t seed, bool trace) {
    int ready[2], epoll_eventfd[2];
    char word[400];
    struct stat status;
    size_t head = offsetof(struct model_world, received);
    memset(world, 0, head);
    world->received.first = world->received.count = world->sent.first = world->sent.count = 0;
    memset((char *)world + offsetof(struct model_world, threads), 0,
           sizeof *world - offsetof(struct model_world, threads));
    world->random = seed;
    world->trace = trace;
    world->now_ns = SECOND;
    choose_plan(seed);
    world->processes[0].state = PROCESS_LEAVING; /* the director's own: nobody else's */
    model_self = model_new_thread(0);
    director.in_nic_ns = director.strikes_ns = NEVER;
    if (!trace && (ftruncate(director.said, 0) < 0 || lseek(director.said, 0, SEEK_SET) < 0))
        abort();
    if (pipe2(ready, O_CLOEXEC | O_NONBLOCK) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, epoll_eventfd) < 0)
        abort();
    dup2(epoll_eventfd[0], NIC_FD);
    close(epoll_eventfd[0]);
    fstat(NIC_FD, &status);
    world->nic_inode = status.st_ino;
    world->nic_bell = epoll_eventfd[1];
    fcntl(epoll_eventfd[1], F_SETFD, FD_CLOEXEC);
    far_create();
    director.keeper_pid = start(enter(1, true), director.keeper, director.seam, ready[1]);
    close(ready[1]);
    live(ready[0]);
    ssize_t length = world->failed ? read(ready[0], word, sizeof word - 1) : 0;
    if (length > 0)
        printf("the keeper says: %.*s\n", (int)length, word);
    if (!world->failed) /* else the table of threads is to be shown */
        model_tell("all have ended");
    end_all();
    far_destroy();
    close(ready[0]);
    close(epoll_eventfd[1]);
    total_steps += world->steps;
    total_switches += world->switches;
    total_virtual_ns += world->now_ns;
    return !world->failed;
}

static void show_said(void) {
    char text[4096];
    ssize_t length = pread(director.said, text, sizeof text, 0);
    for (char *line = text, *end; length > 0 && line < text + length; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + length - line));
        if (!end)
            end = text + length;
        printf("    %.*s\n", (int)(end - line), line);
    }
}

static void make_folder(void) {
    snprintf(director.folder, sizeof director.folder, "/tmp/barewire-model-XXXXXX");
    if (!mkdtemp(director.folder))
        abort();
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_folder(void) {
    nftw(director.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* What a seed leaves behind, in the director or in the machine, must not change the next one. */
static bool is_same_again(uint64_t seed) {
    uint64_t print = world->print, steps = world->steps;
    make_folder();
    bool passed = run_seed(seed, false);
    remove_folder();
    if (passed && world->print != print)
        model_fail("another order of events when it is run again: %llu steps, then %llu",
                   (unsigned long long)steps, (unsigned long long)world->steps);
    return passed && !world->failed;
}

/* What each thread is at. */
static void show_threads(void) {
    static const char *const reasons[] = {"time",        "a futex",  "a mutex",
                                          "descriptors", "a thread", "a process"};
    for (int i = 1; i < THREADS_MAX; i++) {
        const struct model_thread *thread = &world->threads[i];
        if (thread->state != THREAD_RUNNABLE && thread->state != THREAD_BLOCKED)
            continue;
        printf("    %2d.%-2d %s %s%s%s%s\n", thread->process, i,
               thread->state == THREAD_BLOCKED ? "sleeps on" : "runs",
               thread->state == THREAD_BLOCKED ? reasons[thread->reason] : "",
               thread->since_ns != NEVER ? " in '" : "", thread->since_ns != NEVER ? thread->at : "",
               thread->since_ns != NEVER ? "'" : "");
    }
}

static void find_files(void) {
    char folder[200];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[length > 0 ? length : 0] = 0;
    for (int up = 0; up < 2; up++)
        *strrchr(folder, '/') = 0;
    snprintf(director.keeper, sizeof director.keeper, "%s/barewire-keeper", folder);
    snprintf(director.seam, sizeof director.seam, "%s/tests/model_seam.so", folder);
    snprintf(director.program, sizeof director.program, "%s/tests/model_program", folder);
    snprintf(director.preload, sizeof director.preload, "%s/libbarewire.so %s", folder, director.seam);
}

int main(int count, char **arguments) {
    bool trace = count == 3 && strcmp(arguments[1], "--trace") == 0;
    uint64_t first = trace       ? strtoull(arguments[2], NULL, 10)
                     : count > 1 ? strtoull(arguments[1], NULL, 10)
                                 : 1;
    uint64_t seeds = trace ? 1 : count > 2 ? strtoull(arguments[2], NULL, 10) : 500, failed = 0;
    if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE) && personality(ADDR_NO_RANDOMIZE) >= 0)
        execv("/proc/self/exe", arguments);
    cpu_set_t one; /* one runs at a time: on one processor a hand-over is a switch */
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    /* Where a stack's address is taken is a matter of the network namespace. */
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        printf("no network namespace of its own: %s\n", strerror(errno));
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGPIPE, SIG_IGN);
    find_files();
    int fd = (int)syscall(SYS_memfd_create, "model", 0);
    if (fd < 0 || ftruncate(fd, sizeof *world) < 0 || dup2(fd, WORLD_FD) < 0 ||
        mmap((void *)WORLD_BASE, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
             0) != (void *)WORLD_BASE) {
        printf("the model's memory can't be made: %s\n", strerror(errno));
        return 1;
    }
    close(fd);
    dup2(1, TRACE_FD);
    director.said = trace ? dup(1) : (int)syscall(SYS_memfd_create, "said", MFD_CLOEXEC);
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        make_folder(); /* what another keeper has left would change what this one does */
        bool passed = run_seed(seed, trace);
        remove_folder();
        if (passed && !trace && seed % AGAIN_EVERY == 0)
            passed = is_same_again(seed);
        if (passed)
            continue;
        failed++;
        printf("seed %llu: %s\n", (unsigned long long)seed, world->failure);
        show_threads();
        if (!trace)
            show_said();
        printf("    again: %s --trace %llu\n", arguments[0], (unsigned long long)seed);
        fflush(stdout);
    }
    printf("%llu steps, %llu switches, %llu s of virtual time\n", (unsigned long long)total_steps,
           (unsigned long long)total_switches, (unsigned long long)(total_virtual_ns / SECOND));
    printf("%llu passed, %llu failed, 0 skipped\n", (unsigned long long)(seeds - failed),
           (unsigned long long)failed);
    return failed > 0;
}
