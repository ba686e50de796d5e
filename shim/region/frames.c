/* SPDX-License-Identifier: MIT */
/*
 * frames.c - see frames.h.
 *
 * Theory of operation. Who sends takes frames from the front of the stack's ring, where they stay until they
 * have been sent, sends them without the lock from their buffers, and drops them from the ring. No signal's
 * handler runs meanwhile, nor does a signal stop the process. Who receives has buffers of its process's own
 * to receive into; it may be stopped then, and the keeper takes the turn over.
 */
#include "shim/region/frames.h"
#include "shim/region/lock.h"
#include "shim/region/wake.h"
#include "stack/repair.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#define FRAME_PIECES_MAX (1 + BUFFER_PIECES_MOST(NIC_FRAME_MAX)) /* its header, and the longest payload */
#define SEND_PIECES 544
static_assert(FRAME_PIECES_MAX <= NIC_PIECES_MAX, "a NIC takes what the stack sends");
#define BATCHES_MAX 32 /* received in one go */
#define BULK 32        /* frames: a program that sends so much goes on, and the keeper sends it meanwhile */

#define DEFER_NS 250000
#define LEAVE_PATIENCE_NS UINT64_C(1000000000)
#define DEFER_FRAMES 32

struct nic *frames_nic;

/* What this thread has still to do of a batch of events. */
static __thread struct {
    int sockets;                 /* that it will send on, beside the latest */
    const struct socket *latest; /* just compared */
    uint64_t since_ns, until_ns; /* when frames were sent last; for how long others may wait since */
} expected __attribute__((tls_model("initial-exec")));

/* What this process knows of a turn of its own. */
struct own_lease {
    bool in_use;     /* by a thread that may have lost its turn since */
    uint32_t number; /* of the turn */
    struct nic *nic; /* of the turn: frames_nic may be given up meanwhile */
};

static struct {
    struct own_lease own;
    struct iovec pieces[SEND_PIECES];
    struct nic_frame frames[FRAMES_AT_ONCE];
} sending;

static struct {
    struct own_lease own;
    struct iovec pieces[RECEPTION_BATCH][RECEPTION_PIECES];
    struct nic_frame frames[RECEPTION_BATCH];
} receiving;

static bool is_keeper(void) {
    return wake_self && wake_self->pid == shared->keeper_pid;
}

/* Whether this process reaches the NIC, and is to use it. */
static bool has_way(void) {
    return frames_nic && (shared->receiving.state != RECEIVING_OFFLOADED || is_keeper());
}

static void own_lease_begin(struct own_lease *own, uint32_t number) {
    own->number = number;
    own->nic = frames_nic;
    own->in_use = true;
}

void frames_coalesce(int events) {
    expected.sockets = events > 1 ? events - 1 : 0;
    expected.latest = NULL;
}

void frames_coalesced(const struct socket *socket) {
    if (expected.latest != socket && expected.sockets > 0) {
        expected.latest = socket;
        expected.sockets--;
    }
}

bool frames_are_coalescing(void) {
    if (!expected.sockets || shared->receiving.state != RECEIVING_POLLED || !stack_frame(&shared->stack, 0))
        return false;
    if (expected.since_ns != shared->sending.since_ns) {
        expected.since_ns = shared->sending.since_ns; /* the first since frames were sent last */
        expected.until_ns = shared->stack.now_ns + DEFER_NS;
    }
    return shared->stack.now_ns < expected.until_ns && !stack_frame(&shared->stack, DEFER_FRAMES);
}

static bool may_take(void) {
    if (!has_way() || sending.own.in_use || !stack_frame(&shared->stack, 0) || frames_are_coalescing())
        return false;
    if (!is_keeper() && stack_frame(&shared->stack, BULK))
        return false;
    return !shared->sending.owner;
}

static uint64_t note_of(const struct frame *frame) {
    uint64_t note = 0;
    static_assert(sizeof frame->note <= sizeof note, "a note fits");
    memcpy(&note, &frame->note, sizeof frame->note);
    return note;
}

bool frames_may_borrow(void) {
    return has_way() && !sending.own.in_use && !shared->sending.owner && !expected.sockets &&
           !stack_frame(&shared->stack, 0);
}

void frames_materialise(void) {
    if (!shared->sending.owner)
        stack_frames_keep(&shared->stack);
}

