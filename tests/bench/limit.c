/* SPDX-License-Identifier: MIT */
/*
 * limit.c - what an interface allows a program that does nothing else than move frames by a packet socket: the limit of
 * whatever stack lies on top of one.
 *
 *   limit send IF MAC SECONDS BYTES   sends TCP segments of so many bytes, in batches of 32 frames: more than an MTU
 *                                     of them leave as one frame that is cut later. They are for nobody. Gb/s
 *   limit give IF MAC BYTES           the same to a limit receive, which says what it has taken, so that nothing is
 *                                     dropped: 4 MB are on the way; until it is ended
 *   limit receive IF MAC SECONDS      takes what that sends: Gb/s
 *   limit echo IF                     gives frames of limit ask back, until it is ended
 *   limit ask IF MAC COUNT            round trips of a frame of 64 bytes: median and 99 %, us
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32
#define ETHER_TYPE_OURS 0x88b5 /* IEEE 802: for local experiments */
#define FRAME_MAX 65536
#define TOLD_BYTES (256 << 10) /* the receiver says so when it has taken as much more */
#define ON_THE_WAY_MAX (4 << 20)

static struct frame {
    struct virtio_net_hdr header;
    unsigned char bytes[FRAME_MAX];
} frames[BATCH];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int open_socket(const char *interface, uint16_t type) {
    int one = 1, fd = socket(AF_PACKET, SOCK_RAW, 0), bytes = 8 << 20;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(type)};
    address.sll_ifindex = (int)if_nametoindex(interface);
    if (fd < 0 || !address.sll_ifindex || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) ||
        bind(fd, (struct sockaddr *)&address, sizeof address)) {
        perror(interface);
        exit(1);
    }
    return fd;
}

static void put_addresses(unsigned char *ether, const char *mac, uint16_t type) {
    for (int i = 0; i < 6; i++)
        ether[i] = (unsigned char)strtoul(mac + 3 * i, NULL, 16);
    ether[6] = 2; /* from nobody */
    ether[11] = 1;
    ether[12] = (unsigned char)(type >> 8);
    ether[13] = (unsigned char)type;
}

static void put_segment(struct frame *frame, const char *mac, uint32_t payload) {
    struct iphdr *ip = (struct iphdr *)(void *)(frame->bytes + ETHER_HDR_LEN);
    struct tcphdr *tcp = (struct tcphdr *)(ip + 1);
    put_addresses(frame->bytes, mac, ETHERTYPE_IP);
    *ip =
        (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP, .frag_off = htons(IP_DF)};
    ip->tot_len = htons((uint16_t)(sizeof *ip + sizeof *tcp + payload));
    ip->saddr = htonl(0xc6336401); /* 198.51.100.1 and .2: of documents */
    ip->daddr = htonl(0xc6336402);
    uint32_t sum = 0;
    for (int i = 0; i < 10; i++)
        sum += ((uint16_t *)(void *)ip)[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    ip->check = (uint16_t)~sum;
    *tcp = (struct tcphdr){.source = htons(9), .dest = htons(9), .doff = 5, .ack = 1};
    frame->header = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = ETHER_HDR_LEN + sizeof *ip, .csum_offset = 16};
    if (payload > 1460) {
        frame->header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        frame->header.gso_size = 1448;
        frame->header.hdr_len = ETHER_HDR_LEN + sizeof *ip + sizeof *tcp;
    }
}

/* Bytes that the receiver has taken, as far as it has said so. */
static int taken(int replies, int on_the_way) {
    char reply[64];
    int bytes = 0;
    while (on_the_way - bytes > ON_THE_WAY_MAX) {
        if (read(replies, reply, sizeof reply) < 0)
            return on_the_way; /* there is no receiver yet, or a frame was dropped */
        bytes += TOLD_BYTES;
    }
    return bytes;
}

