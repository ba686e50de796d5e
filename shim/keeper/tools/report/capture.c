/* SPDX-License-Identifier: MIT */
/*
 * capture.c - see capture.h. The formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
 *
 * A file may come from anywhere: every length in it is checked against what is there.
 */
#include "shim/keeper/tools/report/capture.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INTERFACES_MAX 64
#define LET_GO_BYTES (size_t)(32 << 20)
#define LINK_ETHERNET 1
#define LINK_RAW_BSD 12
#define LINK_RAW 101
#define LINK_COOKED 113
#define LINK_COOKED2 276
#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_SIMPLE 3u
#define BLOCK_PACKET 6u
#define OPTION_COMMENT 1u
#define OPTION_FLAGS 2u
#define OPTION_RESOLUTION 9u

struct interface {
    uint32_t link;
    uint64_t units; /* of time in a second */
};

struct reader {
    const uint8_t *bytes;
    size_t length, at;
    size_t let_go; /* of a mapped file's pages, so many bytes; SIZE_MAX: it is not mapped */
    bool swapped;
    uint64_t count;
    struct interface interfaces[INTERFACES_MAX];
    uint32_t interface_count;
    char comment[1024];
    void (*each)(const struct capture_packet *packet, void *context);
    void *context;
};

static uint32_t get32(const struct reader *reader, size_t at) {
    uint32_t value;
    memcpy(&value, reader->bytes + at, sizeof value);
    return reader->swapped ? __builtin_bswap32(value) : value;
}

static uint16_t get16(const struct reader *reader, size_t at) {
    uint16_t value;
    memcpy(&value, reader->bytes + at, sizeof value);
    return reader->swapped ? __builtin_bswap16(value) : value;
}

/* What a frame carries, and where that begins in it. */
static enum capture_type find_payload(uint32_t link, const uint8_t *frame, uint32_t length, uint32_t *at) {
    uint32_t header = link == LINK_ETHERNET ? 14 : link == LINK_COOKED ? 16 : link == LINK_COOKED2 ? 20 : 0;
    uint32_t type_at = link == LINK_ETHERNET ? 12 : link == LINK_COOKED ? 14 : 0, type;
    bool raw = link == LINK_RAW || link == LINK_RAW_BSD;
    if ((!header && !raw) || length < header + 20)
        return CAPTURE_OTHER;
    if (raw) {
        type = frame[0] >> 4 == 4 ? CAPTURE_IPV4 : frame[0] >> 4 == 6 ? CAPTURE_IPV6 : CAPTURE_OTHER;
    } else {
        for (;;) {
            type = (uint32_t)frame[type_at] << 8 | frame[type_at + 1];
            bool tag = type == 0x8100 || type == 0x88a8; /* of a VLAN */
            if (!tag || link == LINK_COOKED2 || length < header + 24)
                break;
            type_at = header + 2;
            header += 4;
        }
    }
    *at = header;
    uint8_t version = frame[header] >> 4;
    bool known = type == CAPTURE_ARP || (type == CAPTURE_IPV4 && version == 4) ||
                 (type == CAPTURE_IPV6 && version == 6);
    return known ? (enum capture_type)type : CAPTURE_OTHER;
}

/* A file may be larger than the memory: its pages are the kernel's to keep, not this process's. What was read is not
 * looked at again. */
static void let_go(struct reader *reader, size_t at) {
    size_t length = (at - reader->let_go) / LET_GO_BYTES * LET_GO_BYTES;
    madvise((void *)(reader->bytes + reader->let_go), length, MADV_DONTNEED);
    reader->let_go += length;
}

static void give(struct reader *reader, uint32_t link, uint64_t time_ns, size_t at, uint32_t captured,
                 uint32_t length, enum capture_direction direction, const char *comment) {
    const uint8_t *frame = reader->bytes + at;
    uint32_t payload_at = 0;
    enum capture_type type = find_payload(link, frame, captured, &payload_at);
    struct capture_packet packet = {.number = ++reader->count,
                                    .time_ns = time_ns,
                                    .type = type,
                                    .payload = type ? frame + payload_at : NULL,
                                    .captured = type ? captured - payload_at : 0,
                                    .length = length,
                                    .frame_bytes = captured,
                                    .direction = direction,
                                    .comment = comment};
    reader->each(&packet, reader->context);
    if (reader->let_go < at && at - reader->let_go > 2 * LET_GO_BYTES)
        let_go(reader, at);
}

