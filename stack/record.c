/* SPDX-License-Identifier: MIT */
/*
 * record.c - see record.h.
 */
#include "stack/record.h"
#include <linux/filter.h>
#include <string.h>

#define PAD(length) (((uint64_t)(length) + 7) & ~UINT64_C(7))
#define FRAME_PIECES 72

void record_begin(struct stack *stack, void *memory, size_t bytes) {
    struct recorder *record = memory;
    record->bytes = bytes - sizeof *record;
    stack->recorder = record;
}

int record_pending(struct recorder *record, struct iovec pieces[2]) {
    uint64_t from = record->drained, length = record->written - from, at = from % record->bytes;
    uint64_t first = length < record->bytes - at ? length : record->bytes - at;
    pieces[0] = (struct iovec){record->ring + at, first};
    pieces[1] = (struct iovec){record->ring, length - first};
    return length == 0 ? 0 : length == first ? 1 : 2;
}

void record_drained(struct recorder *record, uint64_t bytes) {
    record->drained += bytes;
}

static void put(struct recorder *record, const void *bytes, uint64_t length) {
    uint64_t at = record->at % record->bytes;
    uint64_t first = length < record->bytes - at ? length : record->bytes - at;
    if (record->lost || length == 0)
        return;
    memcpy(record->ring + at, bytes, first);
    memcpy(record->ring, (const char *)bytes + first, length - first);
    record->at += length;
}

static uint8_t caller_of(const struct socket *socket) {
    return (uint8_t)((socket->options.inet6 ? RECORD_INET6 : 0) |
                     (socket->options.linger ? RECORD_LINGER : 0) | (socket->error ? 0 : RECORD_NO_ERROR));
}

/* Begins an entry of so many bytes, which put() is to bring, and end() ends. */
static struct recorder *begin_at(struct stack *stack, uint64_t now_ns, enum record_door door,
                                 const struct socket *socket, uint64_t length) {
    struct recorder *record = stack->recorder;
    struct record_entry entry = {.length = (uint32_t)length,
                                 .door = (uint16_t)door,
                                 .caller = socket && door != RECORD_RESULT ? caller_of(socket) : 0,
                                 .now_ns = now_ns,
                                 .socket = (uintptr_t)socket};
    record->at = record->written;
    if (length > RECORD_BYTES_MAX ||
        record->at + sizeof entry + PAD(length) - record->drained > record->bytes)
        record->lost = true;
    put(record, &entry, sizeof entry);
    return record;
}

static struct recorder *begin(struct stack *stack, enum record_door door, const struct socket *socket,
                              uint64_t length) {
    return begin_at(stack, stack->now_ns, door, socket, length);
}

static void end(struct recorder *record) {
    static const uint8_t padding[8];
    put(record, padding, -record->at & 7);
    record->written = record->at;
}

static void note(struct stack *stack, enum record_door door, const struct socket *socket, const void *bytes,
                 uint64_t length) {
    struct recorder *record = begin(stack, door, socket, length);
    put(record, bytes, length);
    end(record);
}

/* A call whose arguments are numbers. */
#define NOTE(stack, door, socket, ...)                                  \
    do {                                                                \
        const struct record_values values_ = {.values = {__VA_ARGS__}}; \
        note(stack, door, socket, &values_, sizeof values_);            \
    } while (0)

static int64_t result(struct stack *stack, int64_t value) {
    struct recorder *record = stack->recorder;
    struct record_entry entry = {.door = RECORD_RESULT, .now_ns = stack->now_ns, .socket = (uint64_t)value};
    record->at = record->written;
    if (record->at + sizeof entry - record->drained > record->bytes)
        record->lost = true;
    put(record, &entry, sizeof entry);
    end(record);
    return value;
}

void record_end(struct stack *stack, const char *why) {
    if (!stack->recorder)
        return;
    note(stack, RECORD_END, NULL, why, strlen(why) + 1);
    stack->recorder->ended = !stack->recorder->lost;
    stack->recorder->lost = true;
}

