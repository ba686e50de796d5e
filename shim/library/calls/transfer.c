/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - see transfer.h.
 *
 * What can't be read of the program's memory fails as in the kernel: what is else wrong with the call is said
 * first; of a part of a stream's data all is sent, or received, or none, and the parts before it count; a
 * datagram that can't be written is lost.
 */
#include "shim/library/calls/transfer.h"
#include "shim/library/calls/call.h"
#include "shim/library/memory.h"
#include "shim/library/process/signals.h"
#include "shim/library/user_memory.h"
#include "shim/region/frames.h"
#include "shim/region/process.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define SMALL_BYTES 2048u        /* so much goes through the thread's stack */
#define LITTLE_BYTES 128u        /* ... in a handler */
#define LONG_BYTES 65536u        /* ... and through a buffer of the process's: any datagram */
#define EXTENT_BYTES 65536u      /* read at once without the lock */
#define BORROW_BYTES 4096u       /* from so many on, a burst of datagrams is sent from the program's memory */
#define MAX_RW_COUNT 0x7ffff000u /* the kernel's */
#define PAGE_BYTES 4096u
#define MEMORY_PAUSE_NS (50 * UINT64_C(1000000))
#define FILE_BUFFERS 33 /* as much as a chunk of a send queue */
#define FILE_LEAST 4096u

ssize_t pieces_read(struct iovec *copy, const struct iovec *given, size_t count) {
    size_t total = 0;
    if (user_read(copy, given, count * sizeof *copy))
        return -EFAULT;
    for (size_t i = 0; i < count; i++) {
        if ((ssize_t)copy[i].iov_len < 0)
            return -EINVAL;
        if (copy[i].iov_len > MAX_RW_COUNT - total)
            copy[i].iov_len = MAX_RW_COUNT - total;
        total += copy[i].iov_len;
    }
    return (ssize_t)total;
}

int pieces_gather(void *to, const struct iovec *pieces, size_t bytes) {
    uint8_t *at = to;
    for (; bytes > 0; pieces++) {
        size_t here = pieces->iov_len < bytes ? pieces->iov_len : bytes;
        if (user_read(at, pieces->iov_base, here))
            return -EFAULT;
        at += here;
        bytes -= here;
    }
    return 0;
}

int pieces_scatter(const struct iovec *pieces, const void *from, size_t bytes) {
    const uint8_t *at = from;
    for (; bytes > 0; pieces++) {
        size_t here = pieces->iov_len < bytes ? pieces->iov_len : bytes;
        if (user_write(pieces->iov_base, at, here))
            return -EFAULT;
        at += here;
        bytes -= here;
    }
    return 0;
}

/* Moves on by `bytes` in an iovec. */
static void pieces_skip(struct iovec **pieces, int *count, size_t bytes) {
    while (*count > 0 && bytes >= (*pieces)->iov_len) {
        bytes -= (*pieces)->iov_len;
        (*pieces)++;
        (*count)--;
    }
    if (*count > 0) {
        (*pieces)->iov_base = (char *)(*pieces)->iov_base + bytes;
        (*pieces)->iov_len -= bytes;
    }
}

/* The kernel looks at addresses before anything else: the upper half of them is never a program's. */
static bool are_a_programs(const struct iovec *pieces, int count) {
    for (int i = 0; i < count; i++) {
        uintptr_t first = (uintptr_t)pieces[i].iov_base, end = first + pieces[i].iov_len;
        if ((intptr_t)first < 0 || (intptr_t)end < 0)
            return false;
    }
    return true;
}

/* Memory for what is longer than a thread's stack may hold, for one call each; it stays. */
#define LONG_BUFFERS 8
static struct {
    _Atomic bool taken;
    char *bytes;
} long_buffers[LONG_BUFFERS];

static char *long_take(void) {
    for (int i = 0; i < LONG_BUFFERS; i++) {
        if (long_buffers[i].taken || atomic_exchange(&long_buffers[i].taken, true))
            continue;
        if (!long_buffers[i].bytes)
            long_buffers[i].bytes = memory_take(LONG_BYTES);
        if (long_buffers[i].bytes)
            return long_buffers[i].bytes;
        long_buffers[i].taken = false;
    }
    return memory_take(LONG_BYTES);
}