int frames_tx_acquire(void) {
    struct frame *frame;
    int count = 0, pieces = 0;
    if (!may_take())
        return 0;
    while (count < FRAMES_AT_ONCE && pieces + FRAME_PIECES_MAX <= SEND_PIECES &&
           (frame = stack_frame(&shared->stack, (uint32_t)count))) {
        struct iovec *own = &sending.pieces[pieces];
        /* What is lent lies in a program's memory, and is sent by that: in the keeper's the address means
         * nothing. */
        bool foreign = frame->borrowed && is_keeper();
        int more = foreign ? -1 : frame_pieces(frame, own + 1, FRAME_PIECES_MAX - 1);
        own[0] = (struct iovec){frame->header, frame->header_length};
        if (more < 0)
            own[0].iov_len = more = 0; /* the NIC refuses it */
        sending.frames[count++] =
            (struct nic_frame){.pieces = own,
                               .piece_count = 1 + more,
                               .note = note_of(frame),
                               .segment = frame->segment,
                               .checksum_start = frame->checksum_offset ? frame->transport_at : 0,
                               .checksum_offset = frame->checksum_offset};
        pieces += sending.frames[count - 1].piece_count;
    }
    own_lease_begin(&sending.own, lease_begin(&shared->sending, wake_self, shared->stack.now_ns));
    return count;
}