/* `replies`: a socket for what the receiver says, or -1: it does not matter who takes the frames. */
static void send_frames(int fd, int replies, const char *mac, double seconds, uint32_t payload) {
    struct timeval limit = {.tv_usec = 20000};
    int on_the_way = 0;
    struct iovec pieces[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    size_t length = sizeof(struct virtio_net_hdr) + ETHER_HDR_LEN + sizeof(struct iphdr) +
                    sizeof(struct tcphdr) + payload;
    for (int i = 0; i < BATCH; i++) {
        put_segment(&frames[i], mac, payload);
        pieces[i] = (struct iovec){&frames[i], length};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    setsockopt(replies, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    double begun = now(), bytes = 0;
    while (now() - begun < seconds) {
        if (replies >= 0)
            on_the_way -= taken(replies, on_the_way);
        int sent = sendmmsg(fd, messages, BATCH, 0);
        bytes += sent > 0 ? (double)sent * payload : 0;
        on_the_way += sent > 0 ? sent * (int)payload : 0;
    }
    printf("%.2f\n", bytes * 8e-9 / (now() - begun));
}

static void receive_frames(int fd, int replies, const char *mac, double seconds) {
    static struct frame reply;
    int untold = 0;
    struct iovec pieces[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    struct timeval limit = {.tv_usec = 100000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){&frames[i], sizeof frames[i]};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    put_addresses(reply.bytes, mac, ETHER_TYPE_OURS);
    double begun = now(), bytes = 0;
    while (now() - begun < seconds) {
        int got = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < got; i++) {
            bytes += messages[i].msg_len - sizeof(struct virtio_net_hdr);
            untold += (int)messages[i].msg_len;
        }
        for (; untold >= TOLD_BYTES; untold -= TOLD_BYTES)
            if (write(replies, &reply, sizeof reply.header + 64) < 0)
                return;
    }
    printf("%.2f\n", bytes * 8e-9 / (now() - begun));
}

static void echo(int fd) {
    struct frame *frame = &frames[0];
    for (;;) {
        ssize_t length = read(fd, frame, sizeof *frame);
        if (length <= (ssize_t)sizeof frame->header)
            continue;
        memcpy(frame->bytes + 6, frame->bytes, 6);
        memset(frame->bytes, 0xff, 6); /* whoever it is */
        memset(&frame->header, 0, sizeof frame->header);
        if (write(fd, frame, (size_t)length) < 0)
            return;
    }
}

static int compare(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return difference < 0 ? -1 : difference > 0;
}

static void ask(int fd, const char *mac, int count) {
    struct frame *frame = &frames[0];
    double *us = calloc((size_t)count, sizeof *us);
    for (int i = 0; i < count; i++) {
        memset(frame, 0, sizeof frame->header + 64);
        put_addresses(frame->bytes, mac, ETHER_TYPE_OURS);
        double begun = now();
        if (write(fd, frame, sizeof frame->header + 64) < 0 || read(fd, frame, sizeof *frame) < 0)
            return;
        us[i] = (now() - begun) * 1e6;
    }
    qsort(us, (size_t)count, sizeof *us, compare);
    printf("%.1f %.1f\n", us[count / 2], us[count * 99 / 100]);
}

int main(int count, char **arguments) {
    const char *what = count > 2 ? arguments[1] : "";
    if (strcmp(what, "send") == 0 && count == 6)
        send_frames(open_socket(arguments[2], 0), -1, arguments[3], atof(arguments[4]),
                    (uint32_t)atoi(arguments[5]));
    else if (strcmp(what, "give") == 0 && count == 5)
        send_frames(open_socket(arguments[2], 0), open_socket(arguments[2], ETHER_TYPE_OURS), arguments[3],
                    1e9, (uint32_t)atoi(arguments[4]));
    else if (strcmp(what, "receive") == 0 && count == 5)
        receive_frames(open_socket(arguments[2], ETHERTYPE_IP), open_socket(arguments[2], ETHER_TYPE_OURS),
                       arguments[3], atof(arguments[4]));
    else if (strcmp(what, "echo") == 0 && count == 3)
        echo(open_socket(arguments[2], ETHER_TYPE_OURS));
    else if (strcmp(what, "ask") == 0 && count == 5)
        ask(open_socket(arguments[2], ETHER_TYPE_OURS), arguments[3], atoi(arguments[4]));
    else
        return 2;
    return 0;
}