static void long_give(char *bytes) {
    for (int i = 0; bytes && i < LONG_BUFFERS; i++)
        if (long_buffers[i].bytes == bytes) {
            long_buffers[i].taken = false;
            return;
        }
    memory_give(bytes);
}

/* Takes the lock for a socket that was looked at without it: it may be closed meanwhile, and its number
 * another's. */
static struct socket *enter_same(struct lock_place *place, int fd, bool stream, int *error) {
    struct socket *socket = call_enter_at(place, fd, error);
    if (!socket || (socket->type == SOCK_STREAM) == stream)
        return socket;
    region_leave();
    *error = -EBADF;
    return NULL;
}

/* From here to the other no handler of the program's runs, and the lock is not held: the thread copies. */
static void copying_begins(void) {
    shared_hold_signals();
    region_leave();
}

static void copying_ends(void) {
    region_enter();
    shared_free_signals();
}

/* One call that sends. */
struct outgoing {
    struct socket *socket;
    struct iovec *pieces; /* the program's: what is left of them */
    int count;
    size_t left, sent;
    struct socket_message message;
    bool stream, waits;
    bool in_parts;    /* a stream's, which are copied one by one; else all is copied to `own` */
    bool begun;       /* parts were sent, of which the end is to follow (socket_send_written) */
    bool readable;    /* one piece of the program's, which the kernel may be given as it is */
    bool copied;      /* to own */
    struct iovec own; /* what the stack is given: what is left of that */
    char *small;
    size_t small_room;
    uint64_t deadline;
};

/* A chain of buffers for so many bytes, or for as many as there is memory for. */
static struct buffer *reserve(uint32_t *bytes) {
    struct buffer *chain = NULL, **link = &chain;
    uint32_t room = 0;
    while (room < *bytes && (*link = buffer_take(&shared->stack.buffers))) {
        link = &(*link)->next;
        room += BUFFER_CAPACITY;
    }
    *bytes = room < *bytes ? room : *bytes;
    return chain;
}

/* Fills a chain that was reserved. The lock is not held. */
static int fill(struct buffer *chain, const struct iovec *pieces, uint32_t bytes) {
    size_t at = 0;
    for (; bytes > 0; chain = chain->next) {
        uint32_t room = bytes < BUFFER_CAPACITY ? bytes : BUFFER_CAPACITY, filled = 0;
        while (filled < room) {
            size_t here = pieces->iov_len - at < room - filled ? pieces->iov_len - at : room - filled;
            if (user_read(chain->storage + filled, (const char *)pieces->iov_base + at, here))
                return -EFAULT;
            filled += (uint32_t)here;
            at += here;
            if (at == pieces->iov_len) {
                pieces++;
                at = 0;
            }
        }
        bytes -= room;
    }
    return 0;
}

/* The waiter's chain is the caller's, filled. */
static struct buffer *unstage(struct waiter *waiter, uint32_t bytes) {
    struct buffer *chain = waiter->staged;
    waiter->staged = NULL;
    atomic_signal_fence(memory_order_seq_cst); /* in one place at a time: see region_repair.c */
    for (struct buffer *buffer = chain; buffer; buffer = buffer->next) {
        buffer->end = bytes < BUFFER_CAPACITY ? bytes : BUFFER_CAPACITY;
        bytes -= buffer->end;
    }
    return chain;
}

