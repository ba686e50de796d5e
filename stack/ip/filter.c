/* SPDX-License-Identifier: MIT */
/*
 * filter.c - see filter.h.
 */
#include "stack/ip/filter.h"
#include "stack/base/minmax.h"
#include "stack/base/wire.h"
#include "stack/stack.h"
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

static const struct sock_filter *instruction(const struct filter_program *program, uint32_t index) {
    const struct buffer *part = program->parts[index / FILTER_PART];
    return (const struct sock_filter *)(const void *)part->storage + index % FILTER_PART;
}

void filter_view(const struct stack *stack, struct filter_view *view, const struct ip_packet *packet,
                 uint32_t transport_length) {
    const struct buffer *first = packet->chain;
    uint32_t network_length = first->start - packet->header_at;
    *view = (struct filter_view){.chain = first,
                                 .interface = stack->config.interface_index,
                                 .protocol = ip_is_v4(packet->source) ? ETH_P_IP : ETH_P_IPV6,
                                 .type = !packet->multicast                     ? PACKET_HOST
                                         : ip_is_multicast(packet->destination) ? PACKET_MULTICAST
                                                                                : PACKET_BROADCAST};
    if (first->start < packet->header_at || network_length > 60 || transport_length > 60)
        return; /* can't be */
    memcpy(view->headers, first->storage + packet->header_at, network_length);
    memcpy(view->headers + network_length, buffer_data((struct buffer *)first), transport_length);
    view->network_length = view->base = network_length;
    view->transport_length = view->skip = transport_length;
}

void filter_view_trimmed(struct filter_view *view, const struct buffer *chain) {
    view->chain = chain;
    view->skip = 0;
}

/* Copies bytes from a place of the packet. False: they are not all there. */
static bool load_bytes(const struct filter_view *view, uint32_t at, uint8_t *to, uint32_t length) {
    uint32_t headers = view->network_length + view->transport_length;
    const struct buffer *buffer = view->chain;
    for (; length > 0 && at < headers; length--)
        *to++ = view->headers[at++];
    at += view->skip - headers;
    while (length > 0) {
        while (buffer && at >= buffer_length(buffer)) {
            at -= buffer_length(buffer);
            buffer = buffer->next;
        }
        if (!buffer)
            return false;
        *to++ = buffer->storage[buffer->start + at++];
        length--;
    }
    return true;
}

/* What is known beside the packet's bytes. */
static bool ancillary(const struct filter_view *view, uint32_t what, uint32_t *value) {
    switch (what) {
    case SKF_AD_PROTOCOL:
        *value = view->protocol;
        return true;
    case SKF_AD_PKTTYPE:
        *value = view->type;
        return true;
    case SKF_AD_IFINDEX:
        *value = view->interface;
        return true;
    case SKF_AD_HATYPE:
        *value = ARPHRD_ETHER;
        return true;
    case SKF_AD_PAY_OFFSET:
        *value = view->network_length + view->transport_length - view->base;
        return true;
    case SKF_AD_RANDOM:
    case SKF_AD_RXHASH: /* not kept: any number spreads */
    case SKF_AD_CPU:    /* whichever runs this */
    case SKF_AD_MARK:
    case SKF_AD_QUEUE:
    case SKF_AD_NLATTR:
    case SKF_AD_NLATTR_NEST:
    case SKF_AD_VLAN_TAG:
    case SKF_AD_VLAN_TAG_PRESENT:
    case SKF_AD_VLAN_TPID:
        *value = 0;
        return true;
    default:
        return false;
    }
}

static bool load(const struct filter_view *view, uint32_t offset, uint32_t size, uint32_t *value) {
    uint8_t bytes[4];
    int32_t place = (int32_t)offset;
    uint64_t at = (uint64_t)view->base + offset;
    if (place < 0 && place >= SKF_AD_OFF)
        return ancillary(view, (uint32_t)(place - SKF_AD_OFF), value);
    if (place < 0 && place >= SKF_NET_OFF)
        at = (uint32_t)(place - SKF_NET_OFF);
    else if (place < 0)
        return false; /* the link's header is not kept */
    if (at > IP_DATAGRAM_MAX || !load_bytes(view, (uint32_t)at, bytes, size))
        return false;
    *value = size == 4 ? wire_get32(bytes) : size == 2 ? wire_get16(bytes) : bytes[0];
    return true;
}

