/* SPDX-License-Identifier: MIT */
/*
 * ip_identification.c - see ip_identification.h.
 */
#include "stack/ip/ip_identification.h"
#include "stack/stack.h"

#define TICK_NS 1000000u

void ip_identification_init(struct stack *stack) {
    for (unsigned i = 0; i < 2; i++)
        stack->ip_identifications.key[i] = random_u64(&stack->random);
}

/* Linux's __ip_select_ident: a counter that others may share moves on by a random number of at most the
 * milliseconds since its last use. */
static uint16_t shared_number(struct stack *stack, const struct ip_parameters *parameters, uint32_t count) {
    struct ip_identifications *table = &stack->ip_identifications;
    uint32_t input[3] = {ip_to_v4(parameters->destination), ip_to_v4(parameters->source),
                         parameters->protocol};
    uint64_t hash = siphash(table->key, input, sizeof input);
    uint32_t index = (uint32_t)(hash % IP_IDENTIFICATIONS), now_ms = (uint32_t)(stack->now_ns / TICK_NS);
    uint32_t idle_ms = now_ms - table->counters[index].used_ms;
    uint16_t first = table->counters[index].next;
    if (idle_ms > 0)
        first = (uint16_t)(first + random_below(&stack->random, idle_ms));
    table->counters[index].used_ms = now_ms;
    table->counters[index].next = (uint16_t)(first + count);
    return first;
}

uint16_t ip_identification(struct stack *stack, const struct ip_parameters *parameters, bool whole,
                           uint32_t count) {
    if (parameters->identification) {
        uint16_t first = *parameters->identification;
        *parameters->identification = (uint16_t)(first + count);
        return first;
    }
    return whole ? 0 : shared_number(stack, parameters, count);
}