/* Sends a part of a stream's data, of at most so much. Returns how much, or a negative errno. */
static ssize_t send_part(struct outgoing *out, uint32_t room) {
    struct stack *stack = &shared->stack;
    struct waiter *waiter = wait_hold_socket(out->socket);
    uint32_t length = out->left < room ? (uint32_t)out->left : room;
    struct buffer *chain = waiter ? reserve(&length) : NULL;
    if (!chain)
        return -ENOBUFS;
    waiter->staged = chain;
    turn_begin(waiter, STREAM_OUT);
    copying_begins();
    int error = fill(chain, out->pieces, length);
    copying_ends();
    waiter_end_turn(waiter, STREAM_OUT);
    if (shared->broken)
        return -ENETDOWN;
    chain = unstage(waiter, length);
    ssize_t now = error ? error : socket_send_room(stack, out->socket, out->message.flags, false);
    if (now < 0 && now != -EAGAIN && now != -ENOBUFS) {
        buffer_drop_chain(&stack->buffers, chain);
        return now;
    }
    out->begun = true;
    socket_send_part(stack, out->socket, chain, length, length == room, out->left > length);
    return length;
}

/* What the kernel takes from the program's memory by itself must be there. */
static bool is_readable(const struct iovec *piece) {
    const char *at = piece->iov_base, *end = at + piece->iov_len;
    char byte;
    for (; at < end; at += PAGE_BYTES)
        if (user_read(&byte, at, 1))
            return false;
    return user_read(&byte, end - 1, 1) == 0;
}

/* Copies what the stack is to be given. The lock is not held. */
static void copy_own(struct outgoing *out) {
    out->message.unreadable = pieces_gather(out->own.iov_base, out->pieces, out->own.iov_len) != 0;
    out->copied = true;
}

/* The same with the lock, which is let go meanwhile. */
static int copy_own_unlocked(struct outgoing *out) {
    if (!wait_hold_socket(out->socket))
        return -ENOBUFS;
    copying_begins();
    copy_own(out);
    copying_ends();
    return shared->broken ? -ENETDOWN : 0;
}

/* Whether this thread sends bursts of datagrams (UDP_SEGMENT): then they are not copied before it is known
 * that they must be. */
static __thread bool sends_trains __attribute__((tls_model("initial-exec")));

/* A burst need not be copied, if it is sent before anybody else can be at it. */
static bool may_lend(const struct outgoing *out) {
    bool quoted =
        socket_stamps(out->socket, &out->message) & SOCKET_STAMPS; /* for who wants to know when it left */
    return out->readable && sends_trains && !quoted && !shared->stack.recorder && frames_may_borrow();
}

/* Sends what can be sent now. Returns how much, or a negative errno. */
static ssize_t send_some(struct outgoing *out) {
    struct stack *stack = &shared->stack;
    if (out->in_parts) {
        ssize_t room = socket_send_room(stack, out->socket, out->message.flags, !out->begun);
        if (room)
            return room < 0 ? room : send_part(out, (uint32_t)room);
        out->own = (struct iovec){out->small, out->left < out->small_room ? out->left : out->small_room};
        out->copied = false; /* it opens the connection */
    }
    if (!out->stream)
        sends_trains = out->message.segment || out->socket->datagram->segment;
    out->message.borrow = !out->copied && may_lend(out);
    int error = out->copied || out->message.borrow ? 0 : copy_own_unlocked(out);
    if (error)
        return error;
    out->message.pieces = out->message.borrow ? out->pieces : &out->own;
    out->message.count = 1;
    return socket_send(stack, out->socket, &out->message);
}

static void record(struct outgoing *out, size_t sent) {
    out->sent += sent;
    out->left -= sent;
    if (out->in_parts) {
        pieces_skip(&out->pieces, &out->count, sent);
        return;
    }
    out->own.iov_base = (char *)out->own.iov_base + sent;
    out->own.iov_len -= sent;
}

/* There is no more to send, or no more room. The way of what was `last` is told of. */
static void end_parts(struct outgoing *out, bool last) {
    struct socket_message message = out->message;
    if (!last) {
        message.has_stamps = true;
        message.stamps = 0;
    }
    if (out->begun)
        socket_send_written(&shared->stack, out->socket, &message, out->left == 0);
    out->begun = false;
}

static int wait_for_room(const struct outgoing *out, size_t left) {
    return left > 0 ? wait_to_write(out->socket, out->deadline)
                    : wait_socket(out->socket, POLLOUT, out->deadline);
}

/* Nobody is told when there is memory again, for as long as the limits of the socket itself have room: it is tried
 * again, as in Linux (sk_stream_wait_memory). */
