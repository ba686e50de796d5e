/*
 * keeper_frames.c - frames between a NIC whose handle is the keeper's alone and the stack.
 *
 * Two threads. The receiver waits for the NIC, fills packet buffers without the lock, and hands a batch to
 * the stack under it. The transmitter sleeps on the doorbell until a program has something to send or a timer
 * is due. Either may find frames to send; one at a time sends them, in order, and does so without the lock,
 * from copies.
 */
#include "keeper.h"
#include "lock.h"
#include "wake.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SEND_BATCH 128
#define FRAME_PIECES_MAX 48 /* of the longest packet, in buffers */
#define SEND_PIECES (4 * SEND_BATCH)
#define BUSY_PAUSE_NS 50000 /* when the interface's queue is full */
#define BUSY_PAUSES_MAX 200 /* 10 ms, then the frame is given up, as a full queue would */
#define DOWN_PAUSE_NS 100000000
#define FAREWELL_MS 500 /* for a server that does not answer ARP */

/* For each frame of a batch buffers (shared->receptions) that it can be received into. */
static struct iovec reception_pieces[RECEPTION_BATCH][RECEPTION_PIECES];
static struct nic_frame received[RECEPTION_BATCH];

static struct {
    bool active; /* a thread is sending */
    struct iovec pieces[SEND_PIECES];
    struct nic_frame frames[SEND_BATCH];
} sending;

/* Makes sure that a reception has all its buffers. The lock is held. Returns how many pieces it has. */
static int reception_fill(int frame) {
    int count = 0;
    for (; count < (int)RECEPTION_PIECES; count++) {
        struct buffer **buffer = &shared->receptions[frame][count];
        if (!*buffer && !(*buffer = buffer_take(&shared->stack.buffers)))
            break;
        reception_pieces[frame][count] = (struct iovec){(*buffer)->storage, BUFFER_CAPACITY};
    }
    return count;
}

