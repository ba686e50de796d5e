/* SPDX-License-Identifier: MIT */
/*
 * fuzz_config.c - what a user writes: options, as variables of the environment, and files. An input is lines:
 *
 *   NAME=VALUE    the variable BAREWIRE_NAME
 *   hosts ...     a line of nsswitch.conf, from behind "hosts:"
 *   anything else a line of gai.conf
 */
#include "nic/impair.h"
#include "shim/library/names/destination_policy.h"
#include "shim/library/names/nsswitch.h"
#include "shim/region/config.h"
#include "tests/fuzz/target.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const variables[] = {"NIC",   "ADDRESS", "GATEWAY",  "DNS",        "MAC",    "MTU",
                                        "NAME",  "PCAP",    "SPIN",     "LOOPBACK",   "SYSCTL", "IMPAIR",
                                        "TRACE", "PUBLISH", "IO_URING", "TRACE_FILE", "NO_IPV6"};
#define VALUE_MAX 4096
#define VARIABLES (sizeof variables / sizeof *variables)

static char environment[VARIABLES][VALUE_MAX + 32];

static void forget_variables(void) {
    for (size_t i = 0; i < VARIABLES; i++) {
        char name[32];
        snprintf(name, sizeof name, "BAREWIRE_%s", variables[i]);
        unsetenv(name);
    }
}

static void set_variable(const char *line, const char *value) {
    for (size_t i = 0; i < VARIABLES; i++) {
        size_t length = strlen(variables[i]);
        if ((size_t)(value - line) != length || strncmp(line, variables[i], length) != 0)
            continue;
        snprintf(environment[i], sizeof environment[i], "BAREWIRE_%s=%.*s", variables[i], VALUE_MAX,
                 value + 1);
        putenv(environment[i]);
    }
}

/* A text field of a struct ends within it. */
#define EXPECT_TEXT(field) target_expect(memchr((field), 0, sizeof(field)) != NULL, "an end of " #field)

static void check_config(const struct config *config) {
    struct sysctl sysctl;
    const char *bad;
    EXPECT_TEXT(config->nic);
    EXPECT_TEXT(config->name);
    EXPECT_TEXT(config->publish);
    EXPECT_TEXT(config->pcap);
    EXPECT_TEXT(config->impair);
    EXPECT_TEXT(config->sysctl);
    EXPECT_TEXT(config->dns);
    EXPECT_TEXT(config->trace_file);
    target_expect(config->prefix_length <= 32, "the prefix's length");
    target_expect(config->mtu == 0 || (config->mtu >= 68 && config->mtu <= 65535), "the MTU");
    target_expect(!strchr(config->name, '/'), "a name that is no path");
    sysctl_init(&sysctl);
    target_expect(sysctl_set_all(&sysctl, config->sysctl, &bad) == 0, "tunables that were checked");
}

static void check_impairment(const char *text) {
    struct impair_specs specs;
    char error[IMPAIR_ERROR_BYTES];
    if (!impair_parse(text, &specs, error)) {
        target_expect(memchr(error, 0, sizeof error) && !strchr(error, '\n'), "one line that says why");
        return;
    }
    const struct impair_spec *both[] = {&specs.out, &specs.in};
    for (int i = 0; i < 2; i++) {
        target_expect(both[i]->loss <= 1000000 && both[i]->duplicate <= 1000000 &&
                          both[i]->reorder <= 1000000 && both[i]->corrupt <= 1000000,
                      "chances");
        target_expect(both[i]->delay_ns <= 60 * SECOND && both[i]->jitter_ns <= 60 * SECOND, "times");
        struct impair *impair = impair_create(both[i], specs.seed);
        uint8_t frame[60] = {0};
        target_expect(impair != NULL, "memory for a link");
        for (int frames = 0; frames < 3; frames++)
            impair_put(impair, (uint64_t)frames, frame, sizeof frame);
        for (int frames = 0; frames < 10 && impair_next(impair) != IMPAIR_NEVER; frames++)
            impair_get(impair, impair_next(impair), frame, sizeof frame);
        impair_destroy(impair);
    }
}

static void take_line(char *line, struct destination_policy *policy) {
    char *value = strchr(line, '=');
    struct nsswitch nsswitch;
    if (strncmp(line, "hosts", 5) == 0) {
        if (nsswitch_parse(line + 5, &nsswitch))
            for (int i = 0; i < nsswitch.count; i++)
                EXPECT_TEXT(nsswitch.sources[i].name);
    } else if (value) {
        set_variable(line, value);
        if (strncmp(line, "IMPAIR=", 7) == 0)
            check_impairment(value + 1);
    } else {
        destination_policy_line(policy, line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config config;
    struct destination_policy policy = {0};
    char error[CONFIG_ERROR_BYTES];
    char *text = malloc(size + 1), *rest = text, *line;
    target_expect(text != NULL, "memory");
    memcpy(text, data, size);
    text[size] = 0;
    forget_variables();
    while ((line = strsep(&rest, "\n")))
        take_line(line, &policy);
    if (config_read(&config, error))
        check_config(&config);
    else
        target_expect(memchr(error, 0, sizeof error) != NULL, "an end of the error");
    for (int i = 0; i < 3; i++) {
        struct in6_addr address = {.s6_addr = {(uint8_t)(i * 0x20), 1}};
        destination_label(&policy, &address);
        destination_precedence(&policy, &address);
    }
    free(text);
    return 0;
}