static int wait_for_memory(const struct outgoing *out) {
    uint64_t soon = wait_deadline(MEMORY_PAUSE_NS);
    bool last = out->deadline <= soon;
    int error = wait_to_write(out->socket, last ? out->deadline : soon);
    return error == -EAGAIN && !last ? 0 : error;
}

/* A write that opens the connection waits until it is open. */
static ssize_t await_opening(struct outgoing *out, ssize_t result) {
    int error;
    while (out->waits && result >= 0 && socket_is_opening(out->socket))
        result = (error = wait_for_room(out, out->left - (size_t)result)) ? error
                 : out->socket->error                                     ? socket_take_error(out->socket)
                                                                          : result;
    return result;
}

/* Returns 0 or a negative errno: why it ended. */
static int send_all(struct outgoing *out) {
    int error;
    for (;;) {
        if (out->stream && (error = wait_turn(out->socket, STREAM_OUT)))
            return error;
        ssize_t result = send_some(out);
        out->message.flags &= ~MSG_FASTOPEN; /* it has connected: what is left follows */
        result = await_opening(out, result);
        if (result >= 0) {
            record(out, (size_t)result);
            if (!out->stream || out->left == 0 || (!out->waits && !out->in_parts))
                return 0;
            continue;
        }
        error = (int)result;
        if (!out->waits || (error != -EAGAIN && error != -ENOBUFS && error != -EINPROGRESS))
            return error;
        end_parts(out, false);
        if ((error = error == -ENOBUFS ? wait_for_memory(out) : wait_for_room(out, out->left)))
            return error;
    }
}

/* What is copied before anything else; the lock is not held. */
static bool prepare(struct outgoing *out, char **lengthy) {
    size_t total = out->left;
    if (out->in_parts)
        return true;
    if (total > out->small_room && total <= LONG_BYTES && !(*lengthy = long_take()))
        return false;
    out->own = (struct iovec){*lengthy ? *lengthy : out->small, total};
    if (total > LONG_BYTES) {
        out->copied = true; /* longer than any datagram: that is all there is to say of it */
        return true;
    }
    out->readable =
        sends_trains && !out->stream && total >= BORROW_BYTES && out->count == 1 && is_readable(out->pieces);
    if (!out->readable)
        copy_own(out);
    return true;
}

/* A handler may run on an alternate stack of 8 KB, of which the kernel takes three (sigaltstack(2)). */
static size_t stack_room(void) {
    return signals_running() ? LITTLE_BYTES : SMALL_BYTES;
}

ssize_t transfer_out(int fd, struct iovec *pieces, int count, struct socket_message message) {
    size_t room = stack_room();
    char small[room], *lengthy = NULL;
    size_t total = buffer_pieces_length(pieces, count);
    const struct socket *socket = descriptor_socket(fd);
    bool stream = socket && socket->type == SOCK_STREAM;
    struct outgoing out = {.pieces = pieces,
                           .count = count,
                           .left = total,
                           .message = message,
                           .stream = stream,
                           .in_parts = stream && total > room,
                           .small = small,
                           .small_room = room};
    int error = 0;
    pthread_testcancel();
    if (!are_a_programs(pieces, count))
        return -EFAULT;
    if (!prepare(&out, &lengthy))
        return -ENOBUFS;
    out.socket = enter_same(LOCK_PLACE, fd, stream, &error);
    if (!out.socket) {
        long_give(lengthy);
        return error;
    }
    out.waits = !out.socket->nonblocking && !(message.flags & MSG_DONTWAIT);
    out.deadline = wait_deadline(out.socket->options.send_timeout_ns);
    error = send_all(&out);
    if (error != -EBADF) {
        end_parts(&out, true);
        if (attach_config.verbose && out.sent > 0)
            verbose_follow(out.socket);
        frames_coalesced(out.socket);
    }
    wait_done();
    region_leave();
    long_give(lengthy);
    if (attach_config.verbose)
        verbose_show();
    if (shared->broken)
        attach_broken();
    if (out.sent > 0)
        return (ssize_t)out.sent;
    if (error == -EPIPE && !(message.flags & MSG_NOSIGNAL))
        raise(SIGPIPE);
    return error;
}

