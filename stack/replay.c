/* SPDX-License-Identifier: MIT */
/*
 * replay.c - see replay.h.
 */
#include "stack/replay.h"
#include <errno.h>
#include <linux/filter.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RECEIVE_PIECES 64
#define PAUSE_MAX_NS UINT64_C(2592000000000000) /* between two calls: thirty days */

/* The arguments of a call: what is left of them. */
struct arguments {
    const uint8_t *bytes;
    size_t left;
};

static enum replay_outcome __attribute__((format(printf, 3, 4)))
say(struct replay *replay, enum replay_outcome outcome, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(replay->message, sizeof replay->message, format, arguments);
    va_end(arguments);
    return outcome;
}

static enum replay_outcome invalid(struct replay *replay, const char *what) {
    return say(replay, REPLAY_INVALID, "call %llu (%s), byte %zu: %s", (unsigned long long)replay->calls,
               replay_door_name(replay->entry.door), replay->at, what);
}

static bool take(struct arguments *arguments, void *to, size_t length) {
    if (arguments->left < length)
        return false;
    memcpy(to, arguments->bytes, length);
    arguments->bytes += length;
    arguments->left -= length;
    return true;
}

/* A flag of a structure that was read is true or false, whatever the file says. */
static void clean(bool *flag) {
    uint8_t byte;
    memcpy(&byte, flag, sizeof byte);
    *flag = byte != 0;
}

const char *replay_door_name(uint16_t door) {
    static const char *const names[] = {
        [RECORD_NOTHING] = "nothing",
        [RECORD_RESULT] = "result",
        [RECORD_CREATE] = "stack_create",
        [RECORD_SYSCTL] = "sysctl",
        [RECORD_IP6_BEGIN] = "ip6_begin",
        [RECORD_DHCP_START] = "dhcp_start",
        [RECORD_DHCP_RELEASE] = "dhcp_release",
        [RECORD_DHCP6_RELEASE] = "dhcp6_release",
        [RECORD_INPUT] = "stack_input",
        [RECORD_ADVANCE] = "stack_advance",
        [RECORD_FRAMES_KEEP] = "stack_frames_keep",
        [RECORD_FRAMES_SENT] = "stack_frames_sent",
        [RECORD_WAITING_RESUME] = "tcp_waiting_resume",
        [RECORD_NEIGHBOUR_CREATE] = "neighbour_create",
        [RECORD_NEIGHBOUR_LEARN] = "neighbour_learn",
        [RECORD_NEIGHBOUR_DROP] = "neighbour_drop",
        [RECORD_SOCKET_CREATE] = "socket_create",
        [RECORD_SOCKET_RELEASE] = "socket_release",
        [RECORD_BIND] = "socket_bind",
        [RECORD_CONNECT] = "socket_connect",
        [RECORD_CONNECT_ELSEWHERE] = "datagram_connect_elsewhere",
        [RECORD_DISCONNECT] = "socket_disconnect",
        [RECORD_LISTEN] = "socket_listen",
        [RECORD_ACCEPT] = "socket_accept",
        [RECORD_SHUTDOWN] = "socket_shutdown",
        [RECORD_SEND] = "socket_send",
        [RECORD_SEND_ROOM] = "socket_send_room",
        [RECORD_SEND_PART] = "socket_send_part",
        [RECORD_SEND_WRITTEN] = "socket_send_written",
        [RECORD_RECEIVE] = "socket_receive",
        [RECORD_RECEIVE_TAKEN] = "socket_receive_taken",
        [RECORD_RECEIVE_UNDONE] = "socket_receive_undone",
        [RECORD_POLL] = "socket_poll",
        [RECORD_SET_OPTION] = "socket_set_option",
        [RECORD_GET_OPTION] = "socket_get_option",
        [RECORD_AUTOBIND] = "datagram_autobind",
        [RECORD_LABEL_SET] = "ip6_label_set",
        [RECORD_WRITERS] = "writers",
        [RECORD_END] = "end",
    };
    return door < RECORD_DOORS ? names[door] : "no call";
}

