/* SPDX-License-Identifier: MIT */
/*
 * impaired.c - a NIC behind a bad link: any NIC, with impair.h's link on either side of it.
 *
 * What is to be sent, and what was received, waits in the link until it leaves; a timer makes the NIC's
 * descriptor readable then, and nic_receive does both: gives what has come, and sends what was held back.
 * Threads may send and receive at a time.
 */
#include "nic/impair.h"
#include "nic/nic.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32
#define ETHERNET 14u

struct nic_impaired {
    struct nic nic;
    struct nic *inner;
    pthread_mutex_t lock;
    struct impair *out, *in;
    int timer;
    struct impair_counters *counters; /* a copy for others to see; or NULL */
    struct nic_frame frames[BATCH];
    struct iovec pieces[BATCH];
    uint8_t *bytes; /* BATCH frames to receive into, and one to hand on */
};

static struct nic_impaired *impaired_of(struct nic *nic) {
    return (struct nic_impaired *)nic;
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint8_t *scratch(struct nic_impaired *impaired) {
    return impaired->bytes + (size_t)BATCH * NIC_FRAME_MAX;
}

/* Sends what has crossed the link. A frame for which the interface has no room is lost, as on any link. */
static void send_due(struct nic_impaired *impaired, uint64_t now_ns) {
    uint32_t length;
    while ((length = impair_get(impaired->out, now_ns, scratch(impaired), NIC_FRAME_MAX))) {
        struct iovec piece = {scratch(impaired), length};
        struct nic_frame frame = {.pieces = &piece, .piece_count = 1};
        nic_send(impaired->inner, &frame, 1);
    }
}

static void set_timer(struct nic_impaired *impaired) {
    uint64_t out_ns = impair_next(impaired->out), in_ns = impair_next(impaired->in);
    uint64_t next_ns = out_ns < in_ns ? out_ns : in_ns;
    struct itimerspec due = {0};
    if (next_ns != IMPAIR_NEVER)
        due.it_value = (struct timespec){(time_t)(next_ns / 1000000000), (long)(next_ns % 1000000000)};
    timerfd_settime(impaired->timer, TFD_TIMER_ABSTIME, &due, NULL); /* also makes it unreadable until then */
}

static void show_counters(struct nic_impaired *impaired) {
    if (!impaired->counters)
        return;
    impaired->counters[0] = *impair_count(impaired->out);
    impaired->counters[1] = *impair_count(impaired->in);
}

void nic_impair_count(struct nic *impaired, struct impair_counters counters[2]) {
    impaired_of(impaired)->counters = counters;
}

static int take_in(struct nic_impaired *impaired, uint64_t now_ns) {
    for (int i = 0; i < BATCH; i++)
        impaired->pieces[i].iov_len = NIC_FRAME_MAX;
    int count = nic_receive(impaired->inner, impaired->frames, BATCH);
    for (int i = 0; i < count; i++)
        impair_put(impaired->in, now_ns, impaired->pieces[i].iov_base, impaired->frames[i].length);
    return count;
}

static int impaired_receive(struct nic *nic, struct nic_frame *frames, int count) {
    struct nic_impaired *impaired = impaired_of(nic);
    uint32_t length;
    int given = 0;
    pthread_mutex_lock(&impaired->lock);
    uint64_t now_ns = now();
    int taken = take_in(impaired, now_ns);
    send_due(impaired, now_ns);
    while (given < count && (length = impair_get(impaired->in, now_ns, scratch(impaired), NIC_FRAME_MAX))) {
        bool fits = nic_scatter(&frames[given], scratch(impaired), length);
        frames[given].length = fits ? length : 0;
        given += fits;
    }
    set_timer(impaired);
    show_counters(impaired);
    pthread_mutex_unlock(&impaired->lock);
    return given == 0 && taken < 0 ? taken : given;
}

static int impaired_send(struct nic *nic, const struct nic_frame *frames, int count) {
    struct nic_impaired *impaired = impaired_of(nic);
    pthread_mutex_lock(&impaired->lock);
    uint64_t now_ns = now();
    for (int i = 0; i < count; i++)
        impair_put(impaired->out, now_ns, scratch(impaired),
                   nic_gather(&frames[i], scratch(impaired), NIC_FRAME_MAX));
    send_due(impaired, now_ns);
    set_timer(impaired);
    show_counters(impaired);
    pthread_mutex_unlock(&impaired->lock);
    return count;
}

static int impaired_set_address(struct nic *nic, const uint8_t mac[6]) {
    return nic_set_address(impaired_of(nic)->inner, mac);
}

static void impaired_close(struct nic *nic) {
    struct nic_impaired *impaired = impaired_of(nic);
    nic_close(impaired->inner);
    impair_destroy(impaired->out);
    impair_destroy(impaired->in);
    close(impaired->timer);
    close(impaired->nic.descriptor);
    free(impaired->bytes);
    free(impaired);
}

static const struct nic_operations OPERATIONS = {
    .receive = impaired_receive,
    .send = impaired_send,
    .set_address = impaired_set_address,
    .close = impaired_close,
};

struct nic *nic_impair(struct nic *inner, const char *specification, char *error) {
    struct impair_specs specs;
    if (!impair_parse(specification, &specs, error))
        return NULL;
    struct nic_impaired *impaired = calloc(1, sizeof *impaired);
    if (impaired) {
        /* What this host's kernel sends, or has put together, may be longer than what a wire carries. */
        specs.out.longest = specs.in.longest = inner->facts.mtu + ETHERNET;
        impaired->bytes = malloc((size_t)(BATCH + 1) * NIC_FRAME_MAX);
        impaired->out = impair_create(&specs.out, specs.seed * 2);
        impaired->in = impair_create(&specs.in, specs.seed * 2 + 1);
    }
    if (!impaired || !impaired->bytes || !impaired->out || !impaired->in) {
        snprintf(error, NIC_ERROR_BYTES, "out of memory");
        return NULL; /* and the process ends */
    }
    impaired->nic.operations = &OPERATIONS;
    impaired->nic.facts = inner->facts;
    /* The link is in this process; what comes over it does not say whether its checksum is finished. */
    bool partial = inner->facts.features & (NIC_CHECKSUM_PARTIAL | NIC_OFFLOAD);
    impaired->nic.facts.features = partial ? NIC_CHECKSUM_PARTIAL : 0;
    impaired->inner = inner;
    pthread_mutex_init(&impaired->lock, NULL);
    for (int i = 0; i < BATCH; i++) {
        impaired->pieces[i].iov_base = impaired->bytes + (size_t)i * NIC_FRAME_MAX;
        impaired->frames[i] = (struct nic_frame){.pieces = &impaired->pieces[i], .piece_count = 1};
    }
    impaired->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    impaired->nic.descriptor = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (impaired->timer < 0 || impaired->nic.descriptor < 0 ||
        epoll_ctl(impaired->nic.descriptor, EPOLL_CTL_ADD, impaired->timer, &event) < 0 ||
        epoll_ctl(impaired->nic.descriptor, EPOLL_CTL_ADD, inner->descriptor, &event) < 0) {
        snprintf(error, NIC_ERROR_BYTES, "can't impair the NIC: %s", strerror(errno));
        return NULL;
    }
    return &impaired->nic;
}
