/* SPDX-License-Identifier: MIT */
/*
 * tso.c - see tso.h. Each part gets the headers with its own length, sequence number and identification;
 * CWR is the first's alone, PSH and FIN are the last's.
 */
#include "nic/tso.h"
#include <stdbool.h>
#include <string.h>

#define ETHERNET 14u
#define TCP 6
#define FIN_AND_PSH 9
#define CWR 128

struct shape {
    uint32_t ip, headers;   /* bytes: of IP, and of all headers */
    uint32_t payload, size; /* of all, and of each part */
    bool six;
};

static uint32_t get16(const uint8_t *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint64_t add(const uint8_t *bytes, uint32_t length) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < length; i++)
        sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
    return sum;
}

static uint16_t fold(uint64_t sum) {
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static bool look(const uint8_t *frame, uint32_t length, uint32_t longest, struct shape *shape) {
    const uint8_t *ip = frame + ETHERNET;
    if (length <= longest || length < ETHERNET + 40)
        return false;
    *shape = (struct shape){.six = get16(frame + 12) == 0x86dd};
    if (!shape->six && (get16(frame + 12) != 0x0800 || ip[0] >> 4 != 4 || get16(ip + 6) & 0x3fff))
        return false; /* neither, or a fragment */
    shape->ip = shape->six ? 40 : (ip[0] & 15u) * 4;
    if (ip[shape->six ? 6 : 9] != TCP || shape->ip < 20 || length < ETHERNET + shape->ip + 20)
        return false;
    shape->headers = ETHERNET + shape->ip + (uint32_t)(ip[shape->ip + 12] >> 4) * 4;
    if (shape->headers < ETHERNET + shape->ip + 20 || length <= shape->headers || longest <= shape->headers)
        return false;
    shape->payload = length - shape->headers;
    shape->size = longest - shape->headers;
    return true;
}

uint32_t tso_segments(const uint8_t *frame, uint32_t length, uint32_t longest) {
    struct shape shape;
    return look(frame, length, longest, &shape) ? (shape.payload + shape.size - 1) / shape.size : 0;
}

static void put_lengths(uint8_t *ip, const struct shape *shape, uint32_t transport, uint32_t index) {
    if (shape->six) {
        put16(ip + 4, transport);
        return;
    }
    put16(ip + 2, shape->ip + transport);
    put16(ip + 4, get16(ip + 4) + index);
    put16(ip + 10, 0);
    put16(ip + 10, fold(add(ip, shape->ip)));
}

uint32_t tso_segment(const uint8_t *frame, uint32_t length, uint32_t longest, uint32_t index, uint8_t *part) {
    struct shape shape;
    if (!look(frame, length, longest, &shape) || index * shape.size >= shape.payload)
        return 0;
    uint32_t at = index * shape.size, left = shape.payload - at;
    uint32_t size = left < shape.size ? left : shape.size,
             transport = shape.headers - ETHERNET - shape.ip + size;
    memcpy(part, frame, shape.headers);
    memcpy(part + shape.headers, frame + shape.headers + at, size);
    uint8_t *ip = part + ETHERNET, *tcp = ip + shape.ip;
    put_lengths(ip, &shape, transport, index);
    uint32_t sequence = (get16(tcp + 4) << 16 | get16(tcp + 6)) + at;
    put16(tcp + 4, sequence >> 16);
    put16(tcp + 6, sequence & 0xffff);
    if (index > 0)
        tcp[13] &= (uint8_t)~CWR;
    if (left > size)
        tcp[13] &= (uint8_t)~FIN_AND_PSH;
    put16(tcp + 16, 0);
    uint64_t pseudo = add(ip + (shape.six ? 8 : 12), shape.six ? 32 : 8) + TCP + transport;
    put16(tcp + 16, fold(pseudo + add(tcp, transport)));
    return shape.headers + size;
}