/* The entry at a place, and where its bytes are. False: there is none that is whole. */
static bool entry_at(const uint8_t *bytes, size_t size, size_t at, struct record_entry *entry) {
    if (at > size || size - at < sizeof *entry)
        return false;
    memcpy(entry, bytes + at, sizeof *entry);
    return entry->length <= RECORD_BYTES_MAX && size - at - sizeof *entry >= entry->length;
}

static size_t entry_end(size_t size, size_t at, const struct record_entry *entry) {
    size_t end = at + sizeof *entry + (((size_t)entry->length + 7) & ~(size_t)7);
    return end < size ? end : size;
}

static bool find_create(const uint8_t *bytes, size_t size, struct record_create *create) {
    struct record_entry entry;
    bool there = entry_at(bytes, size, sizeof(struct record_head), &entry) && entry.door == RECORD_CREATE &&
                 entry.length == sizeof *create;
    if (there)
        memcpy(create, bytes + sizeof(struct record_head) + sizeof entry, sizeof *create);
    return there;
}

uint64_t replay_memory(const void *bytes, size_t size) {
    struct record_create create;
    return find_create(bytes, size, &create) && create.bytes <= REPLAY_MEMORY_MAX ? create.bytes : 0;
}

bool replay_begin(struct replay *replay, const void *bytes, size_t size, uint32_t build, void *memory,
                  size_t memory_bytes) {
    struct record_head head;
    memset(replay, 0, sizeof *replay);
    replay->bytes = bytes;
    replay->size = size;
    replay->at = sizeof head;
    replay->memory = memory;
    replay->memory_bytes = memory_bytes;
    if (size < sizeof head || (memcpy(&head, bytes, sizeof head), head.magic != RECORD_MAGIC)) {
        say(replay, REPLAY_INVALID, "it is no recording");
        return false;
    }
    if (head.stack_bytes != sizeof(struct stack) || (build && head.build != build)) {
        say(replay, REPLAY_INVALID, "it was recorded by another version of barewire (%08x, this is %08x)",
            head.build, build);
        return false;
    }
    return true;
}

bool replay_next(const struct replay *replay, struct record_entry *entry) {
    return entry_at(replay->bytes, replay->size, replay->at, entry);
}

