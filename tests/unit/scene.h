/* SPDX-License-Identifier: MIT */
/*
 * scene.h - one stack against a scripted peer, segment by segment.
 */
#ifndef TESTS_UNIT_SCENE_H
#define TESTS_UNIT_SCENE_H

#include "tests/unit/host.h"

#define PEER_ISS 5000u
#define MSS 1460u

struct scene {
    struct host host;
    struct socket *socket, *listener;
    uint16_t local_port, remote_port;
    uint32_t local, remote; /* our and the peer's next sequence number */
    struct packet packet;
};

extern uint8_t bytes[200000]; /* a pattern */

void scene_begin(struct scene *scene);
void scene_end(struct scene *scene); /* asserts that nothing is left */

/* The peer sends; the next segment that the stack has sent: false when there is none. */
void say(struct scene *scene, uint8_t flags, uint32_t sequence, uint32_t acknowledgment, uint16_t window,
         const void *payload, uint32_t length);
bool hear(struct scene *scene);

/* A segment of the peer's at scene->remote, acknowledging scene->local, to be sent with peer_send_segment. */
struct tcp_segment segment_from_peer(const struct scene *scene, uint8_t flags);

/* Expects one segment with these flags (PSH aside), sequence number and length; or none. */
void expect(struct scene *scene, uint8_t flags, uint32_t sequence, uint32_t length);
void expect_nothing(struct scene *scene);

/* A listener on port 8080; an active open, without the answer, and with it, the peer offering a window and an
 * MSS. */
void listen_on(struct scene *scene, int backlog);
void connect_begin(struct scene *scene);
void connected(struct scene *scene, uint16_t window, uint16_t mss);

/* The peer opens a connection to us, up to our SYN-ACK. */
bool knock(struct scene *scene, uint16_t port);

ssize_t send_all(struct scene *scene, size_t length, int flags);

void acknowledge(struct scene *scene, uint32_t end);

void feed(struct scene *scene, uint32_t length);

void tune(struct scene *scene, const char *list);

void assert_open(struct scene *scene);

#endif