static uint32_t size_of(uint16_t code) {
    return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* False: division by zero. */
static bool calculate(uint16_t operation, uint32_t *a, uint32_t operand) {
    switch (operation) {
    case BPF_ADD:
        *a += operand;
        return true;
    case BPF_SUB:
        *a -= operand;
        return true;
    case BPF_MUL:
        *a *= operand;
        return true;
    case BPF_DIV:
        *a = operand ? *a / operand : 0;
        return operand != 0;
    case BPF_MOD:
        *a = operand ? *a % operand : 0;
        return operand != 0;
    case BPF_AND:
        *a &= operand;
        return true;
    case BPF_OR:
        *a |= operand;
        return true;
    case BPF_XOR:
        *a ^= operand;
        return true;
    case BPF_LSH:
        *a <<= operand & 31;
        return true;
    case BPF_RSH:
        *a >>= operand & 31;
        return true;
    case BPF_NEG:
        *a = -*a;
        return true;
    default:
        return false;
    }
}

static bool compare(uint16_t operation, uint32_t a, uint32_t operand) {
    switch (operation) {
    case BPF_JEQ:
        return a == operand;
    case BPF_JGT:
        return a > operand;
    case BPF_JGE:
        return a >= operand;
    default: /* BPF_JSET */
        return a & operand;
    }
}

static uint32_t run(const struct filter_program *program, const struct filter_view *view, uint32_t length) {
    uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};
    for (uint32_t at = 0; at < program->count; at++) {
        const struct sock_filter *now = instruction(program, at);
        uint32_t *target = BPF_CLASS(now->code) == BPF_LD ? &a : &x, value = 0;
        uint32_t operand = BPF_SRC(now->code) == BPF_X ? x : now->k;
        switch (BPF_CLASS(now->code)) {
        case BPF_LD:
        case BPF_LDX:
            switch (BPF_MODE(now->code)) {
            case BPF_IMM:
                *target = now->k;
                break;
            case BPF_MEM:
                *target = memory[now->k % BPF_MEMWORDS];
                break;
            case BPF_LEN:
                *target = length;
                break;
            case BPF_MSH:
                if (!load(view, now->k, 1, &value))
                    return 0;
                x = (value & 15) * 4;
                break;
            default: /* BPF_ABS, BPF_IND */
                if (now->k == (uint32_t)(SKF_AD_OFF + SKF_AD_ALU_XOR_X))
                    a ^= x;
                else if (!load(view, now->k + (BPF_MODE(now->code) == BPF_IND ? x : 0), size_of(now->code),
                               &a))
                    return 0;
            }
            break;
        case BPF_ST:
            memory[now->k % BPF_MEMWORDS] = a;
            break;
        case BPF_STX:
            memory[now->k % BPF_MEMWORDS] = x;
            break;
        case BPF_ALU:
            if (!calculate(BPF_OP(now->code), &a, operand))
                return 0;
            break;
        case BPF_JMP:
            at += BPF_OP(now->code) == BPF_JA              ? now->k
                  : compare(BPF_OP(now->code), a, operand) ? now->jt
                                                           : now->jf;
            break;
        case BPF_RET:
            return BPF_RVAL(now->code) == BPF_A ? a : now->k;
        default: /* BPF_MISC */
            if (BPF_MISCOP(now->code) == BPF_TAX)
                x = a;
            else
                a = x;
        }
    }
    return 0;
}

static bool is_load(const struct sock_filter *one) {
    uint16_t mode = BPF_MODE(one->code), size = BPF_SIZE(one->code);
    bool wide = size == BPF_W, x = BPF_CLASS(one->code) == BPF_LDX;
    struct filter_view nothing = {0};
    uint32_t value, offset = one->k - (uint32_t)SKF_AD_OFF;
    switch (mode) {
    case BPF_IMM:
    case BPF_LEN:
        return wide;
    case BPF_MEM:
        return wide && one->k < BPF_MEMWORDS;
    case BPF_MSH:
        return x && size == BPF_B;
    case BPF_ABS:
        if ((int32_t)one->k < 0 && (int32_t)one->k >= SKF_AD_OFF && offset != SKF_AD_ALU_XOR_X &&
            !ancillary(&nothing, offset, &value))
            return false;
        return !x && size <= BPF_B;
    case BPF_IND:
        return !x && size <= BPF_B;
    default:
        return false;
    }
}

