/*
 * frames.c - see frames.h.
 *
 * Theory of operation. Who sends takes frames from the front of the stack's ring, where they stay until they
 * have been sent, sends them without the lock from their buffers, and drops them from the ring. Headers are
 * copied, since the ring's slots would be used again if the turn were taken away.
 *
 * That happens when its owner is stopped (SIGSTOP, a debugger) between its last two steps. The keeper sends
 * the frames then; their buffers are parked until the owner goes on, for it may be just about to send them.
 */
#include "frames.h"
#include "wake.h"
#include <errno.h>
#include <string.h>

#define FRAME_PIECES_MAX 48 /* of the longest packet, in buffers */
#define SEND_PIECES 512

struct nic *frames_nic;

static struct {
    bool in_use;     /* by a thread that may have lost its turn since */
    uint32_t number; /* of the turn */
    struct nic *nic; /* of the turn: frames_nic may be given up meanwhile */
    uint8_t headers[FRAMES_AT_ONCE][FRAME_HEADER_MAX];
    struct iovec pieces[SEND_PIECES];
    struct nic_frame frames[FRAMES_AT_ONCE];
} sending;

static bool is_keeper(void) {
    return wake_self && wake_self->pid == shared->keeper_pid;
}

/* Keeps what a stopped owner holds. False: so many are stopped that there is no place. */
static bool park(void) {
    struct turn *turn = &shared->sending;
    for (int i = 0; i < PARKED_MAX; i++) {
        struct parked *parked = &shared->parked[i];
        if (parked->count > 0)
            continue;
        parked->owner = turn->owner;
        parked->number = turn->number;
        while (parked->count < turn->count) {
            struct frame *frame = stack_frame(&shared->stack, parked->count);
            parked->ranges[parked->count++] =
                (struct parked_range){.payload = frame->payload, .length = frame->payload_length};
            buffer_hold_range(frame->payload, frame->payload_length);
        }
        return true;
    }
    return false;
}

static void unpark(struct parked *parked) {
    while (parked->count > 0) {
        struct parked_range *range = &parked->ranges[--parked->count];
        buffer_drop_range(&shared->stack.buffers, range->payload, range->length);
    }
}

static bool may_take(void) {
    struct turn *turn = &shared->sending;
    if (!frames_nic || sending.in_use || !stack_frame(&shared->stack, 0))
        return false;
    if (!turn->owner)
        return true;
    return is_keeper() && shared->stack.now_ns - turn->since_ns > FRAMES_TURN_NS && park();
}

int frames_take(void) {
    struct turn *turn = &shared->sending;
    struct frame *frame;
    int count = 0, pieces = 0;
    if (!may_take())
        return 0;
    while (count < FRAMES_AT_ONCE && pieces + FRAME_PIECES_MAX <= SEND_PIECES &&
           (frame = stack_frame(&shared->stack, (uint32_t)count))) {
        struct iovec *own = &sending.pieces[pieces];
        int more = buffer_range_pieces(frame->payload, frame->payload_length, own + 1, FRAME_PIECES_MAX - 1);
        memcpy(sending.headers[count], frame->header, frame->header_length);
        own[0] = (struct iovec){sending.headers[count], frame->header_length};
        if (more < 0)
            own[0].iov_len = more = 0; /* can't be: the NIC refuses it */
        sending.frames[count++] = (struct nic_frame){.pieces = own, .piece_count = 1 + more};
        pieces += sending.frames[count - 1].piece_count;
    }
    turn->owner = wake_self;
    turn->count = (uint32_t)count;
    turn->since_ns = shared->stack.now_ns;
    sending.number = ++turn->number;
    sending.nic = frames_nic;
    sending.in_use = true;
    return count;
}

int frames_send(int count) {
    int sent = 0;
    while (sent < count) {
        int result = nic_send(sending.nic, sending.frames + sent, count - sent);
        if (result == -EAGAIN)
            break;
        sent += result > 0 ? result : 1; /* given up: TCP sends it again */
    }
    return sent;
}

void frames_sent(int count) {
    struct turn *turn = &shared->sending;
    sending.in_use = false;
    if (shared->broken)
        return;
    if (turn->number == sending.number && turn->owner == wake_self) {
        turn->owner = NULL;
        stack_frames_sent(&shared->stack, (uint32_t)count);
        return;
    }
    for (int i = 0; i < PARKED_MAX; i++)
        if (shared->parked[i].owner == wake_self && shared->parked[i].number == sending.number)
            unpark(&shared->parked[i]);
}

void frames_forked(void) {
    sending.in_use = false; /* by a thread of the parent's */
}

bool frames_wait(void) {
    const struct turn *turn = &shared->sending;
    return stack_frame(&shared->stack, 0) &&
           (!turn->owner || shared->stack.now_ns - turn->since_ns > FRAMES_TURN_NS);
}

void frames_settle(const struct process *process) {
    if (shared->sending.owner == process)
        shared->sending.owner = NULL;
    for (int i = 0; i < PARKED_MAX; i++)
        if (shared->parked[i].owner == process)
            unpark(&shared->parked[i]);
}

void frames_repair(void) {
    shared->sending.owner = NULL;
    shared->sending.number++;
    for (int i = 0; i < PARKED_MAX; i++)
        shared->parked[i].count = 0; /* the buffers' counts are made anew without them */
}
