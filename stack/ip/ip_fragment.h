/* SPDX-License-Identifier: MIT */
/*
 * ip_fragment.h - sending what is longer than the path's MTU in fragments (RFC 791 section 3.2).
 */
#ifndef STACK_IP_IP_FRAGMENT_H
#define STACK_IP_IP_FRAGMENT_H

#include "stack/ip/ip.h"

/* Sends a frame in fragments. */
int ip_output_fragments(struct stack *stack, const struct frame *frame,
                        const struct ip_parameters *parameters);

#endif
