/* SPDX-License-Identifier: MIT */
/*
 * verdict.h - a capture in one sentence: who or what is to blame for most of the time that was lost, how sure that is,
 * and what to try.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_VERDICT_H
#define SHIM_KEEPER_TOOLS_REPORT_VERDICT_H

#include "shim/keeper/tools/report/connection.h"

#define VERDICT_MOMENTS 5u

struct moment {
    uint32_t connection; /* its number in the report, from 0 */
    uint64_t at_ns;
};

struct verdict {
    const char *name; /* of the finding that it stands on; "": nothing is wrong */
    enum whose whose;
    char sentence[300];
    const char *sure, *sure_why; /* "sure", "likely" or "a guess", and what makes it so */
    const char *advice;          /* what to try; "": nothing */
    struct moment moments[VERDICT_MOMENTS];
    uint32_t moment_count;
};

/* Of a report that report_diagnose has done with. */
void verdict_of(const struct report *report, struct verdict *verdict);

/* What to try about a finding; "": nothing is known. */
const char *verdict_advice(const char *name);

/* What a connection's time mostly went for, in words for a sentence: "82 % loss and its repair, 11 % ...". */
void verdict_uses(const struct connection *connection, char *text, size_t room);

#endif