/* Reads a file into a chain that was reserved; what is not in the page cache is not waited for. The lock is
 * not held. */
static ssize_t read_file(struct buffer *chain, int file, off_t at, uint32_t bytes) {
    struct iovec pieces[FILE_BUFFERS];
    int count = 0;
    for (; bytes > 0; chain = chain->next) {
        uint32_t here = bytes < BUFFER_CAPACITY ? bytes : BUFFER_CAPACITY;
        pieces[count++] = (struct iovec){chain->storage, here};
        bytes -= here;
    }
    return LIBC(preadv2)(file, pieces, count, at, RWF_NOWAIT);
}

/* The rest of a chain, behind its first so many bytes, was not needed. */
static void drop_rest(struct buffer *chain, uint32_t bytes) {
    uint32_t used = (bytes + BUFFER_CAPACITY - 1) / BUFFER_CAPACITY;
    while (--used > 0)
        chain = chain->next;
    buffer_drop_chain(&shared->stack.buffers, chain->next);
    chain->next = NULL;
}

/* The lock is held, and nobody has the turn. */
static size_t send_from_file(struct socket *socket, int file, off_t at, size_t length) {
    struct stack *stack = &shared->stack;
    ssize_t room = socket->tcp && !socket->error ? socket_send_room(stack, socket, 0, true) : 0;
    if (room < (ssize_t)FILE_LEAST || length < FILE_LEAST)
        return 0; /* it is sent as usual, which says what is wrong */
    uint32_t most = length < (size_t)room ? (uint32_t)length : (uint32_t)room;
    if (most > FILE_BUFFERS * BUFFER_CAPACITY)
        most = FILE_BUFFERS * BUFFER_CAPACITY;
    struct waiter *waiter = wait_hold_socket(socket);
    struct buffer *chain = waiter ? reserve(&most) : NULL;
    if (!chain)
        return 0;
    waiter->staged = chain;
    turn_begin(waiter, STREAM_OUT);
    copying_begins();
    ssize_t got = read_file(chain, file, at, most);
    copying_ends();
    if (shared->broken)
        return 0;
    waiter_end_turn(waiter, STREAM_OUT);
    chain = unstage(waiter, got > 0 ? (uint32_t)got : 0);
    ssize_t now = got > 0 && !socket->error ? socket_send_room(stack, socket, 0, false) : -EPIPE;
    if (now < 0 && now != -EAGAIN && now != -ENOBUFS) {
        buffer_drop_chain(&stack->buffers, chain);
        return 0;
    }
    drop_rest(chain, (uint32_t)got);
    socket_send_part(stack, socket, chain, (uint32_t)got, got == room, false);
    socket_send_written(stack, socket, &(struct socket_message){0}, true);
    frames_coalesced(socket);
    return (size_t)got;
}

size_t transfer_file(int fd, int file, off_t at, size_t length) {
    int error;
    struct socket *socket = call_enter(fd, &error);
    if (!socket)
        return 0;
    error = wait_turn(socket, STREAM_OUT);
    size_t sent = error ? 0 : send_from_file(socket, file, at, length);
    wait_done();
    region_leave();
    return sent;
}

/* How often this thread has found nothing since it found something, without waiting: from the second time on
 * it is polling, and should see what comes at once. */
static __thread unsigned refused __attribute__((tls_model("initial-exec")));

/* One call that receives. */
struct incoming {
    struct socket *socket;
    struct iovec *pieces; /* the program's: what is left of them */
    int count;
    size_t left, received;
    struct socket_message *message;
    struct iovec own; /* where the stack copies what is short */
    size_t waiting;   /* bytes in it that are not yet in the program's memory */
    bool stream;
    bool plainly; /* the stack is given the program's iovec, of which it looks at the lengths, or one of our
                     own */
};