static bool is_calculation(const struct sock_filter *one) {
    bool constant = BPF_SRC(one->code) == BPF_K;
    switch (BPF_OP(one->code)) {
    case BPF_DIV:
    case BPF_MOD:
        return !constant || one->k != 0;
    case BPF_LSH:
    case BPF_RSH:
        return !constant || one->k < 32;
    case BPF_NEG:
        return constant;
    default:
        return BPF_OP(one->code) <= BPF_XOR;
    }
}

/* Whether an instruction with `left` behind it is one that there is. */
static bool is_good(const struct sock_filter *one, uint32_t left) {
    if (one->code > 0xff)
        return false;
    switch (BPF_CLASS(one->code)) {
    case BPF_LD:
    case BPF_LDX:
        return is_load(one);
    case BPF_ST:
    case BPF_STX:
        return one->code == BPF_CLASS(one->code) && one->k < BPF_MEMWORDS;
    case BPF_ALU:
        return is_calculation(one);
    case BPF_JMP:
        if (BPF_OP(one->code) == BPF_JA)
            return BPF_SRC(one->code) == BPF_K && one->k < left;
        return BPF_OP(one->code) <= BPF_JSET && one->jt < left && one->jf < left;
    case BPF_RET:
        return one->code == (BPF_RET | BPF_K) || one->code == (BPF_RET | BPF_A);
    default:
        return one->code == (BPF_MISC | BPF_TAX) || one->code == (BPF_MISC | BPF_TXA);
    }
}

/* Whether no word of memory is read that might not have been written (Linux's check_load_and_stores):
 * `written` says what each instruction may rely on, all that every way to it has written. */
static bool memory_is_written(const struct sock_filter *program, uint32_t count) {
    uint16_t written[FILTER_INSTRUCTIONS_MAX], known = 0;
    memset(written, 0xff, count * sizeof *written);
    for (uint32_t at = 0; at < count; at++) {
        const struct sock_filter *one = &program[at];
        uint16_t class = BPF_CLASS(one->code);
        known &= written[at];
        if (class == BPF_ST || class == BPF_STX)
            known |= (uint16_t)(1u << one->k);
        if ((class == BPF_LD || class == BPF_LDX) && BPF_MODE(one->code) == BPF_MEM && !(known >> one->k & 1))
            return false;
        if (class != BPF_JMP)
            continue;
        if (BPF_OP(one->code) == BPF_JA) {
            written[at + 1 + one->k] &= known;
        } else {
            written[at + 1 + one->jt] &= known;
            written[at + 1 + one->jf] &= known;
        }
        known = 0xffff;
    }
    return true;
}

static bool is_program(const struct sock_filter *program, uint32_t count) {
    if (!program || count == 0 || count > FILTER_INSTRUCTIONS_MAX)
        return false;
    for (uint32_t at = 0; at < count; at++)
        if (!is_good(&program[at], count - at - 1))
            return false;
    return BPF_CLASS(program[count - 1].code) == BPF_RET && memory_is_written(program, count);
}

static void drop_program(struct stack *stack, struct filter_program *program) {
    program->count = 0;
    for (uint32_t i = 0; i < FILTER_PARTS; i++) {
        buffer_drop_chain(&stack->buffers, program->parts[i]);
        program->parts[i] = NULL;
    }
}

static void share_program(struct filter_program *to, const struct filter_program *from) {
    for (uint32_t i = 0; i < FILTER_PARTS; i++) {
        if (from->parts[i])
            from->parts[i]->references++;
        to->parts[i] = from->parts[i];
    }
    to->count = from->count;
}

static bool take_program(struct stack *stack, struct filter_program *program, const struct sock_filter *from,
                         uint32_t count) {
    struct filter_program made = {0};
    for (uint32_t done = 0; done < count; done += FILTER_PART) {
        uint32_t here = min_u32(count - done, FILTER_PART);
        struct buffer *part = buffer_take(&stack->buffers);
        if (!part) {
            drop_program(stack, &made);
            return false;
        }
        part->end = here * (uint32_t)sizeof *from;
        memcpy(part->storage, from + done, part->end);
        made.parts[done / FILTER_PART] = part;
    }
    drop_program(stack, program);
    memcpy(program->parts, made.parts, sizeof made.parts);
    atomic_signal_fence(memory_order_seq_cst); /* a repair must not find a count without its parts */
    program->count = count;
    return true;
}