/* A thread that is cancelled must not take its turn with it: system calls are cancellation points. */
static int hold_cancel(void) {
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

int frames_tx_submit(int count) {
    int sent = 0, cancel = hold_cancel();
    while (sent < count) {
        int result = nic_send(sending.own.nic, sending.frames + sent, count - sent);
        if (result == -EAGAIN)
            break;
        sent += result > 0 ? result : 1; /* given up: TCP sends it again */
    }
    pthread_setcancelstate(cancel, NULL);
    return sent;
}

bool frames_sending(void) {
    return sending.own.in_use && shared->sending.owner == wake_self;
}

struct nic *frames_leave_nic(void) {
    uint64_t end_ns = clock_now() + LEAVE_PATIENCE_NS;
    bool used;
    region_enter();
    struct nic *nic = frames_nic;
    frames_nic = NULL;
    wake_self->receives = false;
    region_leave();
    do {
        region_enter();
        used = sending.own.in_use || receiving.own.in_use;
        region_leave();
    } while (used && clock_now() < end_ns && sched_yield() == 0);
    return used ? NULL : nic;
}

void frames_tx_complete(int count) {
    sending.own.in_use = false;
    if (shared->broken || !lease_end(&shared->sending, wake_self, sending.own.number))
        return; /* it was repaired meanwhile */
    for (int i = 0; i < count; i++) {
        const struct frame *frame = stack_frame(&shared->stack, (uint32_t)i);
        shared->moved_bytes += frame ? frame->header_length + frame->payload_length : 0;
    }
    stack_frames_sent(&shared->stack, (uint32_t)count);
}

void frames_forked(void) {
    sending.own.in_use = receiving.own.in_use = false; /* by threads of the parent's */
}

/* The buffers that this process receives a frame into. */
static struct buffer **reception(int frame) {
    return is_keeper() ? shared->receptions[frame] : wake_self->receptions[frame];
}

static int reception_count(void) {
    return is_keeper() ? RECEPTION_BATCH : RECEPTION_OWN;
}

/* Makes sure that a reception has all its buffers. Returns how many pieces it has. */
static int fill(int frame) {
    struct buffer **buffers = reception(frame);
    int count = 0;
    for (; count < (int)RECEPTION_PIECES; count++) {
        if (!buffers[count] && !(buffers[count] = buffer_take(&shared->stack.buffers)))
            break;
        receiving.pieces[frame][count] = (struct iovec){buffers[count]->storage, BUFFER_CAPACITY};
    }
    return count;
}

/* Makes a chain of the buffers that a frame filled. */
static struct buffer *chain_of(int frame, uint32_t length) {
    struct buffer **buffers = reception(frame);
    struct buffer *first = buffers[0], **link = &first;
    for (int i = 0; length > 0; i++) {
        struct buffer *buffer = buffers[i];
        buffers[i] = NULL;
        buffer->end = length < BUFFER_CAPACITY ? length : BUFFER_CAPACITY;
        length -= buffer->end;
        *link = buffer;
        link = &buffer->next;
    }
    return first;
}

bool frames_may_receive(void) {
    return has_way() && wake_self && !is_keeper();
}

bool frames_rx_acquire(void) {
    uint32_t number;
    if (!frames_nic || receiving.own.in_use) {
        receiving_await(&shared->receiving);
        return false;
    }
    if (!receiving_begin(&shared->receiving, wake_self, is_keeper(), shared->stack.now_ns, &number))
        return false;
    for (int i = 0; i < reception_count(); i++)
        receiving.frames[i] = (struct nic_frame){.pieces = receiving.pieces[i], .piece_count = fill(i)};
    own_lease_begin(&receiving.own, number);
    wake_self->receives = true;
    return true;
}

int frames_rx_read(void) {
    int cancel = hold_cancel();
    int count = nic_receive(receiving.own.nic, receiving.frames, reception_count());
    pthread_setcancelstate(cancel, NULL);
    return count;
}

bool frames_rx_complete(int count) {
    bool partial = receiving.own.nic->facts.features & NIC_CHECKSUM_PARTIAL;
    uint64_t now_ns = shared->stack.now_ns;
    uint32_t bytes = 0;
    receiving.own.in_use = false;
    if (shared->broken)
        return false;
    for (int i = 0; i < count; i++)
        bytes += receiving.frames[i].length;
    shared->moved_bytes += bytes;
    for (int i = 0; i < count; i++)
        if (receiving.frames[i].length > 0)
            stack_input(&shared->stack, now_ns, chain_of(i, receiving.frames[i].length),
                        (partial ? STACK_INPUT_CHECKSUM_PARTIAL : 0) |
                            (receiving.frames[i].checksum_good ? STACK_INPUT_CHECKSUM_GOOD : 0));
    if (count > 0)
        stack_advance(&shared->stack, now_ns);
    bool awaited = receiving_end(&shared->receiving, wake_self, receiving.own.number, count, bytes);
    return count == reception_count() || awaited;
}

bool frames_rx_is_due(uint64_t age_ns) {
    return receiving_is_due(&shared->receiving, age_ns, shared->stack.now_ns) && !shared->broken &&
           frames_may_receive();
}

void frames_rx_poll_due_at(struct lock_place *place, uint64_t age_ns) {
    if (!frames_rx_is_due(age_ns))
        return;
    region_leave();
    frames_rx_poll();
    region_enter_at(place);
}

int frames_rx_poll(void) {
    bool again = true;
    int count = 0;
    for (int batches = 0; again && count >= 0; batches++) {
        if (batches == BATCHES_MAX)
            return -EAGAIN;
        region_enter();
        bool may = is_keeper() || frames_may_receive(), open = may && !shared->broken && frames_rx_acquire();
        if (!open) {
            region_leave();
            return may ? 0 : -EPERM;
        }
        shared_hold_signals(); /* a handler that jumps away would leave the turn behind */
        region_let_go();
        count = frames_rx_read();
        region_enter();
        shared_free_signals();
        again = frames_rx_complete(count);
        region_leave();
    }
    return count < 0 ? count : 0;
}

void frames_hold(void) {
    struct list *link, *next;
    for (int i = 0; i < RECEPTION_BATCH * (int)RECEPTION_PIECES; i++)
        stack_repair_hold(&shared->stack, (&shared->receptions[0][0])[i]);
    list_for_each(link, next, &shared->process_list) {
        struct process *process = container_of(link, struct process, link);
        for (int i = 0; i < RECEPTION_OWN * (int)RECEPTION_PIECES; i++)
            stack_repair_hold(&shared->stack, (&process->receptions[0][0])[i]);
    }
}

bool frames_wait(void) {
    return stack_frame(&shared->stack, 0) && !shared->sending.owner;
}

void frames_reap(struct process *process) {
    const struct frame *frame = stack_frame(&shared->stack, 0);
    if (lease_reap(&shared->sending, process) && frame && frame->borrowed)
        stack_frames_sent(&shared->stack, 1); /* its memory is gone, sent or not */
    lease_reap(&shared->receiving.lease, process);
    for (int i = 0; i < RECEPTION_OWN * (int)RECEPTION_PIECES; i++) {
        struct buffer **buffer = &process->receptions[0][0] + i;
        buffer_drop_chain(&shared->stack.buffers, *buffer); /* of one; or NULL */
        *buffer = NULL;
    }
}

void frames_repair(void) {
    lease_revoke(&shared->sending);
    lease_revoke(&shared->receiving.lease);
}
