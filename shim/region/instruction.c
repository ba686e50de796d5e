/* SPDX-License-Identifier: MIT */
/*
 * instruction.c - see instruction.h.
 *
 * An instruction is prefixes, an opcode of one of four maps, a ModRM byte with what it asks for (SIB,
 * displacement), and an immediate operand. Two bits for each opcode say which of the last two it has; the few
 * whose operand depends on the prefixes, or on the ModRM byte, are told apart by hand.
 */
#include "shim/region/instruction.h"
#include <string.h>

#define LENGTH_MAX 15

/* What follows an opcode: an immediate operand of 8 bits, or of 32 (16 with the prefix 66); ModRM; both. The
 * tables have these as digits, one an opcode. */
enum { NONE, BYTE, LONG, MODRM, MODRM_BYTE, MODRM_LONG, OTHER };

static const char one_byte[] = /*    0123456789abcdef */
    /*0*/ "3333120033331206"
          /*1*/ "3333120033331200"
          /*2*/ "3333120033331200"
          /*3*/ "3333120033331200"
          /*4*/ "0000000000000000"
          /*5*/ "0000000000000000"
          /*6*/ "0003000025140000"
          /*7*/ "1111111111111111"
          /*8*/ "4504333333333333"
          /*9*/ "0000000000000000"
          /*a*/ "6666000012000000"
          /*b*/ "1111111166666666"
          /*c*/ "4460004560600100"
          /*d*/ "3333000033333333"
          /*e*/ "1111111166010000"
          /*f*/ "0000006600000033";
static const char two_bytes[] = /*    0123456789abcdef */
    /*0*/ "3333000000000304"
          /*1*/ "3333333333333333"
          /*2*/ "3333333333333333"
          /*3*/ "0000000000000000"
          /*4*/ "3333333333333333"
          /*5*/ "3333333333333333"
          /*6*/ "3333333333333333"
          /*7*/ "4444333033333333"
          /*8*/ "6666666666666666"
          /*9*/ "3333333333333333"
          /*a*/ "0003430000034333"
          /*b*/ "3333333333433333"
          /*c*/ "3343444300000000"
          /*d*/ "3333333333333333"
          /*e*/ "3333333333333333"
          /*f*/ "3333333333333333";

struct reader {
    const uint8_t *code;
    size_t at, room;
    bool overrun, small_operand, small_address, wide;
};

static uint8_t next(struct reader *reader) {
    if (reader->at >= reader->room) {
        reader->overrun = true;
        return 0;
    }
    return reader->code[reader->at++];
}

static void skip(struct reader *reader, size_t bytes) {
    reader->at += bytes;
}

/* The ModRM byte, and the SIB byte and the displacement that it asks for. Gives the byte. */
static uint8_t read_modrm(struct reader *reader) {
    uint8_t modrm = next(reader), mode = modrm >> 6, base = modrm & 7;
    if (mode == 3)
        return modrm;
    if (base == 4)
        base = next(reader) & 7;
    else if (base == 5 && mode == 0)
        skip(reader, 4);
    if (base == 5 && mode == 0 && (modrm & 7) == 4)
        skip(reader, 4);
    skip(reader, mode == 1 ? 1 : mode == 2 ? 4 : 0);
    return modrm;
}

static size_t operand_bytes(const struct reader *reader) {
    return reader->small_operand ? 2 : 4;
}

static void read_rest(struct reader *reader, int kind) {
    if (kind >= MODRM && kind <= MODRM_LONG)
        read_modrm(reader);
    if (kind == BYTE || kind == MODRM_BYTE)
        skip(reader, 1);
    else if (kind == LONG || kind == MODRM_LONG)
        skip(reader, operand_bytes(reader));
}

/* Opcodes whose operand is of another kind. */
static void read_other(struct reader *reader, uint8_t opcode) {
    switch (opcode) {
    case 0xa0 ... 0xa3: /* mov, an address of 64 bits */
        skip(reader, reader->small_address ? 4 : 8);
        break;
    case 0xb8 ... 0xbf: /* mov $n, register */
        skip(reader, reader->wide ? 8 : operand_bytes(reader));
        break;
    case 0xc2: /* ret $n */
    case 0xca:
        skip(reader, 2);
        break;
    case 0xc8: /* enter */
        skip(reader, 3);
        break;
    case 0xe8: /* call and jmp: 32 bits whatever the prefix says */
    case 0xe9:
        skip(reader, 4);
        break;
    case 0xf6: /* test has an operand; not, neg, mul and div have none */
        if ((read_modrm(reader) & 0x38) < 0x10)
            skip(reader, 1);
        break;
    case 0xf7:
        if ((read_modrm(reader) & 0x38) < 0x10)
            skip(reader, operand_bytes(reader));
        break;
    default:
        break;
    }
}

/* Behind 0f. */
static void read_two_bytes(struct reader *reader) {
    uint8_t opcode = next(reader);
    if (opcode == 0x38 || opcode == 0x3a) {
        next(reader);
        read_rest(reader, opcode == 0x3a ? MODRM_BYTE : MODRM);
    } else if (two_bytes[opcode] - '0' == OTHER) {
        skip(reader, 4); /* jcc */
    } else {
        read_rest(reader, two_bytes[opcode] - '0');
    }
}

/* VEX and EVEX: the map is in the prefix. */
static void read_vector(struct reader *reader, uint8_t first) {
    uint8_t map = first == 0xc5 ? 1 : next(reader) & (first == 0x62 ? 7 : 31);
    skip(reader, first == 0x62 ? 2 : 1);
    uint8_t opcode = next(reader);
    if (map == 1 && opcode == 0x77)
        return; /* vzeroupper */
    bool byte = map == 3 || (map == 1 && two_bytes[opcode] - '0' == MODRM_BYTE);
    read_rest(reader, byte ? MODRM_BYTE : MODRM);
}

static bool is_prefix(uint8_t byte) {
    return memchr("\x66\x67\xf0\xf2\xf3\x2e\x36\x3e\x26\x64\x65", byte, 11) != NULL;
}

unsigned instruction_length(const uint8_t *code, size_t room) {
    struct reader reader = {.code = code, .room = room < LENGTH_MAX ? room : LENGTH_MAX};
    uint8_t byte = next(&reader);
    while (is_prefix(byte) && !reader.overrun) {
        reader.small_operand |= byte == 0x66;
        reader.small_address |= byte == 0x67;
        byte = next(&reader);
    }
    if ((byte & 0xf0) == 0x40) { /* REX */
        reader.wide = byte & 8;
        byte = next(&reader);
    }
    if (byte == 0x0f)
        read_two_bytes(&reader);
    else if (byte == 0xc4 || byte == 0xc5 || byte == 0x62)
        read_vector(&reader, byte);
    else if (one_byte[byte] - '0' == OTHER)
        read_other(&reader, byte);
    else
        read_rest(&reader, one_byte[byte] - '0');
    return reader.overrun || reader.at > reader.room ? 0 : (unsigned)reader.at;
}

void instruction_walk(const uint8_t *text, size_t bytes,
                      void (*visit)(const uint8_t *instruction, unsigned length, void *context),
                      void *context) {
    for (size_t at = 0; at < bytes;) {
        unsigned length = instruction_length(text + at, bytes - at);
        if (length)
            visit(text + at, length, context);
        at += length ? length : 1;
    }
}
