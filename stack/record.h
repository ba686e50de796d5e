/* SPDX-License-Identifier: MIT */
/*
 * record.h - what comes into a stack, kept in a ring, so that replay.h can do it again.
 *
 * Theory of operation. A stack is a machine without a clock, without chance and without I/O: what it does follows
 * from what it is called with. Whoever calls it goes through doors.h, which notes the call with its time, its
 * arguments and the bytes that it brings, then makes the call, then notes what it returned. A call is noted
 * before it is made, so that one in whose midst the program dies is in the recording. Frames that leave are not
 * kept, but a hash of each: a replay that sends another one is found out.
 *
 * The ring lies where the stack's memory lies, is written to under the stack's lock, and is emptied by whoever
 * writes the file, without it. What does not fit ends the recording (`lost`): one with a hole is good for nothing.
 *
 * A recording is a struct record_head, then entries: a struct record_entry, then `length` bytes, padded to eight.
 * Structures are as they lie in memory, so that only the build that made a recording can read it.
 */
#ifndef STACK_RECORD_H
#define STACK_RECORD_H

#include "stack/stack.h"
#include "stack/tcp/tcp_time_wait.h"

#define RECORD_MAGIC UINT64_C(0x6472636572617762)
#define RECORD_BYTES_MAX (1u << 17) /* of one call */

enum record_door {
    RECORD_NOTHING,
    RECORD_RESULT, /* of the call before: `socket` is what it returned, a negative errno or the socket made */
    RECORD_CREATE,
    RECORD_SYSCTL, /* text, NAME=VALUE lines */
    RECORD_IP6_BEGIN,
    RECORD_DHCP_START,
    RECORD_DHCP_RELEASE,
    RECORD_DHCP6_RELEASE,
    RECORD_INPUT,
    RECORD_ADVANCE,
    RECORD_FRAMES_KEEP,
    RECORD_FRAMES_SENT, /* struct record_frame, each */
    RECORD_WAITING_RESUME,
    RECORD_NEIGHBOUR_CREATE,
    RECORD_NEIGHBOUR_LEARN,
    RECORD_NEIGHBOUR_DROP,
    RECORD_SOCKET_CREATE,
    RECORD_SOCKET_RELEASE,
    RECORD_BIND,
    RECORD_CONNECT,
    RECORD_CONNECT_ELSEWHERE,
    RECORD_DISCONNECT,
    RECORD_LISTEN,
    RECORD_ACCEPT,
    RECORD_SHUTDOWN,
    RECORD_SEND,
    RECORD_SEND_ROOM,
    RECORD_SEND_PART,
    RECORD_SEND_WRITTEN,
    RECORD_RECEIVE,
    RECORD_RECEIVE_TAKEN,
    RECORD_RECEIVE_UNDONE,
    RECORD_POLL,
    RECORD_SET_OPTION,
    RECORD_GET_OPTION,
    RECORD_AUTOBIND,
    RECORD_LABEL_SET,
    RECORD_WRITERS, /* how many threads wait to send */
    RECORD_END,     /* text: why nothing follows */
    RECORD_DOORS
};

/* What the caller changes of a socket by itself. */
enum record_caller {
    RECORD_INET6 = 1,
    RECORD_LINGER = 2,
    RECORD_NO_ERROR = 4,
};

struct record_head {
    uint64_t magic;
    uint32_t build, stack_bytes; /* the sources that it was made by; sizeof(struct stack) */
};

struct record_entry {
    uint32_t length;
    uint16_t door;
    uint8_t caller; /* enum record_caller */
    uint8_t unused;
    uint64_t now_ns;
    uint64_t socket; /* where it lay; 0: none */
};

struct record_create {
    uint64_t bytes, reserved_bytes;
    struct stack_config config;
    uint8_t seed[RANDOM_SEED_BYTES];
};

struct record_frame {
    uint64_t hash;
    uint32_t length, unused;
};

/* The arguments of most calls. */
struct record_values {
    struct ip_address address;
    uint64_t values[4];
};

struct recorder {
    _Atomic uint64_t written, drained; /* bytes, of all that ever were */
    uint64_t at;                       /* ... of the entry that is being written */
    uint64_t bytes;                    /* the ring's */
    _Atomic bool lost;
    bool ended; /* ... and the recording says why */
    _Alignas(8) uint8_t ring[];
};

/* Makes a recording of zero-filled memory of that size, which goes on until stack->recorder is NULL again. */
void record_begin(struct stack *stack, void *memory, size_t bytes);