static struct filter *filter_of(const struct socket *socket) {
    return socket->filters ? &socket->filters->filter : NULL;
}

static struct filter *filter_make(struct stack *stack, struct socket *socket) {
    struct socket_filters *extra = socket_filters(stack, socket);
    return extra ? &extra->filter : NULL;
}

static int attach(struct stack *stack, struct socket *socket, int name, const void *value, socklen_t length) {
    struct sock_fprog from;
    if (length != sizeof from)
        return -EINVAL;
    memcpy(&from, value, sizeof from);
    if (name == SO_ATTACH_FILTER && filter_of(socket) && filter_of(socket)->locked)
        return -EPERM;
    if (!is_program(from.filter, from.len) ||
        (name == SO_ATTACH_REUSEPORT_CBPF && !socket->options.reuse_port))
        return -EINVAL;
    struct filter *filter = filter_make(stack, socket);
    if (!filter || !take_program(stack, name == SO_ATTACH_FILTER ? &filter->admits : &filter->steers,
                                 from.filter, from.len))
        return -ENOMEM;
    return 0;
}

bool filter_is_option(int name) {
    return name == SO_ATTACH_FILTER || name == SO_DETACH_FILTER || name == SO_LOCK_FILTER ||
           name == SO_ATTACH_REUSEPORT_CBPF || name == SO_DETACH_REUSEPORT_BPF;
}

int filter_set_option(struct stack *stack, struct socket *socket, int name, const void *value,
                      socklen_t length, int number) {
    struct filter *filter = filter_of(socket);
    stack_work_on(stack, socket);
    switch (name) {
    case SO_ATTACH_FILTER:
    case SO_ATTACH_REUSEPORT_CBPF:
        return attach(stack, socket, name, value, length);
    case SO_DETACH_FILTER:
        if (filter && filter->locked)
            return -EPERM;
        if (!filter || !filter->admits.count)
            return -ENOENT;
        drop_program(stack, &filter->admits);
        return 0;
    case SO_DETACH_REUSEPORT_BPF:
        if (!filter || !filter->steers.count)
            return -ENOENT;
        drop_program(stack, &filter->steers);
        return 0;
    default: /* SO_LOCK_FILTER */
        if (filter && filter->locked && !number)
            return -EPERM;
        if (!number)
            return 0;
        filter = filter_make(stack, socket);
        if (!filter)
            return -ENOMEM;
        filter->locked = true;
        return 0;
    }
}

int filter_get_option(const struct socket *socket, int name, void *value, socklen_t *length) {
    const struct filter *filter = filter_of(socket);
    uint32_t count = filter ? filter->admits.count : 0;
    int locked = filter && filter->locked;
    if (name == SO_LOCK_FILTER) {
        *length = *length < sizeof locked ? *length : sizeof locked;
        memcpy(value, &locked, *length);
        return 0;
    }
    /* SO_GET_FILTER: lengths are in instructions. */
    if (*length && *length < count)
        return -EINVAL;
    for (uint32_t at = 0; *length && at < count; at++)
        memcpy((struct sock_filter *)value + at, instruction(&filter->admits, at),
               sizeof(struct sock_filter));
    *length = count;
    return 0;
}

uint32_t filter_admits(const struct socket *socket, struct filter_view *view, uint32_t length) {
    const struct filter *filter = filter_of(socket);
    return filter && filter->admits.count ? run(&filter->admits, view, length) : UINT32_MAX;
}

bool filter_has_steering(const struct socket *socket) {
    return filter_of(socket) && filter_of(socket)->steers.count;
}

uint32_t filter_steers(const struct socket *socket, struct filter_view *view) {
    uint32_t length = buffer_chain_length(view->chain) - view->skip,
             headers = view->network_length + view->transport_length, base = view->base;
    view->base = headers;
    uint32_t result = run(&filter_of(socket)->steers, view, length);
    view->base = base;
    return result;
}

bool filter_inherit(struct stack *stack, const struct socket *from, struct socket *to) {
    const struct filter *original = filter_of(from);
    if (!original || (!original->admits.count && !original->locked))
        return true;
    struct filter *filter = filter_make(stack, to);
    if (!filter)
        return false;
    share_program(&filter->admits, &original->admits);
    filter->locked = original->locked;
    return true;
}

void filter_purge(struct stack *stack, struct filter *filter) {
    drop_program(stack, &filter->admits);
    drop_program(stack, &filter->steers);
}