/* Makes a chain of the buffers that a frame filled. */
static struct buffer *reception_take(int frame, uint32_t length) {
    struct buffer **buffers = shared->receptions[frame];
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

static void fill_receptions(void) {
    for (int i = 0; i < RECEPTION_BATCH; i++) {
        received[i].pieces = reception_pieces[i];
        received[i].piece_count = reception_fill(i);
    }
}

/* Takes frames from the stack's queue, where they stay until they have been sent: their buffers are held
 * there, and sent from. The lock is held. */
static int take_frames(void) {
    struct frame *frame;
    int count = 0, pieces = 0;
    while (count < SEND_BATCH && pieces + FRAME_PIECES_MAX <= SEND_PIECES &&
           (frame = stack_frame(&shared->stack, (uint32_t)count))) {
        struct iovec *own = &sending.pieces[pieces];
        int more = buffer_range_pieces(frame->payload, frame->payload_length, own + 1, FRAME_PIECES_MAX - 1);
        own[0] = (struct iovec){frame->header, frame->header_length};
        if (more < 0)
            own[0].iov_len = more = 0; /* can't be: the NIC refuses it */
        sending.frames[count++] = (struct nic_frame){.pieces = own, .piece_count = 1 + more};
        pieces += sending.frames[count - 1].piece_count;
    }
    return count;
}

static void pause_for(long ns) {
    struct timespec time = {0, ns};
    nanosleep(&time, NULL);
}

static void send_frames(int count) {
    int sent = 0, pauses = 0;
    while (sent < count) {
        int result = nic_send(keeper.nic, sending.frames + sent, count - sent);
        if (result > 0) {
            sent += result;
            pauses = 0;
        } else if (result == -EAGAIN && pauses++ < BUSY_PAUSES_MAX) {
            pause_for(BUSY_PAUSE_NS);
        } else {
            sent++; /* given up: TCP sends it again */
        }
    }
}

/* Sends all that waits, unless the other thread is at it. The lock is held, and let go meanwhile. */
static void transmit(void) {
    int count;
    if (sending.active)
        return;
    sending.active = true;
    while (!shared->broken && (count = take_frames()) > 0) {
        shared_unlock();
        send_frames(count);
        shared_lock();
        if (!shared->broken)
            stack_frames_sent(&shared->stack, (uint32_t)count);
        if (!shared->broken)
            stack_advance(&shared->stack, clock_now());
    }
    sending.active = false;
}

bool keeper_frames_waiting(void) {
    return sending.active || stack_frame(&shared->stack, 0);
}

/* A conflict that shows while the stack is young means that the address was never ours. */
#define YOUNG_NS UINT64_C(2000000000)

static void check_conflict(void) {
    static uint32_t seen;
    static uint64_t born_ns;
    struct stack *stack = &shared->stack;
    if (!born_ns)
        born_ns = stack->now_ns;
    if (stack->arp.conflicts == seen || stack->dhcp.state != DHCP_OFF)
        return; /* DHCP has asked before it took the address */
    seen = stack->arp.conflicts;
    if (stack->now_ns - born_ns > YOUNG_NS)
        return; /* defended: RFC 5227 section 2.4 (b) */
    const uint8_t *mac = stack->arp.conflict_mac;
    uint32_t address = stack->config.address;
    char message[SHARED_MESSAGE_BYTES];
    snprintf(message, sizeof message,
             "address %u.%u.%u.%u is in use on the link by %02x:%02x:%02x:%02x:%02x:%02x; choose another",
             address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255, mac[0], mac[1], mac[2],
             mac[3], mac[4], mac[5]);
    shared->refused = true;
    shared_break(message);
    eventfd_write(keeper.leave, 1);
}

void keeper_frames_receive(void) {
    unsigned flags = keeper.nic->facts.features & NIC_CHECKSUM_PARTIAL ? STACK_INPUT_CHECKSUM_PARTIAL : 0;
    int count = nic_receive(keeper.nic, received, RECEPTION_BATCH);
    if (count == -ENETDOWN) {
        pause_for(DOWN_PAUSE_NS); /* it may come up again */
        return;
    }
    shared_lock();
    if (count < 0) {
        shared_break("the interface is gone");
        eventfd_write(keeper.leave, 1);
        shared_unlock();
        return;
    }
    uint64_t now_ns = shared->stack.now_ns;
    for (int i = 0; i < count && !shared->broken; i++) {
        if (received[i].length > 0)
            stack_input(&shared->stack, now_ns, reception_take(i, received[i].length), flags);
    }
    if (!shared->broken) {
        fill_receptions();
        stack_advance(&shared->stack, now_ns);
        check_conflict();
        transmit();
    }
    shared_unlock();
}

/* Receives, while the transmitter's thread sends, until that is so. */
static bool await(bool (*is_so)(const struct stack *stack), int patience_ms) {
    uint64_t end_ns = clock_now() + (uint64_t)patience_ms * UINT64_C(1000000);
    struct pollfd nic = {.fd = keeper.nic->descriptor, .events = POLLIN};
    for (;;) {
        shared_lock();
        bool so = !shared->broken && is_so(&shared->stack), broken = shared->broken;
        shared_unlock();
        if (so || broken || clock_now() >= end_ns)
            return so;
        if (poll(&nic, 1, 20) > 0)
            keeper_frames_receive();
    }
}

static bool has_address(const struct stack *stack) {
    return stack->config.address != 0;
}

bool keeper_frames_await_address(int patience_ms) {
    return await(has_address, patience_ms);
}

static bool all_sent(const struct stack *stack) {
    return stack->transmit.count == 0 && stack->arp.pendings.used == 0 && !sending.active;
}

void keeper_frames_farewell(void) {
    shared_lock();
    bool leased = !shared->broken && shared->stack.dhcp.lease.address;
    if (leased) {
        stack_advance(&shared->stack, shared->stack.now_ns);
        dhcp_release(&shared->stack);
        transmit();
    }
    shared_unlock();
    if (leased)
        await(all_sent, FAREWELL_MS);
}

static void *transmitter(void *unused) {
    (void)unused;
    for (;;) {
        shared_lock();
        uint64_t deadline = TIMER_NEVER;
        keeper.unsettled |= shared->unwatched;
        if (!shared->broken) {
            stack_advance(&shared->stack, shared->stack.now_ns);
            transmit();
            /* The main thread is to see whether all has ended, or that there are flights to look after. */
            if ((list_empty(&shared->process_list) && !stack_busy(&shared->stack)) ||
                !list_empty(&shared->flights) || keeper.unsettled)
                eventfd_write(keeper.leave, 1);
            deadline = stack_deadline(&shared->stack);
        }
        uint32_t heard = shared->doorbell;
        bool more = !shared->broken && !sending.active && stack_frame(&shared->stack, 0);
        shared->keeper_deadline_ns = deadline;
        shared->keeper_sleeping = !more;
        shared_unlock();
        if (!more)
            wake_sleep(&shared->doorbell, heard, deadline);
        shared->keeper_sleeping = false;
    }
    return NULL;
}

int keeper_frames_start(void) {
    pthread_t thread;
    shared_lock();
    fill_receptions();
    shared_unlock();
    return -pthread_create(&thread, NULL, transmitter, NULL);
}