void record_sysctl(struct stack *stack) {
    const char *name;
    char value[SYSCTL_TEXT_BYTES];
    uint64_t length = 0;
    if (!stack->recorder)
        return;
    for (size_t i = 0; (name = sysctl_name(i)); i++)
        if (!sysctl_get(&stack->sysctl, name, value))
            length += strlen(name) + strlen(value) + 2;
    struct recorder *record = begin(stack, RECORD_SYSCTL, NULL, length);
    for (size_t i = 0; (name = sysctl_name(i)); i++) {
        if (sysctl_get(&stack->sysctl, name, value))
            continue;
        put(record, name, strlen(name));
        put(record, "=", 1);
        put(record, value, strlen(value));
        put(record, "\n", 1);
    }
    end(record);
}

void record_writers(struct stack *stack, const struct socket *socket) {
    if (stack->recorder)
        NOTE(stack, RECORD_WRITERS, socket, socket->blocked_writers);
}

/* Eight bytes at a time, wherever the pieces of a frame end; in lanes, so that a processor has several under way. */
#define LANES 4

struct hashing {
    uint64_t lanes[LANES];
    uint64_t words; /* so far */
    uint64_t word;  /* the beginning of the next */
    unsigned filled;
};

static inline uint64_t mix(uint64_t hash, uint64_t word) {
    uint64_t mixed = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return mixed ^ mixed >> 29;
}

static void hash_word(struct hashing *hashing, uint64_t word) {
    uint64_t *lane = &hashing->lanes[hashing->words++ % LANES];
    *lane = mix(*lane, word);
}

/* As many rounds of all lanes as there are bytes for. Returns how many bytes those are. */
static size_t hash_rounds(struct hashing *hashing, const uint8_t *bytes, size_t length) {
    uint64_t a = hashing->lanes[0], b = hashing->lanes[1], c = hashing->lanes[2], d = hashing->lanes[3];
    size_t at = 0;
    for (uint64_t words[LANES]; length - at >= sizeof words; at += sizeof words) {
        memcpy(words, bytes + at, sizeof words);
        a = mix(a, words[0]);
        b = mix(b, words[1]);
        c = mix(c, words[2]);
        d = mix(d, words[3]);
    }
    memcpy(hashing->lanes, (uint64_t[LANES]){a, b, c, d}, sizeof hashing->lanes);
    hashing->words += at / sizeof hashing->word;
    return at;
}

static void hash_bytes(struct hashing *hashing, const uint8_t *bytes, size_t length) {
    while (length > 0) {
        bool whole = hashing->filled == 0;
        size_t done = whole && hashing->words % LANES == 0 ? hash_rounds(hashing, bytes, length) : 0;
        if (!done && whole && length >= sizeof hashing->word) {
            uint64_t word;
            memcpy(&word, bytes, sizeof word);
            hash_word(hashing, word);
            done = sizeof word;
        } else if (!done) {
            hashing->word |= (uint64_t)*bytes << 8 * hashing->filled++;
            done = 1;
        }
        bytes += done;
        length -= done;
        if (hashing->filled < sizeof hashing->word)
            continue;
        hash_word(hashing, hashing->word);
        hashing->word = hashing->filled = 0;
    }
}

uint64_t record_hash(const struct frame *frame) {
    struct iovec pieces[FRAME_PIECES];
    struct hashing hashing = {0};
    uint64_t hash = 0;
    int count = frame_pieces(frame, pieces, FRAME_PIECES);
    hash_bytes(&hashing, frame->header, frame->header_length);
    for (int i = 0; i < count; i++)
        hash_bytes(&hashing, pieces[i].iov_base, pieces[i].iov_len);
    hash_word(&hashing, hashing.word);
    for (int i = 0; i < LANES; i++)
        hash = mix(hash, hashing.lanes[i]);
    return hash;
}

int recorded_stack_create(struct stack *stack, void *memory, size_t bytes, size_t reserved_bytes,
                          const struct stack_config *config, const uint8_t seed[RANDOM_SEED_BYTES],
                          uint64_t now_ns) {
    struct record_create create = {.bytes = bytes, .reserved_bytes = reserved_bytes, .config = *config};
    memcpy(create.seed, seed, sizeof create.seed);
    stack->now_ns = now_ns;
    note(stack, RECORD_CREATE, NULL, &create, sizeof create);
    return (int)result(stack, stack_create(stack, memory, bytes, reserved_bytes, config, seed, now_ns));
}