static struct hash_link **name_bucket(struct replay *replay, uint64_t name) {
    return &replay->names[(name >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 52];
}

static struct socket *find_socket(struct replay *replay, uint64_t name) {
    struct hash_link *link = name ? *name_bucket(replay, name) : NULL;
    for (; link; link = link->next) {
        struct socket *socket = container_of(link, struct socket, name_link);
        if (socket->name == name)
            return socket;
    }
    return NULL;
}

static enum replay_outcome differs(struct replay *replay, long long recorded, long long now) {
    return say(replay, REPLAY_DIVERGED, "call %llu (%s), %.6f s: it returned %lld, and now %lld",
               (unsigned long long)replay->calls, replay_door_name(replay->entry.door),
               (double)(replay->entry.now_ns - replay->began_ns) / 1e9, recorded, now);
}

/* The result that was recorded; false: the program died in the call. */
static bool recorded_result(struct replay *replay, int64_t *value) {
    struct record_entry entry;
    if (!replay_next(replay, &entry) || entry.door != RECORD_RESULT)
        return false;
    *value = (int64_t)entry.socket;
    replay->at = entry_end(replay->size, replay->at, &entry);
    return true;
}

static enum replay_outcome compare(struct replay *replay, int64_t now) {
    int64_t recorded;
    replay->returned = now;
    return recorded_result(replay, &recorded) && recorded != now ? differs(replay, recorded, now)
                                                                 : REPLAY_GOES_ON;
}

/* A call that makes a socket: it is known from here on by where it lay. */
static enum replay_outcome compare_made(struct replay *replay, int error, struct socket *made) {
    int64_t recorded;
    replay->returned = error;
    if (!recorded_result(replay, &recorded))
        return REPLAY_GOES_ON;
    if (error || (recorded < 0 && recorded > -4096) || find_socket(replay, (uint64_t)recorded))
        return error == recorded ? REPLAY_GOES_ON : differs(replay, recorded, error);
    made->name = (uint64_t)recorded;
    hash_add(name_bucket(replay, made->name), &made->name_link);
    return REPLAY_GOES_ON;
}

static enum replay_outcome create(struct replay *replay, struct arguments *arguments) {
    struct record_create create;
    if (replay->stack || !take(arguments, &create, sizeof create))
        return invalid(replay, "a second stack, or half of one");
    struct stack_config *config = &create.config;
    clean(&config->loopback);
    clean(&config->offload);
    clean(&config->offload_datagrams);
    clean(&config->ip6.on);
    clean(&config->ip6.at_once);
    clean(&config->ip6.autoconf);
    bool good = create.bytes <= replay->memory_bytes && create.reserved_bytes >= sizeof(struct stack) &&
                create.reserved_bytes <= create.bytes / 2 && create.bytes % ARENA_BLOCK_BYTES == 0 &&
                config->ip6.more_count <= IP6_MORE_MAX && config->ip6.prefix_length <= IP_ADDRESS_BITS;
    for (uint32_t i = 0; good && i < config->ip6.more_count; i++)
        good = config->ip6.more[i].prefix_length <= IP_ADDRESS_BITS;
    if (!good)
        return invalid(replay, "no such stack can be");
    replay->began_ns = replay->entry.now_ns;
    struct stack *stack = (struct stack *)replay->memory;
    int error = stack_create(stack, replay->memory, create.bytes, create.reserved_bytes, config, create.seed,
                             replay->entry.now_ns);
    replay->stack = error ? NULL : stack;
    enum replay_outcome outcome = compare(replay, error);
    return outcome == REPLAY_GOES_ON && error ? invalid(replay, "the stack can't be made") : outcome;
}

static enum replay_outcome set_tunables(struct replay *replay, struct arguments *arguments) {
    char line[200];
    while (arguments->left > 0) {
        const uint8_t *end = memchr(arguments->bytes, '\n', arguments->left);
        size_t length = end ? (size_t)(end - arguments->bytes) : sizeof line;
        char *value;
        if (length >= sizeof line || !take(arguments, line, length + 1))
            return invalid(replay, "a tunable is not whole");
        line[length] = 0;
        if (!(value = strchr(line, '=')))
            return invalid(replay, "a tunable has no value");
        *value++ = 0;
        sysctl_set(&replay->stack->sysctl, line, value);
    }
    return REPLAY_GOES_ON;
}

/* A chain of what is left, as whoever filled it has left it. False: memory is out. */
static struct buffer *chain_of(struct replay *replay, struct arguments *arguments) {
    struct buffer *first = NULL, **link = &first;
    while (arguments->left > 0) {
        uint32_t here = arguments->left < BUFFER_CAPACITY ? (uint32_t)arguments->left : BUFFER_CAPACITY;
        if (!(*link = buffer_take(&replay->stack->buffers))) {
            buffer_drop_chain(&replay->stack->buffers, first);
            return NULL;
        }
        take(arguments, (*link)->storage, here);
        (*link)->end = here;
        link = &(*link)->next;
    }
    return first;
}

static enum replay_outcome input(struct replay *replay, struct arguments *arguments) {
    uint64_t flags;
    struct buffer *frame;
    if (!take(arguments, &flags, sizeof flags) || arguments->left == 0)
        return invalid(replay, "a frame is not whole");
    if (!(frame = chain_of(replay, arguments)))
        return invalid(replay, "there is no memory for a frame");
    stack_input(replay->stack, replay->entry.now_ns, frame, (unsigned)flags);
    return REPLAY_GOES_ON;
}

static enum replay_outcome frames_sent(struct replay *replay, struct arguments *arguments) {
    struct record_frame seen;
    uint32_t count = 0;
    for (; take(arguments, &seen, sizeof seen); count++, replay->frames++) {
        const struct frame *frame = stack_frame(replay->stack, count);
        uint32_t length = frame ? frame->header_length + frame->payload_length : 0;
        if (frame && replay->sent)
            replay->sent(replay->context, frame);
        if (length != seen.length || record_hash(frame) != seen.hash)
            return say(replay, REPLAY_DIVERGED,
                       "call %llu, frame %llu, %.6f s: a frame of %u bytes left, and now %s of %u",
                       (unsigned long long)replay->calls, (unsigned long long)replay->frames,
                       (double)(replay->entry.now_ns - replay->began_ns) / 1e9, seen.length,
                       frame ? "another one" : "none", length);
    }
    stack_frames_sent(replay->stack, count);
    return REPLAY_GOES_ON;
}

static enum replay_outcome neighbours(struct replay *replay, struct arguments *arguments) {
    struct record_values values = {0};
    bool learns = replay->entry.door == RECORD_NEIGHBOUR_LEARN;
    if (!take(arguments, &values, learns ? sizeof values : sizeof values.address))
        return invalid(replay, "an address is not whole");
    struct neighbour *neighbour = neighbour_lookup(replay->stack, values.address);
    if (replay->entry.door == RECORD_NEIGHBOUR_CREATE && !neighbour)
        neighbour_create(replay->stack, values.address);
    else if (learns && neighbour && values.values[0] == NEIGHBOUR_REACHABLE)
        neighbour_learn(replay->stack, neighbour, (const uint8_t *)&values.values[1], NEIGHBOUR_REACHABLE);
    else if (replay->entry.door == RECORD_NEIGHBOUR_DROP && neighbour)
        neighbour_drop(replay->stack, neighbour);
    return REPLAY_GOES_ON;
}

static enum replay_outcome resume(struct replay *replay, struct arguments *arguments) {
    struct tcp_waiting waiting;
    if (!take(arguments, &waiting, sizeof waiting))
        return invalid(replay, "a connection is not whole");
    clean(&waiting.timestamps);
    clean(&waiting.sack_permitted);
    clean(&waiting.scaling);
    clean(&waiting.reuse_address);
    clean(&waiting.reuse_port);
    return compare(replay, tcp_waiting_resume(replay->stack, &waiting));
}

static bool take_message(struct arguments *arguments, struct socket_message *message,
                         struct ip6_extensions *extensions) {
    if (!take(arguments, message, sizeof *message))
        return false;
    bool *const flags[] = {&message->has_address,   &message->unspecified,     &message->unreadable,
                           &message->truncated,     &message->has_ttl,         &message->has_tos,
                           &message->has_flow,      &message->has_packet_info, &message->has_dont_fragment,
                           &message->dont_fragment, &message->borrow,          &message->has_options,
                           &message->has_stamps,    &message->has_stamp_key,   &message->has_inq};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        clean(flags[i]);
    message->borrow = false;
    if (message->options.length > sizeof message->options.bytes)
        return false;
    if (!message->extensions)
        return true;
    message->extensions = extensions;
    return take(arguments, extensions, sizeof *extensions) &&
           extensions->hop_by_hop.length <= IP6_EXTENSIONS_MAX &&
           extensions->routing_options.length <= IP6_EXTENSIONS_MAX &&
           extensions->routing.length <= IP6_EXTENSIONS_MAX &&
           extensions->options.length <= IP6_EXTENSIONS_MAX;
}

static enum replay_outcome send_message(struct replay *replay, struct socket *socket,
                                        struct arguments *arguments) {
    struct ip6_extensions extensions;
    struct socket_message message;
    uint64_t length;
    if (!take_message(arguments, &message, &extensions) || !take(arguments, &length, sizeof length) ||
        (message.unreadable ? length > RECORD_BYTES_MAX : length != arguments->left))
        return invalid(replay, "a message is not whole");
    struct iovec piece = {message.unreadable ? (void *)replay->scratch : (void *)arguments->bytes, length};
    message.pieces = &piece;
    message.count = 1;
    return compare(replay, socket_send(replay->stack, socket, &message));
}

static enum replay_outcome receive_message(struct replay *replay, struct socket *socket,
                                           struct arguments *arguments) {
    struct ip6_extensions extensions;
    struct socket_message message;
    struct iovec pieces[RECEIVE_PIECES];
    uint64_t room;
    int count = 0;
    if (!take_message(arguments, &message, &extensions) || !take(arguments, &room, sizeof room))
        return invalid(replay, "a message is not whole");
    do { /* nobody looks at what is read */
        uint64_t here = room < sizeof replay->scratch ? room : sizeof replay->scratch;
        pieces[count++] = (struct iovec){replay->scratch, here};
        room -= here;
    } while (room > 0 && count < RECEIVE_PIECES);
    message.pieces = pieces;
    message.count = count;
    return compare(replay, socket_receive(replay->stack, socket, &message));
}

static enum replay_outcome receive_taken(struct replay *replay, struct socket *socket,
                                         struct arguments *arguments) {
    struct ip6_extensions extensions;
    struct socket_message message;
    uint64_t length;
    if (!take_message(arguments, &message, &extensions) || !take(arguments, &length, sizeof length))
        return invalid(replay, "a message is not whole");
    struct byte_cursor start = length <= UINT32_MAX
                                   ? record_receive_start(socket, message.flags, (uint32_t)length)
                                   : (struct byte_cursor){NULL, 0};
    if (!start.buffer)
        return say(replay, REPLAY_DIVERGED, "call %llu: %llu bytes were read, and now there are fewer",
                   (unsigned long long)replay->calls, (unsigned long long)length);
    socket_receive_taken(replay->stack, socket, &message, start, (uint32_t)length);
    return REPLAY_GOES_ON;
}

static enum replay_outcome send_part(struct replay *replay, struct socket *socket, const struct socket *room,
                                     struct arguments *arguments) {
    uint64_t said;
    uint32_t length;
    struct buffer *chain;
    if (room != socket || !take(arguments, &said, sizeof said) || arguments->left == 0)
        return invalid(replay, "a part of a stream without room for it");
    length = (uint32_t)arguments->left;
    if (!(chain = chain_of(replay, arguments)))
        return invalid(replay, "there is no memory for a part of a stream");
    socket_send_part(replay->stack, socket, chain, length, said & 1, said & 2);
    return REPLAY_GOES_ON;
}

static enum replay_outcome send_written(struct replay *replay, struct socket *socket,
                                        struct arguments *arguments) {
    struct ip6_extensions extensions;
    struct socket_message message;
    uint64_t whole;
    if (!take_message(arguments, &message, &extensions) || !take(arguments, &whole, sizeof whole))
        return invalid(replay, "a message is not whole");
    socket_send_written(replay->stack, socket, &message, whole != 0);
    return REPLAY_GOES_ON;
}

static enum replay_outcome set_option(struct replay *replay, struct socket *socket,
                                      struct arguments *arguments) {
    struct record_values said;
    struct sock_fprog program;
    if (!take(arguments, &said, sizeof said))
        return invalid(replay, "an option is not whole");
    int level = (int)said.values[0], name = (int)said.values[1];
    uint64_t length = said.values[2];
    if (length > arguments->left || length > sizeof replay->scratch)
        return invalid(replay, "an option's value is not whole");
    memset(replay->scratch, 0, sizeof(struct sock_fprog));
    take(arguments, replay->scratch, length);
    if (level == SOL_SOCKET && (name == SO_ATTACH_FILTER || name == SO_ATTACH_REUSEPORT_CBPF)) {
        memcpy(&program, replay->scratch, sizeof program);
        if (program.len * sizeof *program.filter != arguments->left)
            return invalid(replay, "a filter is not whole");
        struct sock_filter *copy = (struct sock_filter *)(replay->scratch + sizeof program);
        program.filter = program.len ? copy : NULL;
        if (sizeof program + arguments->left > sizeof replay->scratch)
            return invalid(replay, "a filter is too long");
        memcpy(replay->scratch, &program, sizeof program);
        take(arguments, copy, arguments->left);
    }
    return compare(replay, socket_set_option(replay->stack, socket, level, name,
                                             said.values[3] ? replay->scratch : NULL, (socklen_t)length));
}

static enum replay_outcome get_option(struct replay *replay, struct socket *socket,
                                      const struct record_values *said) {
    socklen_t length = (socklen_t)said->values[2];
    if (said->values[2] > INT32_MAX && (int)length >= 0)
        return invalid(replay, "an option is too long");
    if ((int)length > (int)sizeof replay->scratch)
        length = sizeof replay->scratch;
    return compare(replay, socket_get_option(replay->stack, socket, (int)said->values[0],
                                             (int)said->values[1], replay->scratch, &length));
}

static enum replay_outcome label_set(struct replay *replay, struct socket *socket,
                                     struct arguments *arguments) {
    struct ip6_label_request request;
    struct ip6_label_owner owner;
    if (!take(arguments, &request, sizeof request) || !take(arguments, &owner, sizeof owner))
        return invalid(replay, "a flow label is not whole");
    clean(&owner.privileged);
    return compare(replay, ip6_label_set(replay->stack, socket, &request, &owner));
}

static enum replay_outcome release(struct replay *replay, struct socket *socket) {
    hash_remove(&socket->name_link);
    socket_release(replay->stack, socket);
    return REPLAY_GOES_ON;
}

static enum replay_outcome send_room(struct replay *replay, struct socket *socket,
                                     const struct record_values *said) {
    ssize_t room = socket_send_room(replay->stack, socket, (int)said->values[0], said->values[1] != 0);
    replay->room = room > 0 || room == -EAGAIN ? socket : NULL;
    return compare(replay, room);
}

/* What the caller has changed of a socket since. */
static void caller_changes(struct replay *replay, struct socket *socket) {
    unsigned caller = replay->entry.caller;
    if (socket->options.inet6 != !!(caller & RECORD_INET6))
        socket_set_family(socket, caller & RECORD_INET6);
    socket->options.linger = caller & RECORD_LINGER;
    if (caller & RECORD_NO_ERROR)
        socket->error = 0;
}

/* IPV6_FLOWINFO_SEND: the label of a connection is set before it is opened. */
static void set_flow(struct replay *replay, struct socket *socket, uint64_t flow) {
    struct socket_filters *extra = flow ? socket_filters(replay->stack, socket) : NULL;
    if (extra)
        extra->six.flow_information = (uint32_t)flow;
}

/* A call of a socket whose arguments are numbers. */
static enum replay_outcome socket_step(struct replay *replay, struct socket *socket,
                                       struct arguments *arguments) {
    struct stack *stack = replay->stack;
    struct record_values said = {0};
    struct socket *made = NULL;
    int error;
    if (arguments->left > 0 && !take(arguments, &said, sizeof said))
        return invalid(replay, "the arguments are not whole");
    uint16_t port = (uint16_t)said.values[0];
    switch (replay->entry.door) {
    case RECORD_BIND:
        return compare(replay, socket_bind(stack, socket, said.address, port));
    case RECORD_CONNECT:
        set_flow(replay, socket, said.values[1]);
        return compare(replay, socket_connect(stack, socket, said.address, port));
    case RECORD_CONNECT_ELSEWHERE:
        return socket->datagram
                   ? compare(replay, datagram_connect_elsewhere(stack, socket, said.address, port))
                   : invalid(replay, "it is no socket of datagrams");
    case RECORD_AUTOBIND:
        return socket->datagram ? compare(replay, datagram_autobind(stack, socket))
                                : invalid(replay, "it is no socket of datagrams");
    case RECORD_DISCONNECT:
        return compare(replay, socket_disconnect(stack, socket));
    case RECORD_LISTEN:
        return compare(replay, socket_listen(stack, socket, (int)said.values[0]));
    case RECORD_ACCEPT:
        error = socket_accept(stack, socket, &made);
        return compare_made(replay, error, made);
    case RECORD_SHUTDOWN:
        return compare(replay, socket_shutdown(stack, socket, (int)said.values[0]));
    case RECORD_SEND_ROOM:
        return send_room(replay, socket, &said);
    case RECORD_POLL:
        return compare(replay, socket_poll(stack, socket));
    case RECORD_GET_OPTION:
        return get_option(replay, socket, &said);
    case RECORD_WRITERS:
        socket->blocked_writers = (uint32_t)said.values[0];
        return REPLAY_GOES_ON;
    case RECORD_SOCKET_RELEASE:
        return release(replay, socket);
    default:
        return invalid(replay, "there is no such call");
    }
}

/* A call of a socket that brings more than numbers, or those. */
static enum replay_outcome socket_call(struct replay *replay, struct arguments *arguments) {
    struct socket *socket = find_socket(replay, replay->entry.socket);
    const struct socket *room = replay->room;
    if (!socket)
        return invalid(replay, "there is no such socket");
    caller_changes(replay, socket);
    replay->room = NULL;
    switch (replay->entry.door) {
    case RECORD_SEND:
        return send_message(replay, socket, arguments);
    case RECORD_RECEIVE:
        return receive_message(replay, socket, arguments);
    case RECORD_SET_OPTION:
        return set_option(replay, socket, arguments);
    case RECORD_LABEL_SET:
        return label_set(replay, socket, arguments);
    case RECORD_SEND_PART:
    case RECORD_SEND_WRITTEN:
    case RECORD_RECEIVE_TAKEN:
    case RECORD_RECEIVE_UNDONE:
        break;
    default:
        return socket_step(replay, socket, arguments);
    }
    if (!socket->tcp)
        return invalid(replay, "it is no stream's socket");
    if (replay->entry.door == RECORD_SEND_PART)
        return send_part(replay, socket, room, arguments);
    if (replay->entry.door == RECORD_SEND_WRITTEN)
        return send_written(replay, socket, arguments);
    if (replay->entry.door == RECORD_RECEIVE_TAKEN)
        return receive_taken(replay, socket, arguments);
    socket_receive_undone(replay->stack, socket, arguments->bytes, (uint32_t)arguments->left);
    return REPLAY_GOES_ON;
}

static enum replay_outcome make_socket(struct replay *replay, struct arguments *arguments) {
    struct record_values said;
    struct socket *made = NULL;
    if (!take(arguments, &said, sizeof said))
        return invalid(replay, "the arguments are not whole");
    int error = socket_create(replay->stack, (int)said.values[0], (int)said.values[1], &made);
    return compare_made(replay, error, made);
}

static enum replay_outcome call(struct replay *replay, struct arguments *arguments) {
    struct stack *stack = replay->stack;
    if (!stack && replay->entry.door != RECORD_CREATE && replay->entry.door != RECORD_END)
        return invalid(replay, "there is no stack yet");
    if (stack && replay->entry.now_ns - stack->now_ns > PAUSE_MAX_NS)
        return invalid(replay, "its time goes back, or on for a month");
    if (stack)
        stack->now_ns = replay->entry.now_ns;
    switch (replay->entry.door) {
    case RECORD_CREATE:
        return create(replay, arguments);
    case RECORD_SYSCTL:
        return set_tunables(replay, arguments);
    case RECORD_IP6_BEGIN:
        ip6_begin(stack);
        return REPLAY_GOES_ON;
    case RECORD_DHCP_START:
        dhcp_start(stack);
        return REPLAY_GOES_ON;
    case RECORD_DHCP_RELEASE:
        dhcp_release(stack);
        return REPLAY_GOES_ON;
    case RECORD_DHCP6_RELEASE:
        dhcp6_release(stack);
        return REPLAY_GOES_ON;
    case RECORD_INPUT:
        return input(replay, arguments);
    case RECORD_ADVANCE:
        stack_advance(stack, replay->entry.now_ns);
        return REPLAY_GOES_ON;
    case RECORD_FRAMES_KEEP:
        stack_frames_keep(stack);
        return REPLAY_GOES_ON;
    case RECORD_FRAMES_SENT:
        return frames_sent(replay, arguments);
    case RECORD_WAITING_RESUME:
        return resume(replay, arguments);
    case RECORD_NEIGHBOUR_CREATE:
    case RECORD_NEIGHBOUR_LEARN:
    case RECORD_NEIGHBOUR_DROP:
        return neighbours(replay, arguments);
    case RECORD_SOCKET_CREATE:
        return make_socket(replay, arguments);
    case RECORD_END:
        return say(replay, REPLAY_ENDED, "%.*s", (int)arguments->left, (const char *)arguments->bytes);
    default:
        return socket_call(replay, arguments);
    }
}

enum replay_outcome replay_step(struct replay *replay) {
    if (replay->at >= replay->size)
        return REPLAY_ENDED;
    if (!replay_next(replay, &replay->entry))
        return say(replay, REPLAY_ENDED, "its end is cut off, at byte %zu", replay->at);
    struct arguments arguments = {replay->bytes + replay->at + sizeof replay->entry, replay->entry.length};
    replay->at = entry_end(replay->size, replay->at, &replay->entry);
    replay->calls++;
    enum replay_outcome outcome = call(replay, &arguments);
    while (replay->stack && stack_next_event(replay->stack))
        continue;
    return outcome;
}