static const char *read_pcap(struct reader *reader, uint32_t magic) {
    uint64_t unit_ns = magic == 0xa1b23c4d ? 1 : 1000;
    if (reader->length < 24)
        return "it ends within its header";
    uint32_t link = get32(reader, 20) & 0x0fffffff;
    for (reader->at = 24; reader->at < reader->length;) {
        if (reader->length - reader->at < 16)
            return "it ends within a packet's header";
        uint64_t time_ns =
            get32(reader, reader->at) * UINT64_C(1000000000) + get32(reader, reader->at + 4) * unit_ns;
        uint32_t captured = get32(reader, reader->at + 8), length = get32(reader, reader->at + 12);
        reader->at += 16;
        if (captured > reader->length - reader->at)
            return "it ends within a packet";
        give(reader, link, time_ns, reader->at, captured, length, CAPTURE_UNKNOWN, NULL);
        reader->at += captured;
    }
    return NULL;
}

/* The next option of a block, which ends at `end`. Returns where its value is; 0: there is none. */
static size_t next_option(const struct reader *reader, size_t *at, size_t end, uint16_t *code,
                          uint16_t *length) {
    if (*at + 4 > end)
        return 0;
    *code = get16(reader, *at);
    *length = get16(reader, *at + 2);
    size_t value = *at + 4;
    if (*code == 0 || *length > end - value)
        return 0;
    *at = value + ((*length + 3u) & ~3u);
    return value;
}

static void read_interface(struct reader *reader, size_t at, size_t end) {
    uint16_t code, length;
    size_t value;
    if (reader->interface_count == INTERFACES_MAX || end - at < 8)
        return;
    struct interface *interface = &reader->interfaces[reader->interface_count++];
    *interface = (struct interface){get16(reader, at), 1000000};
    at += 8;
    while ((value = next_option(reader, &at, end, &code, &length))) {
        if (code != OPTION_RESOLUTION || length < 1)
            continue;
        uint8_t power = reader->bytes[value];
        uint64_t units = 1;
        for (int i = 0; i < (power & 0x7f) && units < UINT64_C(1) << 40; i++)
            units *= power & 0x80 ? 2 : 10;
        interface->units = units;
    }
}

static void read_packet(struct reader *reader, size_t at, size_t end) {
    uint16_t code, option_length;
    size_t value;
    if (end - at < 20)
        return;
    uint32_t number = get32(reader, at), captured = get32(reader, at + 12), length = get32(reader, at + 16);
    if (number >= reader->interface_count || captured > end - at - 20)
        return;
    const struct interface *interface = &reader->interfaces[number];
    uint64_t units = (uint64_t)get32(reader, at + 4) << 32 | get32(reader, at + 8);
    uint64_t time_ns = units / interface->units * UINT64_C(1000000000) +
                       (uint64_t)((double)(units % interface->units) * 1e9 / (double)interface->units);
    size_t frame = at + 20, options = frame + ((captured + 3u) & ~3u);
    enum capture_direction direction = CAPTURE_UNKNOWN;
    const char *comment = NULL;
    while (options < end && (value = next_option(reader, &options, end, &code, &option_length))) {
        if (code == OPTION_COMMENT && !comment) {
            size_t room = option_length < sizeof reader->comment ? option_length : sizeof reader->comment - 1;
            memcpy(reader->comment, reader->bytes + value, room);
            reader->comment[room] = 0;
            comment = reader->comment;
        } else if (code == OPTION_FLAGS && option_length == 4) {
            direction = (enum capture_direction)(get32(reader, value) & 3);
            if (direction > CAPTURE_OUT)
                direction = CAPTURE_UNKNOWN;
        }
    }
    give(reader, interface->link, time_ns, frame, captured, length, direction, comment);
}