void recorded_stack_input(struct stack *stack, uint64_t now_ns, struct buffer *frame, unsigned flags) {
    const uint64_t said = flags;
    struct recorder *record =
        begin_at(stack, now_ns, RECORD_INPUT, NULL, sizeof said + buffer_chain_length(frame));
    put(record, &said, sizeof said);
    for (struct buffer *buffer = frame; buffer; buffer = buffer->next)
        put(record, buffer_data(buffer), buffer_length(buffer));
    end(record);
    stack_input(stack, now_ns, frame, flags);
}

void recorded_stack_advance(struct stack *stack, uint64_t now_ns) {
    end(begin_at(stack, now_ns, RECORD_ADVANCE, NULL, 0));
    stack_advance(stack, now_ns);
}

void recorded_stack_frames_keep(struct stack *stack) {
    note(stack, RECORD_FRAMES_KEEP, NULL, NULL, 0);
    stack_frames_keep(stack);
}

void recorded_stack_frames_sent(struct stack *stack, uint32_t count) {
    count = count < stack->transmit.count ? count : stack->transmit.count;
    struct recorder *record = begin(stack, RECORD_FRAMES_SENT, NULL, count * sizeof(struct record_frame));
    for (uint32_t i = 0; i < count; i++) {
        const struct frame *frame = stack_frame(stack, i);
        struct record_frame seen = {.hash = record_hash(frame),
                                    .length = frame->header_length + frame->payload_length};
        put(record, &seen, sizeof seen);
    }
    end(record);
    stack_frames_sent(stack, count);
}

#define RECORDED_PLAIN(name, door)              \
    void recorded_##name(struct stack *stack) { \
        note(stack, door, NULL, NULL, 0);       \
        name(stack);                            \
    }
RECORDED_PLAIN(ip6_begin, RECORD_IP6_BEGIN)
RECORDED_PLAIN(dhcp_start, RECORD_DHCP_START)
RECORDED_PLAIN(dhcp_release, RECORD_DHCP_RELEASE)
RECORDED_PLAIN(dhcp6_release, RECORD_DHCP6_RELEASE)

bool recorded_tcp_waiting_resume(struct stack *stack, const struct tcp_waiting *waiting) {
    note(stack, RECORD_WAITING_RESUME, NULL, waiting, sizeof *waiting);
    return result(stack, tcp_waiting_resume(stack, waiting));
}

struct neighbour *recorded_neighbour_create(struct stack *stack, struct ip_address address) {
    note(stack, RECORD_NEIGHBOUR_CREATE, NULL, &address, sizeof address);
    return neighbour_create(stack, address);
}

void recorded_neighbour_learn(struct stack *stack, struct neighbour *neighbour, const uint8_t mac[6],
                              enum neighbour_state state) {
    struct record_values values = {.address = neighbour->address, .values = {state}};
    memcpy(&values.values[1], mac, 6);
    note(stack, RECORD_NEIGHBOUR_LEARN, NULL, &values, sizeof values);
    neighbour_learn(stack, neighbour, mac, state);
}

void recorded_neighbour_drop(struct stack *stack, struct neighbour *neighbour) {
    note(stack, RECORD_NEIGHBOUR_DROP, NULL, &neighbour->address, sizeof neighbour->address);
    neighbour_drop(stack, neighbour);
}

int recorded_socket_create(struct stack *stack, int type, int protocol, struct socket **made) {
    NOTE(stack, RECORD_SOCKET_CREATE, NULL, (uint64_t)type, (uint64_t)protocol);
    int error = socket_create(stack, type, protocol, made);
    result(stack, error ? error : (int64_t)(intptr_t)*made);
    return error;
}

void recorded_socket_release(struct stack *stack, struct socket *socket) {
    note(stack, RECORD_SOCKET_RELEASE, socket, NULL, 0);
    socket_release(stack, socket);
}

static void note_address(struct stack *stack, enum record_door door, const struct socket *socket,
                         struct ip_address address, uint16_t port) {
    uint32_t flow = socket->filters ? socket->filters->six.flow_information : 0;
    const struct record_values values = {.address = address, .values = {port, flow}};
    note(stack, door, socket, &values, sizeof values);
}

