/* SPDX-License-Identifier: MIT */
/*
 * ip6_fragment.h - sending what is longer than the path's MTU in fragments (RFC 8200 section 4.5).
 */
#ifndef STACK_IP_IP6_FRAGMENT_H
#define STACK_IP_IP6_FRAGMENT_H

#include "stack/ip/ip6.h"

/* Sends a frame in fragments. */
int ip6_output_fragments(struct stack *stack, const struct frame *frame,
                         const struct ip_parameters *parameters);

#endif
