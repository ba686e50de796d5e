/* SPDX-License-Identifier: MIT */
/*
 * doors.h - the doors of a stack: the calls by which it is changed from outside, which a recording notes
 * (record.h). Whoever includes this calls them through it; without a recording that is one more load and branch.
 */
#ifndef STACK_DOORS_H
#define STACK_DOORS_H

#include "stack/record.h"

#define DOOR(name, stack, ...)                                                                          \
    (__builtin_expect((stack)->recorder != NULL, 0) ? recorded_##name(stack __VA_OPT__(, ) __VA_ARGS__) \
                                                    : name(stack __VA_OPT__(, ) __VA_ARGS__))

#define stack_create(...) DOOR(stack_create, __VA_ARGS__)
#define stack_input(...) DOOR(stack_input, __VA_ARGS__)
#define stack_advance(...) DOOR(stack_advance, __VA_ARGS__)
#define stack_frames_keep(...) DOOR(stack_frames_keep, __VA_ARGS__)
#define stack_frames_sent(...) DOOR(stack_frames_sent, __VA_ARGS__)
#define ip6_begin(...) DOOR(ip6_begin, __VA_ARGS__)
#define dhcp_start(...) DOOR(dhcp_start, __VA_ARGS__)
#define dhcp_release(...) DOOR(dhcp_release, __VA_ARGS__)
#define dhcp6_release(...) DOOR(dhcp6_release, __VA_ARGS__)
#define tcp_waiting_resume(...) DOOR(tcp_waiting_resume, __VA_ARGS__)
#define neighbour_create(...) DOOR(neighbour_create, __VA_ARGS__)
#define neighbour_learn(...) DOOR(neighbour_learn, __VA_ARGS__)
#define neighbour_drop(...) DOOR(neighbour_drop, __VA_ARGS__)
#define socket_create(...) DOOR(socket_create, __VA_ARGS__)
#define socket_release(...) DOOR(socket_release, __VA_ARGS__)
#define socket_bind(...) DOOR(socket_bind, __VA_ARGS__)
#define socket_connect(...) DOOR(socket_connect, __VA_ARGS__)
#define datagram_connect_elsewhere(...) DOOR(datagram_connect_elsewhere, __VA_ARGS__)
#define socket_disconnect(...) DOOR(socket_disconnect, __VA_ARGS__)
#define socket_listen(...) DOOR(socket_listen, __VA_ARGS__)
#define socket_accept(...) DOOR(socket_accept, __VA_ARGS__)
#define socket_shutdown(...) DOOR(socket_shutdown, __VA_ARGS__)
#define socket_send(...) DOOR(socket_send, __VA_ARGS__)
#define socket_send_room(...) DOOR(socket_send_room, __VA_ARGS__)
#define socket_send_part(...) DOOR(socket_send_part, __VA_ARGS__)
#define socket_send_written(...) DOOR(socket_send_written, __VA_ARGS__)
#define socket_receive(...) DOOR(socket_receive, __VA_ARGS__)
#define socket_receive_taken(...) DOOR(socket_receive_taken, __VA_ARGS__)
#define socket_receive_undone(...) DOOR(socket_receive_undone, __VA_ARGS__)
#define socket_poll(...) DOOR(socket_poll, __VA_ARGS__)
#define socket_set_option(...) DOOR(socket_set_option, __VA_ARGS__)
#define socket_get_option(...) DOOR(socket_get_option, __VA_ARGS__)
#define datagram_autobind(...) DOOR(datagram_autobind, __VA_ARGS__)
#define ip6_label_set(...) DOOR(ip6_label_set, __VA_ARGS__)

#endif