int recorded_socket_bind(struct stack *stack, struct socket *socket, struct ip_address address,
                         uint16_t port) {
    note_address(stack, RECORD_BIND, socket, address, port);
    return (int)result(stack, socket_bind(stack, socket, address, port));
}

int recorded_socket_connect(struct stack *stack, struct socket *socket, struct ip_address address,
                            uint16_t port) {
    note_address(stack, RECORD_CONNECT, socket, address, port);
    return (int)result(stack, socket_connect(stack, socket, address, port));
}

int recorded_datagram_connect_elsewhere(struct stack *stack, struct socket *socket, struct ip_address address,
                                        uint16_t port) {
    note_address(stack, RECORD_CONNECT_ELSEWHERE, socket, address, port);
    return (int)result(stack, datagram_connect_elsewhere(stack, socket, address, port));
}

int recorded_socket_disconnect(struct stack *stack, struct socket *socket) {
    note(stack, RECORD_DISCONNECT, socket, NULL, 0);
    return (int)result(stack, socket_disconnect(stack, socket));
}

int recorded_socket_listen(struct stack *stack, struct socket *socket, int backlog) {
    NOTE(stack, RECORD_LISTEN, socket, (uint64_t)backlog);
    return (int)result(stack, socket_listen(stack, socket, backlog));
}

int recorded_socket_accept(struct stack *stack, struct socket *listener, struct socket **made) {
    note(stack, RECORD_ACCEPT, listener, NULL, 0);
    int error = socket_accept(stack, listener, made);
    result(stack, error ? error : (int64_t)(intptr_t)*made);
    return error;
}

int recorded_socket_shutdown(struct stack *stack, struct socket *socket, int how) {
    NOTE(stack, RECORD_SHUTDOWN, socket, (uint64_t)how);
    return (int)result(stack, socket_shutdown(stack, socket, how));
}

/* A message without its pointers; whether it has extensions is said by one that is not NULL. */
static void put_message(struct recorder *record, const struct socket_message *message) {
    struct socket_message copy = *message;
    copy.pieces = NULL;
    copy.count = 0;
    copy.borrow = false;
    copy.extensions = message->extensions ? (const void *)1 : NULL;
    put(record, &copy, sizeof copy);
    if (message->extensions)
        put(record, message->extensions, sizeof *message->extensions);
}

static uint64_t message_bytes(const struct socket_message *message) {
    return sizeof *message + (message->extensions ? sizeof *message->extensions : 0);
}

ssize_t recorded_socket_send(struct stack *stack, struct socket *socket, struct socket_message *message) {
    uint64_t length = message->unreadable ? 0 : buffer_pieces_length(message->pieces, message->count);
    uint64_t said = buffer_pieces_length(message->pieces, message->count);
    struct recorder *record =
        begin(stack, RECORD_SEND, socket, message_bytes(message) + sizeof said + length);
    put_message(record, message);
    put(record, &said, sizeof said);
    for (int i = 0; length && i < message->count; i++)
        put(record, message->pieces[i].iov_base, message->pieces[i].iov_len);
    end(record);
    return result(stack, socket_send(stack, socket, message));
}

ssize_t recorded_socket_send_room(struct stack *stack, struct socket *socket, int flags, bool begins) {
    NOTE(stack, RECORD_SEND_ROOM, socket, (uint64_t)flags, begins);
    return result(stack, socket_send_room(stack, socket, flags, begins));
}

void recorded_socket_send_part(struct stack *stack, struct socket *socket, struct buffer *chain,
                               uint32_t length, bool fills, bool more) {
    const uint64_t said = (fills ? 1 : 0) | (more ? 2 : 0);
    struct recorder *record =
        begin(stack, RECORD_SEND_PART, socket, sizeof said + buffer_chain_length(chain));
    put(record, &said, sizeof said);
    for (struct buffer *buffer = chain; buffer; buffer = buffer->next)
        put(record, buffer_data(buffer), buffer_length(buffer));
    end(record);
    socket_send_part(stack, socket, chain, length, fills, more);
}

/* A message, and a number. */
static void note_message(struct stack *stack, enum record_door door, const struct socket *socket,
                         const struct socket_message *message, uint64_t value) {
    struct recorder *record = begin(stack, door, socket, message_bytes(message) + sizeof value);
    put_message(record, message);
    put(record, &value, sizeof value);
    end(record);
}