static const char *read_pcapng(struct reader *reader) {
    for (reader->at = 0; reader->at < reader->length;) {
        if (reader->length - reader->at < 12)
            return "it ends within a block's header";
        uint32_t type = get32(reader, reader->at);
        if (type == BLOCK_SECTION) {
            uint32_t magic;
            memcpy(&magic, reader->bytes + reader->at + 8, sizeof magic);
            if (magic != 0x1a2b3c4d && magic != 0x4d3c2b1a)
                return "a section of it has no known byte order";
            reader->swapped = magic == 0x4d3c2b1a;
            reader->interface_count = 0;
        }
        uint32_t length = get32(reader, reader->at + 4);
        if (length < 12 || length > reader->length - reader->at || length & 3)
            return "it ends within a block";
        size_t body = reader->at + 8, end = reader->at + length - 4;
        if (type == BLOCK_INTERFACE)
            read_interface(reader, body, end);
        else if (type == BLOCK_PACKET)
            read_packet(reader, body, end);
        reader->at += length;
    }
    return NULL;
}

static const char *read_bytes(struct reader *reader) {
    uint32_t magic;
    if (reader->length < 4)
        return "it is empty";
    memcpy(&magic, reader->bytes, sizeof magic);
    if (magic == BLOCK_SECTION)
        return read_pcapng(reader);
    uint32_t other = __builtin_bswap32(magic);
    reader->swapped = other == 0xa1b2c3d4 || other == 0xa1b23c4d;
    if (reader->swapped)
        magic = other;
    if (magic == 0xa1b2c3d4 || magic == 0xa1b23c4d)
        return read_pcap(reader, magic);
    if ((magic & 0xffff) == 0x8b1f || magic == 0xfd2fb528 || magic == 0x587a37fd)
        return "it is compressed: 'zcat FILE | barewire report -' (or xzcat, zstdcat) reads it";
    return "it is neither pcapng nor pcap, which --pcap FILE, tcpdump -w FILE and Wireshark write";
}

static bool write_all(int file, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t put = write(file, bytes, length);
        if (put < 0 && errno != EINTR)
            return false;
        bytes += put > 0 ? put : 0;
        length -= put > 0 ? (size_t)put : 0;
    }
    return true;
}

/* All of a pipe, in a file that has no name, since it may be longer than the memory. Returns the file; -1: none. */
static int spool(int from) {
    static char buffer[1 << 16];
    FILE *spooled = tmpfile();
    int file = spooled ? fcntl(fileno(spooled), F_DUPFD_CLOEXEC, 3) : -1;
    if (spooled)
        fclose(spooled);
    for (ssize_t got = -1; file >= 0 && got != 0;) {
        got = read(from, buffer, sizeof buffer);
        if ((got < 0 && errno != EINTR) || (got > 0 && !write_all(file, buffer, (size_t)got))) {
            int why = errno;
            close(file);
            errno = why;
            return -1;
        }
    }
    return file;
}

static const char *read_mapped(const void *bytes, size_t length, size_t let_go,
                               void (*each)(const struct capture_packet *packet, void *context),
                               void *context) {
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return strerror(errno);
    reader->bytes = bytes;
    reader->length = length;
    reader->let_go = let_go;
    reader->each = each;
    reader->context = context;
    const char *why = read_bytes(reader);
    free(reader);
    return why;
}

const char *capture_read_bytes(const void *bytes, size_t length,
                               void (*each)(const struct capture_packet *packet, void *context),
                               void *context) {
    return read_mapped(bytes, length, SIZE_MAX, each, context);
}

const char *capture_read(const char *path, void (*each)(const struct capture_packet *packet, void *context),
                         void *context) {
    struct stat status;
    int file = strcmp(path, "-") == 0 ? dup(0) : open(path, O_RDONLY | O_CLOEXEC);
    const char *why = file < 0 || fstat(file, &status) < 0 ? strerror(errno) : NULL;
    if (!why && S_ISDIR(status.st_mode))
        why = "it is a folder";
    if (!why && !S_ISREG(status.st_mode)) {
        int spooled = spool(file);
        if (spooled < 0 || fstat(spooled, &status) < 0)
            why = strerror(errno);
        close(file);
        file = spooled;
    }
    size_t length = why ? 0 : (size_t)status.st_size;
    void *bytes = length ? mmap(NULL, length, PROT_READ, MAP_PRIVATE, file, 0) : NULL;
    if (bytes == MAP_FAILED)
        why = strerror(errno);
    if (file >= 0)
        close(file);
    if (why)
        return why;
    why = read_mapped(bytes, length, 0, each, context);
    if (bytes)
        munmap(bytes, length);
    return why;
}
