/* SPDX-License-Identifier: MIT */
/*
 * program.h - what the parts of the model's program share.
 */
#ifndef TESTS_MODEL_PROGRAM_H
#define TESTS_MODEL_PROGRAM_H

#include "tests/model/world.h"

extern __thread uint64_t random_state;
extern __thread struct model_thread *me;
extern bool tolerant; /* somebody may be killed, or no descriptor be had: connections may be lost */

/* This thread as the model knows it, which the seam keeps: the program is linked with that by preloading alone. */
struct model_thread *self(void);

uint64_t below(uint64_t limit);
bool one_in(uint64_t n);

/* What this thread is at, for the director: it waits for a socket to have events. `done`: for none. */
void at(const char *what, int fd, uint32_t events);
void done(void);

void give_up(const char *what) __attribute__((noreturn));

/* Whether an error may be: of a connection, when others are killed. */
bool forgiven(const char *what);

/* A connection, or -1. */
int connect_to(uint16_t port, uint32_t address);

enum way { BY_READ, BY_POLL, BY_EPOLL, BY_SELECT, BY_LOOKING, WAYS };

/* Writes so much and reads it back. False: the connection is lost. */
bool echo(int fd, enum way way);

/* In a child of fork, first. */
void begin_child(void);

/* hard.c: what one thread closes while another is at it; many threads at one epoll set; a full transmit ring; threads whose
 * first wait in the stack it is; many readers of one stream; an epoll set of two processes; a connection between two processes. */
void pull_away(void);
void herd_of_threads(void);
void crowd_of_readers(void);
void full_queue(void);
void first_waits(void);
void shared_set(void);
void across_processes(void);

#endif
