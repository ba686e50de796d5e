/* SPDX-License-Identifier: MIT */
/*
 * option.h - a row a value of a socket option: what setsockopt(2) says of it, and getsockopt(2) afterwards.
 */
#ifndef TESTS_UNIT_OPTION_H
#define TESTS_UNIT_OPTION_H

#include "tests/unit/host.h"

struct option_case {
    int name, given;
    int says;    /* 0, or a negative errno */
    int becomes; /* what is read then; of what is refused: what it was before */
};

static inline int option_get(struct host *host, struct socket *socket, int level, int name) {
    int value = -12345;
    socklen_t length = sizeof value;
    assert_int_equal(socket_get_option(host->stack, socket, level, name, &value, &length), 0);
    return value;
}

static inline void assert_options(struct host *host, struct socket *socket, int level,
                                  const struct option_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(set_option(host, socket, level, cases[i].name, cases[i].given), cases[i].says);
        assert_int_equal(option_get(host, socket, level, cases[i].name), cases[i].becomes);
    }
}
#define ASSERT_OPTIONS(host, socket, level, cases) \
    assert_options(host, socket, level, cases, sizeof(cases) / sizeof *(cases))

#endif
