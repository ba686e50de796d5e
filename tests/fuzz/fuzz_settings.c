/* SPDX-License-Identifier: MIT */
/*
 * fuzz_settings.c - a configuration file (shim/command/settings.h), and the words that are looked for in it.
 */
#include "nic/nearest.h"
#include "shim/command/settings.h"
#include "tests/fuzz/target.h"
#include <stdio.h>
#include <stdlib.h>

static bool is_inside(struct slice part, struct slice whole) {
    return part.text >= whole.text && part.length <= whole.length &&
           (size_t)(part.text - whole.text) <= whole.length - part.length;
}

static bool is_trimmed(struct slice part) {
    static const char blanks[] = " \t\n\v\f\r";
    return part.length == 0 || (!memchr(blanks, part.text[0], sizeof blanks - 1) &&
                                !memchr(blanks, part.text[part.length - 1], sizeof blanks - 1));
}

/* A setting that is written down again is the same one. */
static void read_again(const struct setting *setting) {
    size_t length = setting->name.length + 3 + setting->value.length;
    char *text = malloc(length);
    struct settings settings;
    struct setting again;
    target_expect(text != NULL, "memory");
    memcpy(text, setting->name.text, setting->name.length);
    memcpy(text + setting->name.length, " = ", 3);
    memcpy(text + setting->name.length + 3, setting->value.text, setting->value.length);
    settings_begin(&settings, text, length);
    target_expect(settings_next(&settings, &again) == SETTING_VALUE &&
                      again.name.length == setting->name.length &&
                      again.value.length == setting->value.length &&
                      memcmp(again.value.text, setting->value.text, again.value.length) == 0,
                  "the same setting");
    free(text);
}

static void check_nearest(struct slice name) {
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    nearest_begin(&near, name.text, name.length);
    nearest_try(&near, "address");
    nearest_try(&near, "net.ipv4.tcp_congestion_control");
    nearest_hint(&near, "--", hint);
    target_expect(memchr(hint, 0, sizeof hint) != NULL, "an end of the hint");
}

static void check_value(const struct setting *setting) {
    target_expect(is_inside(setting->name, setting->whole) && is_inside(setting->value, setting->whole) &&
                      is_trimmed(setting->name) && is_trimmed(setting->value) &&
                      !memchr(setting->name.text, '=', setting->name.length) &&
                      !memchr(setting->whole.text, 0, setting->whole.length),
                  "a name and a value");
    check_nearest(setting->name);
    if (setting->name.length > 0)
        read_again(setting);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct settings settings;
    struct setting setting;
    unsigned line = 0;
    char *copy = malloc(size ? size : 1); /* a sanitizer sees what is read behind its end */
    target_expect(copy != NULL, "memory");
    if (size > 0)
        memcpy(copy, data, size);
    struct slice file = {copy, size};
    settings_begin(&settings, copy, size);
    while (settings_next(&settings, &setting) != SETTING_END) {
        target_expect(setting.line > line && setting.line <= size, "one line after the other");
        line = setting.line;
        target_expect(is_inside(setting.whole, file) && is_inside(setting.section, file) &&
                          setting.whole.length > 0 && is_trimmed(setting.whole) &&
                          !memchr(setting.whole.text, '\n', setting.whole.length),
                      "a line of the file");
        if (setting.kind == SETTING_VALUE)
            check_value(&setting);
    }
    target_expect(settings_next(&settings, &setting) == SETTING_END, "an end that stays");
    free(copy);
    return 0;
}