/* Copies a stream's data from the buffers that it lies in. */
static int copy_extent(const struct iovec *pieces, struct byte_cursor cursor, uint32_t length) {
    const uint8_t *data;
    size_t at = 0;
    while (length > 0) {
        uint32_t here = buffer_data_step(&cursor, length, &data), done = 0;
        while (done < here) {
            size_t part = pieces->iov_len - at < here - done ? pieces->iov_len - at : here - done;
            if (user_write((char *)pieces->iov_base + at, data + done, part))
                return -EFAULT;
            done += (uint32_t)part;
            at += part;
            if (at == pieces->iov_len) {
                pieces++;
                at = 0;
            }
        }
        length -= here;
    }
    return 0;
}

/* Receives what lies there of a stream without copying it under the lock. */
static ssize_t receive_extent(struct incoming *in, struct byte_cursor start, uint32_t length) {
    struct waiter *waiter = wait_hold_socket(in->socket);
    if (!waiter)
        return -ENOBUFS;
    waiter->held = start.buffer;
    waiter->held_count = buffer_hold_data(start, length);
    turn_begin(waiter, STREAM_IN);
    copying_begins();
    int error = copy_extent(in->pieces, start, length);
    copying_ends();
    if (shared->broken)
        return -ENETDOWN;
    waiter_end_turn(waiter, STREAM_IN);
    waiter_drop_buffers(waiter);
    if (error)
        return error;
    socket_receive_taken(&shared->stack, in->socket, in->message, start, length);
    return length;
}

/* What lies in memory of ours goes to the program's. The lock is held, and let go meanwhile. The thread has
 * its waiter. */
static int pass_on(struct incoming *in) {
    struct waiter *waiter = wait_hold_socket(in->socket);
    size_t bytes = in->waiting;
    in->waiting = 0;
    turn_begin(waiter, STREAM_IN);
    copying_begins();
    int error = pieces_scatter(in->pieces, in->own.iov_base, bytes);
    copying_ends();
    if (shared->broken)
        return -ENETDOWN;
    waiter_end_turn(waiter, STREAM_IN);
    if (error)
        socket_receive_undone(&shared->stack, in->socket, in->own.iov_base, (uint32_t)bytes);
    else
        pieces_skip(&in->pieces, &in->count, bytes);
    return error;
}

/* Receives what there is. Returns how much, or a negative errno. */
static ssize_t receive_some(struct incoming *in) {
    struct stack *stack = &shared->stack;
    struct byte_cursor start;
    uint32_t length = 0;
    int error = in->stream ? wait_turn(in->socket, STREAM_IN) : 0;
    if (error)
        return error;
    if (in->left > in->own.iov_len && !in->plainly)
        length = socket_receive_extent(stack, in->socket, in->message,
                                       in->left < EXTENT_BYTES ? (uint32_t)in->left : EXTENT_BYTES, &start);
    if (length > in->own.iov_len)
        return receive_extent(in, start, length);
    struct iovec own = {in->own.iov_base, in->left < in->own.iov_len ? in->left : in->own.iov_len};
    in->message->pieces = in->plainly ? in->pieces : &own;
    in->message->count = in->plainly ? in->count : 1;
    ssize_t result = socket_receive(stack, in->socket, in->message);
    in->waiting = result > 0 && !in->plainly ? (size_t)result : 0;
    return result;
}

/* What is received last is copied when the lock is not held any more. If that can't be, it is put back when
 * nobody copies from the stream: another reader may have had what came after it, but no byte is lost, or
 * given twice. */
static int pass_on_last(int fd, struct incoming *in) {
    size_t bytes = in->waiting;
    int error, ignored;
    if (bytes == 0 || !(error = pieces_scatter(in->pieces, in->own.iov_base, bytes)))
        return 0;
    in->received -= bytes;
    if (!in->stream || in->message->flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE) || !call_enter(fd, &ignored))
        return error;
    if (descriptor_socket(fd) == in->socket && !wait_turn(in->socket, STREAM_IN))
        socket_receive_undone(&shared->stack, in->socket, in->own.iov_base, (uint32_t)bytes);
    wait_done();
    region_leave();
    return error;
}

