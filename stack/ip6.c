/*
 * ip6.c - see ip6.h: a host without an address of IPv6.
 */
#include "ip6.h"
#include "stack.h"
#include <errno.h>

bool ip6_is_local(const struct stack *stack, struct ip_address address) {
    (void)stack;
    (void)address;
    return false;
}

int ip6_reachable(const struct stack *stack, struct ip_address destination) {
    (void)stack;
    (void)destination;
    return -ENETUNREACH;
}

int ip6_source(const struct stack *stack, struct ip_address destination, unsigned preferences,
               struct ip_address *source) {
    (void)stack;
    (void)destination;
    (void)preferences;
    (void)source;
    return -EADDRNOTAVAIL;
}

void ip6_confirm(struct stack *stack, struct ip_address destination) {
    (void)stack;
    (void)destination;
}

int ip6_output(struct stack *stack, struct frame *frame, const struct ip_parameters *parameters) {
    (void)parameters;
    frame_release(&stack->buffers, frame);
    return -ENETUNREACH;
}