/* The bytes that wait to be written, as one or two pieces; and that so many of them were. */
int record_pending(struct recorder *record, struct iovec pieces[2]);
void record_drained(struct recorder *record, uint64_t bytes);

/* Whether there is so little room that who is about to call should wait. */
static inline bool record_is_crowded(const struct recorder *record) {
    return record->written - record->drained > record->bytes / 2 && !record->lost;
}

/* Nothing can follow: says why. These do nothing without a recording. */
void record_end(struct stack *stack, const char *why);

/* The tunables as they are now; the number of threads that wait to send. */
void record_sysctl(struct stack *stack);
void record_writers(struct stack *stack, const struct socket *socket);

/* A hash of all bytes of a frame. */
uint64_t record_hash(const struct frame *frame);

/* The calls of doors.h. */
int recorded_stack_create(struct stack *stack, void *memory, size_t bytes, size_t reserved_bytes,
                          const struct stack_config *config, const uint8_t seed[RANDOM_SEED_BYTES],
                          uint64_t now_ns);
void recorded_stack_input(struct stack *stack, uint64_t now_ns, struct buffer *frame, unsigned flags);
void recorded_stack_advance(struct stack *stack, uint64_t now_ns);
void recorded_stack_frames_keep(struct stack *stack);
void recorded_stack_frames_sent(struct stack *stack, uint32_t count);
void recorded_ip6_begin(struct stack *stack);
void recorded_dhcp_start(struct stack *stack);
void recorded_dhcp_release(struct stack *stack);
void recorded_dhcp6_release(struct stack *stack);
bool recorded_tcp_waiting_resume(struct stack *stack, const struct tcp_waiting *waiting);
struct neighbour *recorded_neighbour_create(struct stack *stack, struct ip_address address);
void recorded_neighbour_learn(struct stack *stack, struct neighbour *neighbour, const uint8_t mac[6],
                              enum neighbour_state state);
void recorded_neighbour_drop(struct stack *stack, struct neighbour *neighbour);
int recorded_socket_create(struct stack *stack, int type, int protocol, struct socket **made);
void recorded_socket_release(struct stack *stack, struct socket *socket);
int recorded_socket_bind(struct stack *stack, struct socket *socket, struct ip_address address,
                         uint16_t port);
int recorded_socket_connect(struct stack *stack, struct socket *socket, struct ip_address address,
                            uint16_t port);
int recorded_datagram_connect_elsewhere(struct stack *stack, struct socket *socket, struct ip_address address,
                                        uint16_t port);
int recorded_socket_disconnect(struct stack *stack, struct socket *socket);
int recorded_socket_listen(struct stack *stack, struct socket *socket, int backlog);
int recorded_socket_accept(struct stack *stack, struct socket *listener, struct socket **made);
int recorded_socket_shutdown(struct stack *stack, struct socket *socket, int how);
ssize_t recorded_socket_send(struct stack *stack, struct socket *socket, struct socket_message *message);
ssize_t recorded_socket_send_room(struct stack *stack, struct socket *socket, int flags, bool begins);
void recorded_socket_send_part(struct stack *stack, struct socket *socket, struct buffer *chain,
                               uint32_t length, bool fills, bool more);
void recorded_socket_send_written(struct stack *stack, struct socket *socket,
                                  const struct socket_message *message, bool whole);
ssize_t recorded_socket_receive(struct stack *stack, struct socket *socket, struct socket_message *message);
void recorded_socket_receive_taken(struct stack *stack, struct socket *socket, struct socket_message *message,
                                   struct byte_cursor start, uint32_t length);
void recorded_socket_receive_undone(struct stack *stack, struct socket *socket, const void *bytes,
                                    uint32_t length);
unsigned recorded_socket_poll(struct stack *stack, struct socket *socket);
int recorded_socket_set_option(struct stack *stack, struct socket *socket, int level, int name,
                               const void *value, socklen_t length);
int recorded_socket_get_option(struct stack *stack, struct socket *socket, int level, int name, void *value,
                               socklen_t *length);
int recorded_datagram_autobind(struct stack *stack, struct socket *socket);
int recorded_ip6_label_set(struct stack *stack, struct socket *socket, struct ip6_label_request *request,
                           const struct ip6_label_owner *owner);

/* Where the bytes of socket_receive_taken begin that were not peeked beyond, or NULL: there are not so many. */
struct byte_cursor record_receive_start(const struct socket *socket, int flags, uint32_t length);

#endif