/* Whether there is more at once than what was received, which was cut off at a length of ours: who is told of
 * data only when some comes (EPOLLET) takes a short read to be all that there was. */
static bool is_cut_off(const struct incoming *in, size_t result) {
    return in->stream && !(in->message->flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)) &&
           (result == EXTENT_BYTES || result == in->own.iov_len) && in->socket->tcp->receive.length > 0;
}

/* Receives until it is enough. Returns 0 or a negative errno: why it ended. */
static int receive_all(int fd, struct incoming *in, bool waits, bool all, uint64_t deadline) {
    bool looked = false;
    int error;
    for (;;) {
        ssize_t result = receive_some(in);
        if (result >= 0) {
            refused = 0;
            in->received += (size_t)result;
            in->left -= (size_t)result < in->left ? (size_t)result : in->left;
            if (result == 0 || in->left == 0 || !(all || is_cut_off(in, (size_t)result)))
                return 0;
            if (in->waiting == 0)
                pieces_skip(&in->pieces, &in->count, (size_t)result);
            else if (!wait_self())
                return 0; /* no memory to go on with */
            else if ((error = pass_on(in))) {
                in->received -= (size_t)result;
                return error;
            }
            continue;
        }
        error = (int)result;
        if (error == -EAGAIN && !waits && refused++ && !looked && frames_rx_is_due(FRAMES_AGE_LOOK_NS)) {
            looked = true; /* once: a look may take as long as after which another one is due */
            region_leave();
            frames_rx_poll();
            if (!(in->socket = enter_same(LOCK_PLACE, fd, in->stream, &error)))
                return error;
            continue;
        }
        if (!waits || error != -EAGAIN)
            return error;
        if (in->socket->read_shutdown)
            return 0; /* datagrams end for who waits alone, as in Linux */
        if ((error = wait_socket(in->socket, POLLIN, deadline)))
            return error;
    }
}

ssize_t transfer_in(int fd, struct iovec *pieces, int count, struct socket_message *message,
                    struct socket_options *options) {
    size_t room = stack_room();
    char small[room], unseen, *lengthy = NULL;
    size_t total = buffer_pieces_length(pieces, count);
    const struct socket *socket = descriptor_socket(fd);
    struct iovec look = {&unseen, 1};
    struct incoming in = {.pieces = pieces,
                          .count = count,
                          .left = total,
                          .message = message,
                          .stream = socket && socket->type == SOCK_STREAM,
                          .own = {small, room}};
    int error = 0;
    pthread_testcancel();
    if (!are_a_programs(pieces, count))
        return -EFAULT;
    if (!in.stream && total > room) {
        if (!(lengthy = long_take()))
            return -ENOBUFS;
        in.own = (struct iovec){lengthy, LONG_BYTES};
    }
    in.socket = enter_same(LOCK_PLACE, fd, in.stream, &error);
    if (!in.socket) {
        long_give(lengthy);
        return error;
    }
    bool waits = !in.socket->nonblocking && !(message->flags & (MSG_DONTWAIT | MSG_ERRQUEUE));
    *options = in.socket->options;
    bool all = in.stream && message->flags & MSG_WAITALL && !(message->flags & MSG_PEEK);
    bool just_look = total == 0 && in.stream; /* whether there is something, or an error */
    if (just_look) {
        message->flags |= MSG_PEEK;
        in.pieces = &look;
        in.count = 1;
        in.left = 1;
    }
    in.plainly = just_look || (in.stream && message->flags & MSG_TRUNC);
    error = receive_all(fd, &in, waits, all, wait_deadline(in.socket->options.receive_timeout_ns));
    if (in.socket) {
        if (attach_config.verbose && in.received > 0 && error != -EBADF)
            verbose_follow(in.socket);
        wait_done();
        region_leave();
    }
    int fault = pass_on_last(fd, &in);
    long_give(lengthy);
    if (attach_config.verbose)
        verbose_show();
    if (in.socket && shared->broken)
        attach_broken();
    if (just_look && in.received > 0)
        return 0;
    error = fault ? fault : error;
    return in.received > 0 || error == 0 ? (ssize_t)in.received : error;
}