void recorded_socket_send_written(struct stack *stack, struct socket *socket,
                                  const struct socket_message *message, bool whole) {
    note_message(stack, RECORD_SEND_WRITTEN, socket, message, whole);
    socket_send_written(stack, socket, message, whole);
}

ssize_t recorded_socket_receive(struct stack *stack, struct socket *socket, struct socket_message *message) {
    note_message(stack, RECORD_RECEIVE, socket, message,
                 buffer_pieces_length(message->pieces, message->count));
    return result(stack, socket_receive(stack, socket, message));
}

struct byte_cursor record_receive_start(const struct socket *socket, int flags, uint32_t length) {
    bool peeks = flags & MSG_PEEK && socket->options.peek_offset > 0;
    uint32_t skip = peeks ? (uint32_t)socket->options.peek_offset : 0;
    if (!socket->tcp || length == 0 || skip + (uint64_t)length > socket->tcp->receive.length)
        return (struct byte_cursor){NULL, 0};
    return byte_queue_at(&socket->tcp->receive, skip);
}

void recorded_socket_receive_taken(struct stack *stack, struct socket *socket, struct socket_message *message,
                                   struct byte_cursor start, uint32_t length) {
    struct byte_cursor now = record_receive_start(socket, message->flags, length);
    bool there = now.buffer == start.buffer && now.position == start.position;
    if (there)
        note_message(stack, RECORD_RECEIVE_TAKEN, socket, message, length);
    socket_receive_taken(stack, socket, message, start, length);
}

void recorded_socket_receive_undone(struct stack *stack, struct socket *socket, const void *bytes,
                                    uint32_t length) {
    note(stack, RECORD_RECEIVE_UNDONE, socket, bytes, length);
    socket_receive_undone(stack, socket, bytes, length);
}

unsigned recorded_socket_poll(struct stack *stack, struct socket *socket) {
    note(stack, RECORD_POLL, socket, NULL, 0);
    return (unsigned)result(stack, socket_poll(stack, socket));
}

static bool has_program(int level, int name, const void *value, socklen_t length) {
    bool takes = level == SOL_SOCKET && (name == SO_ATTACH_FILTER || name == SO_ATTACH_REUSEPORT_CBPF);
    return takes && value && length >= sizeof(struct sock_fprog);
}

int recorded_socket_set_option(struct stack *stack, struct socket *socket, int level, int name,
                               const void *value, socklen_t length) {
    const struct record_values said = {.values = {(uint64_t)level, (uint64_t)name, length, value != NULL}};
    uint64_t bytes = value && length <= RECORD_BYTES_MAX ? length : 0, program_bytes = 0;
    struct sock_fprog program;
    if (has_program(level, name, value, length)) {
        memcpy(&program, value, sizeof program);
        program_bytes = program.filter ? program.len * sizeof *program.filter : 0;
    }
    struct recorder *record = begin(stack, RECORD_SET_OPTION, socket, sizeof said + bytes + program_bytes);
    put(record, &said, sizeof said);
    put(record, value, bytes);
    if (program_bytes)
        put(record, program.filter, program_bytes);
    end(record);
    return (int)result(stack, socket_set_option(stack, socket, level, name, value, length));
}

int recorded_socket_get_option(struct stack *stack, struct socket *socket, int level, int name, void *value,
                               socklen_t *length) {
    NOTE(stack, RECORD_GET_OPTION, socket, (uint64_t)level, (uint64_t)name, *length);
    return (int)result(stack, socket_get_option(stack, socket, level, name, value, length));
}

int recorded_datagram_autobind(struct stack *stack, struct socket *socket) {
    note(stack, RECORD_AUTOBIND, socket, NULL, 0);
    return (int)result(stack, datagram_autobind(stack, socket));
}

int recorded_ip6_label_set(struct stack *stack, struct socket *socket, struct ip6_label_request *request,
                           const struct ip6_label_owner *owner) {
    struct recorder *record = begin(stack, RECORD_LABEL_SET, socket, sizeof *request + sizeof *owner);
    put(record, request, sizeof *request);
    put(record, owner, sizeof *owner);
    end(record);
    return (int)result(stack, ip6_label_set(stack, socket, request, owner));
}
