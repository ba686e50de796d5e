/* SPDX-License-Identifier: MIT */
/*
 * test_capture.c - nic/capture.c: what --pcap writes, when the answer is faster than the one who sends.
 */
#include "nic/nic.h"
#include "tests/unit/host.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_FRAME 6u
#define FRAME_BYTES 60u

/* A NIC whose peer answers before send returns: another thread takes the answer in at once. */
static struct nic *capture;
static pthread_t other;

static void *take_in(void *unused) {
    uint8_t bytes[NIC_FRAME_MAX];
    struct iovec piece = {bytes, sizeof bytes};
    struct nic_frame frame = {.pieces = &piece, .piece_count = 1};
    (void)unused;
    assert_int_equal(nic_receive(capture, &frame, 1), 1);
    return NULL;
}

static int quick_send(struct nic *nic, const struct nic_frame *frames, int count) {
    (void)nic, (void)frames;
    if (count > 1)
        return -EAGAIN;
    assert_int_equal(pthread_create(&other, NULL, take_in, NULL), 0);
    usleep(20000);
    return count;
}

static int quick_receive(struct nic *nic, struct nic_frame *frames, int count) {
    (void)nic;
    memset(frames[0].pieces[0].iov_base, 'i', FRAME_BYTES);
    frames[0].length = FRAME_BYTES;
    return count;
}

static void quick_close(struct nic *nic) {
    (void)nic;
}

/* Reads the blocks of a file: the first byte of each frame, in order. */
static void read_frames(const char *path, char *order, size_t room) {
    static uint8_t file[65536];
    int descriptor = open(path, O_RDONLY);
    ssize_t length = read(descriptor, file, sizeof file);
    uint32_t block[2];
    close(descriptor);
    memset(order, 0, room);
    for (ssize_t at = 0; at + 28 < length; at += block[1]) {
        memcpy(block, file + at, sizeof block);
        assert_true(block[1] >= 12 && block[1] % 4 == 0);
        if (block[0] == BLOCK_FRAME && strlen(order) + 1 < room)
            order[strlen(order)] = (char)file[at + 28];
    }
}

static void answer_is_written_behind_what_it_answers(void **state) {
    static const struct nic_operations quick = {
        .send = quick_send, .receive = quick_receive, .close = quick_close};
    struct nic inner = {.operations = &quick};
    char path[] = "/tmp/test-capture-XXXXXX", error[NIC_ERROR_BYTES], order[8];
    uint8_t bytes[FRAME_BYTES];
    struct iovec piece = {memset(bytes, 'o', sizeof bytes), sizeof bytes};
    struct nic_frame frames[2] = {{.pieces = &piece, .piece_count = 1}, {.pieces = &piece, .piece_count = 1}};
    (void)state;
    close(mkstemp(path));
    capture = nic_capture(&inner, path, "quick", NULL, error);
    assert_non_null(capture);
    assert_int_equal(nic_send(capture, frames, 2), -EAGAIN); /* not sent: not written */
    assert_int_equal(nic_send(capture, frames, 1), 1);
    pthread_join(other, NULL);
    nic_close(capture);
    read_frames(path, order, sizeof order);
    unlink(path);
    assert_string_equal(order, "oi");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(answer_is_written_behind_what_it_answers)};
    return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
