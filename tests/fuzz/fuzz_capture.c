/* SPDX-License-Identifier: MIT */
/*
 * fuzz_capture.c - captures: the input is a file, pcapng or pcap, and what barewire report makes of it.
 */
#include "shim/keeper/tools/report/capture.h"
#include "shim/keeper/tools/report/connection.h"
#include "tests/fuzz/target.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static FILE *nowhere;
    struct report report = {.path = "fuzz"};
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    target_expect(nowhere != NULL, "/dev/null");
    capture_read_bytes(target_guarded(data, size), size, report_packet, &report);
    report_diagnose(&report);
    for (uint32_t i = 0; i < report.count; i++) {
        const struct connection *connection = report.connections[i];
        target_expect(connection->begin_ns <= connection->end_ns, "a connection begins before it ends");
        for (int side = 0; side < 2; side++)
            target_expect(connection->sides[side].hole_count <= HOLES_MAX, "a bound on holes");
    }
    report_text(&report, nowhere);
    report_html(&report, nowhere);
    report_free(&report);
    return 0;
}
