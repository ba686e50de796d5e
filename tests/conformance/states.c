/* SPDX-License-Identifier: MIT */
/*
 * states.c - every call on a socket in every state that it can be in.
 */
#include "tests/conformance/conformance.h"
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct scene {
    int fd;             /* the socket at hand, non-blocking */
    int other;          /* its peer, or -1 */
    int third;          /* whatever else must stay open, or -1 */
    uint16_t elsewhere; /* a port where somebody listens */
};

static void to(struct scene *scene, struct in6_addr host, uint16_t port) {
    union address address = address_of(host, port);
    connect(scene->fd, &address.any, address_length);
}

static void fresh(struct scene *scene) {
    scene->fd = socket(family, SOCK_STREAM, 0);
}

static void bound(struct scene *scene) {
    union address address = address_of(own, 0);
    fresh(scene);
    bind(scene->fd, &address.any, address_length);
}

static void listening(struct scene *scene) {
    uint16_t port;
    scene->fd = make_listener(&port);
}

static void with_visitor(struct scene *scene) {
    uint16_t port;
    union address address;
    scene->fd = make_listener(&port);
    address = address_of(own, port);
    scene->other = socket(family, SOCK_STREAM, 0);
    connect(scene->other, &address.any, address_length);
}

static void connecting(struct scene *scene) {
    fresh(scene);
    nonblocking(scene->fd, true);
    to(scene, nobody, htons(9));
}

static void refused(struct scene *scene) {
    uint16_t port;
    int listener = make_listener(&port);
    close(listener);
    fresh(scene);
    nonblocking(scene->fd, true);
    to(scene, own, port);
}

static void connected(struct scene *scene) {
    int pair[2];
    make_pair(pair);
    scene->fd = pair[0];
    scene->other = pair[1];
}

static void with_data(struct scene *scene) {
    connected(scene);
    write(scene->other, "hello", 5);
}

static void peer_finished(struct scene *scene) {
    connected(scene);
    shutdown(scene->other, SHUT_WR);
}

static void peer_finished_with_data(struct scene *scene) {
    with_data(scene);
    shutdown(scene->other, SHUT_WR);
}

static void peer_closed(struct scene *scene) {
    connected(scene);
    close(scene->other);
    scene->other = -1;
}

static void reset(struct scene *scene) {
    struct linger now = {1, 0};
    connected(scene);
    setsockopt(scene->other, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(scene->other);
    scene->other = -1;
}

static void reset_with_data(struct scene *scene) {
    struct linger now = {1, 0};
    with_data(scene);
    settle();
    setsockopt(scene->other, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(scene->other);
    scene->other = -1;
}

static void no_more_reading(struct scene *scene) {
    with_data(scene);
    settle();
    shutdown(scene->fd, SHUT_RD);
}

static void no_more_writing(struct scene *scene) {
    connected(scene);
    shutdown(scene->fd, SHUT_WR);
}

static void no_more_at_all(struct scene *scene) {
    with_data(scene);
    settle();
    shutdown(scene->fd, SHUT_RDWR);
}

static void both_finished(struct scene *scene) {
    peer_finished(scene);
    settle();
    shutdown(scene->fd, SHUT_WR);
}

static void with_urgent_data(struct scene *scene) {
    connected(scene);
    send(scene->other, "ab!", 3, MSG_OOB);
}

static void full(struct scene *scene) {
    static char data[65536];
    connected(scene);
    nonblocking(scene->fd, true);
    while (write(scene->fd, data, sizeof data) > 0 || (settle(), write(scene->fd, data, sizeof data) > 0))
        continue;
}

static void disconnect(struct scene *scene) {
    struct sockaddr nobody_any_more = {.sa_family = AF_UNSPEC};
    connect(scene->fd, &nobody_any_more, sizeof nobody_any_more);
}

static void disconnected(struct scene *scene) {
    connected(scene);
    settle();
    disconnect(scene);
}

static void disconnected_too_soon(struct scene *scene) {
    connecting(scene);
    disconnect(scene);
}

static void shut_too_soon(struct scene *scene) {
    connecting(scene);
    shutdown(scene->fd, SHUT_RD);
}

static void waiting_out(struct scene *scene) {
    no_more_writing(scene);
    settle();
    shutdown(scene->other, SHUT_WR);
}

static void udp_fresh(struct scene *scene) {
    scene->fd = socket(family, SOCK_DGRAM, 0);
}

static void udp_bound(struct scene *scene) {
    uint16_t port;
    scene->fd = make_datagram(&port);
}

static void udp_connected(struct scene *scene) {
    uint16_t port, other;
    scene->fd = make_datagram(&port);
    scene->other = make_datagram(&other);
    to(scene, own, other);
}

static void udp_send(struct scene *scene, const char *text) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    getsockname(scene->fd, (struct sockaddr *)&address, &length);
    sendto(scene->other, text, strlen(text), 0, (struct sockaddr *)&address, length);
}

static void udp_with_datagrams(struct scene *scene) {
    udp_connected(scene);
    udp_send(scene, "hello");
    udp_send(scene, "again");
}

static void udp_with_an_empty_one(struct scene *scene) {
    udp_connected(scene);
    udp_send(scene, "");
    udp_send(scene, "more");
}

static void udp_refused(struct scene *scene) {
    uint16_t port;
    close(make_datagram(&port));
    udp_fresh(scene);
    to(scene, own, port);
    send(scene->fd, "x", 1, 0);
}

static void udp_shut(struct scene *scene) {
    udp_with_datagrams(scene);
    settle();
    shutdown(scene->fd, SHUT_RDWR);
}

static void udp_shut_before(struct scene *scene) {
    udp_connected(scene);
    shutdown(scene->fd, SHUT_RDWR);
}

static void udp_shut_before_datagrams(struct scene *scene) {
    udp_shut_before(scene);
    udp_send(scene, "hello");
}

static void udp_connected_to_no_port(struct scene *scene) {
    uint16_t port;
    scene->fd = make_datagram(&port);
    to(scene, own, 0);
}

static const struct {
    const char *name;
    void (*make)(struct scene *);
} states[] = {
    {"tcp fresh", fresh},
    {"tcp bound", bound},
    {"tcp listening", listening},
    {"tcp listening, a visitor", with_visitor},
    {"tcp connecting", connecting},
    {"tcp refused", refused},
    {"tcp connected", connected},
    {"tcp with data", with_data},
    {"tcp peer finished", peer_finished},
    {"tcp peer finished, data", peer_finished_with_data},
    {"tcp peer closed", peer_closed},
    {"tcp reset", reset},
    {"tcp reset, data", reset_with_data},
    {"tcp shut for reading", no_more_reading},
    {"tcp shut for writing", no_more_writing},
    {"tcp shut", no_more_at_all},
    {"tcp both finished", both_finished},
    {"tcp urgent data", with_urgent_data},
    {"tcp full", full},
    {"tcp disconnected", disconnected},
    {"tcp disconnected while connecting", disconnected_too_soon},
    {"tcp shut while connecting", shut_too_soon},
    {"tcp waits out TIME_WAIT", waiting_out},
    {"udp fresh", udp_fresh},
    {"udp bound", udp_bound},
    {"udp connected", udp_connected},
    {"udp with datagrams", udp_with_datagrams},
    {"udp with an empty datagram", udp_with_an_empty_one},
    {"udp refused", udp_refused},
    {"udp shut", udp_shut},
    {"udp shut, nothing there", udp_shut_before},
    {"udp shut, then sent to", udp_shut_before_datagrams},
    {"udp connected to port 0", udp_connected_to_no_port},
};

/* The calls: each says what came of it, in `text`. */

#define TEXT 300
#define CALL(function) static void function(struct scene *scene, char *text)
#define SAY(...) snprintf(text, TEXT, __VA_ARGS__)

static void receive(struct scene *scene, char *text, size_t room, int flags) {
    char data[16] = "";
    ssize_t got = recv(scene->fd, data, room, flags);
    SAY("%s '%.*s'", result(got), got > 0 ? (int)(got < (ssize_t)room ? got : (ssize_t)room) : 0, data);
}

CALL(call_read) {
    char data[16];
    ssize_t got = read(scene->fd, data, sizeof data);
    const char *first = result(got);
    ssize_t more = read(scene->fd, data, sizeof data);
    SAY("%s, then %s", first, result(more));
}
CALL(call_read_nothing) {
    SAY("%s", result(read(scene->fd, text, 0)));
}
CALL(call_recv) {
    receive(scene, text, 3, 0);
}
CALL(call_recv_peek) {
    receive(scene, text, 3, MSG_PEEK);
}
CALL(call_recv_trunc) {
    receive(scene, text, 2, MSG_TRUNC);
}
CALL(call_recv_oob) {
    receive(scene, text, 3, MSG_OOB);
}
CALL(call_recv_oob_peek) {
    receive(scene, text, 3, MSG_OOB | MSG_PEEK);
}
CALL(call_recv_errqueue) {
    receive(scene, text, 3, MSG_ERRQUEUE);
}
CALL(call_recv_waitall) {
    receive(scene, text, 10, MSG_WAITALL);
}
CALL(call_recv_nothing) {
    receive(scene, text, 0, 0);
}
CALL(call_recvfrom) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    char data[16];
    ssize_t got = recvfrom(scene->fd, data, sizeof data, 0, (struct sockaddr *)&from, &length);
    const char *first = result(got);
    SAY("%s from %s", first, got < 0 ? "-" : address_text(&from, length));
}
CALL(call_recvmsg) {
    struct sockaddr_storage from;
    char data[3], control[100];
    struct iovec piece = {data, sizeof data};
    struct msghdr header = {.msg_name = &from,
                            .msg_namelen = sizeof from,
                            .msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
    ssize_t got = recvmsg(scene->fd, &header, 0);
    const char *first = result(got);
    if (got < 0)
        SAY("%s", first);
    else
        SAY("%s, name %u, control %zu, flags %x", first, header.msg_namelen, header.msg_controllen,
            header.msg_flags);
}
CALL(call_readv) {
    char one[2], two[2];
    struct iovec pieces[] = {{one, 2}, {two, 2}};
    SAY("%s", result(readv(scene->fd, pieces, 2)));
}
CALL(call_readv_none) {
    SAY("%s", result(readv(scene->fd, (struct iovec *)text, 0)));
}
CALL(call_readv_negative) {
    SAY("%s", result(readv(scene->fd, (struct iovec *)text, -1)));
}
CALL(call_preadv2) {
    struct iovec piece = {text, 4};
    SAY("%s", result(preadv2(scene->fd, &piece, 1, -1, 0)));
}
CALL(call_pwritev2) {
    struct iovec piece = {"x", 1};
    SAY("%s", result(pwritev2(scene->fd, &piece, 1, -1, 0)));
}
CALL(call_pread) {
    SAY("%s", result(pread(scene->fd, text, 1, 0)));
}
CALL(call_pwrite) {
    SAY("%s", result(pwrite(scene->fd, "x", 1, 0)));
}
CALL(call_recvmmsg) {
    char data[2][4];
    struct iovec pieces[] = {{data[0], 4}, {data[1], 4}};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &pieces[0], .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = &pieces[1], .msg_iovlen = 1}}};
    int got = recvmmsg(scene->fd, messages, 2, 0, NULL);
    const char *first = result(got);
    SAY("%s: %u %u", first, messages[0].msg_len, messages[1].msg_len);
}
CALL(call_write) {
    SAY("%s", result(write(scene->fd, "x", 1)));
}
CALL(call_write_nothing) {
    SAY("%s", result(write(scene->fd, "x", 0)));
}
CALL(call_send) {
    SAY("%s", result(send(scene->fd, "x", 1, MSG_NOSIGNAL)));
}
CALL(call_send_oob) {
    SAY("%s", result(send(scene->fd, "x", 1, MSG_OOB)));
}
CALL(call_send_more) {
    SAY("%s", result(send(scene->fd, "x", 1, MSG_MORE)));
}
CALL(call_send_nothing) {
    SAY("%s", result(send(scene->fd, "x", 0, 0)));
}
CALL(call_sendto) {
    union address address = address_of(own, scene->elsewhere);
    SAY("%s", result(sendto(scene->fd, "x", 1, 0, &address.any, address_length)));
}
CALL(call_sendto_short) {
    union address address = address_of(own, scene->elsewhere);
    SAY("%s", result(sendto(scene->fd, "x", 1, 0, &address.any, 5)));
}
CALL(call_sendto_port_0) {
    union address address = address_of(own, 0);
    SAY("%s", result(sendto(scene->fd, "x", 1, 0, &address.any, address_length)));
}
CALL(call_sendmsg_control) {
    char control[CMSG_SPACE(4)] = {0};
    struct iovec piece = {"x", 1};
    struct msghdr header = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *message = CMSG_FIRSTHDR(&header);
    message->cmsg_level = IPPROTO_IP;
    message->cmsg_type = IP_TTL;
    message->cmsg_len = CMSG_LEN(4);
    SAY("%s", result(sendmsg(scene->fd, &header, 0))); /* a TTL of 0 */
}
CALL(call_sendmmsg) {
    struct iovec piece = {"x", 1};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}}};
    SAY("%s", result(sendmmsg(scene->fd, messages, 2, 0)));
}
CALL(call_writev) {
    struct iovec pieces[] = {{"x", 1}, {"", 0}, {"yz", 2}};
    SAY("%s", result(writev(scene->fd, pieces, 3)));
}
CALL(call_writev_none) {
    SAY("%s", result(writev(scene->fd, (struct iovec *)text, 0)));
}
CALL(call_sendfile) {
    int file = open("/etc/passwd", O_RDONLY);
    off_t offset = 0;
    ssize_t sent = sendfile(scene->fd, file, &offset, 10);
    const char *first = result(sent);
    SAY("%s, offset %ld", first, (long)offset);
    close(file);
}
CALL(call_splice_in) {
    int ends[2];
    pipe(ends);
    SAY("%s", result(splice(scene->fd, NULL, ends[1], NULL, 3, SPLICE_F_NONBLOCK)));
    close(ends[0]);
    close(ends[1]);
}
CALL(call_splice_out) {
    int ends[2];
    pipe(ends);
    write(ends[1], "pipe", 4);
    SAY("%s", result(splice(ends[0], NULL, scene->fd, NULL, 4, SPLICE_F_NONBLOCK)));
    close(ends[0]);
    close(ends[1]);
}
CALL(call_accept) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int made = accept(scene->fd, (struct sockaddr *)&from, &length);
    if (made < 0) {
        SAY("%s", result(made));
        return;
    }
    SAY("accepted from %s, flags %x", address_text(&from, length), fcntl(made, F_GETFL));
    close(made);
}
CALL(call_accept4_flags) {
    SAY("%s", result(accept4(scene->fd, NULL, NULL, 1)));
}
CALL(call_listen) {
    SAY("%s", result(listen(scene->fd, 3)));
}
CALL(call_listen_negative) {
    SAY("%s", result(listen(scene->fd, -1)));
}
CALL(call_bind) {
    union address address = address_of(own, 0);
    SAY("%s", result(bind(scene->fd, &address.any, address_length)));
}
CALL(call_bind_taken) {
    union address address = address_of(own, scene->elsewhere);
    SAY("%s", result(bind(scene->fd, &address.any, address_length)));
}
CALL(call_bind_not_ours) {
    union address address = address_of(nobody, 0);
    SAY("%s", result(bind(scene->fd, &address.any, address_length)));
}
CALL(call_bind_short) {
    union address address = address_of(own, 0);
    SAY("%s", result(bind(scene->fd, &address.any, 4)));
}
CALL(call_bind_family) {
    union address address = {.any = {.sa_family = AF_UNIX}};
    SAY("%s", result(bind(scene->fd, &address.any, address_length)));
}
CALL(call_connect) {
    union address address = address_of(own, scene->elsewhere);
    SAY("%s", result(connect(scene->fd, &address.any, address_length)));
}
CALL(call_connect_twice) {
    union address address = address_of(own, scene->elsewhere);
    connect(scene->fd, &address.any, address_length);
    settle();
    const char *second = result(connect(scene->fd, &address.any, address_length));
    SAY("%s, then %s", second, result(connect(scene->fd, &address.any, address_length)));
}
CALL(call_connect_unspecified) {
    struct sockaddr address = {.sa_family = AF_UNSPEC};
    const char *first = result(connect(scene->fd, &address, sizeof address));
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    int named = getsockname(scene->fd, (struct sockaddr *)&name, &length);
    SAY("%s, then %s", first, named < 0 ? result(named) : address_text(&name, length));
}
CALL(call_connect_short) {
    union address address = address_of(own, scene->elsewhere);
    SAY("%s", result(connect(scene->fd, &address.any, 7)));
}
CALL(call_connect_family) {
    union address address = {.any = {.sa_family = AF_UNIX}};
    SAY("%s", result(connect(scene->fd, &address.any, address_length)));
}
CALL(call_shutdown_read) {
    SAY("%s", result(shutdown(scene->fd, SHUT_RD)));
}
CALL(call_shutdown_write) {
    SAY("%s", result(shutdown(scene->fd, SHUT_WR)));
}
CALL(call_shutdown_both) {
    SAY("%s", result(shutdown(scene->fd, SHUT_RDWR)));
}
CALL(call_shutdown_wrong) {
    SAY("%s", result(shutdown(scene->fd, 3)));
}
CALL(call_getsockname) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    int named = getsockname(scene->fd, (struct sockaddr *)&name, &length);
    SAY("%s", named < 0 ? result(named) : address_text(&name, length));
}
CALL(call_getsockname_short) {
    struct sockaddr_storage name = {.ss_family = 77};
    socklen_t length = 1;
    int named = getsockname(scene->fd, (struct sockaddr *)&name, &length);
    SAY("%s, %u bytes", result(named), length);
}
CALL(call_getsockname_negative) {
    struct sockaddr_storage name;
    socklen_t length = (socklen_t)-1;
    SAY("%s", result(getsockname(scene->fd, (struct sockaddr *)&name, &length)));
}
CALL(call_getpeername) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    int named = getpeername(scene->fd, (struct sockaddr *)&name, &length);
    SAY("%s", named < 0 ? result(named) : address_text(&name, length));
}
CALL(call_poll) {
    struct pollfd poll_fd = {.fd = scene->fd,
                             .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM |
                                       POLLRDBAND | POLLWRBAND};
    const char *first = result(poll(&poll_fd, 1, 0));
    SAY("%s, %04x", first, (unsigned)poll_fd.revents);
}
CALL(call_poll_nothing_wanted) {
    struct pollfd poll_fd = {.fd = scene->fd};
    const char *first = result(poll(&poll_fd, 1, 0));
    SAY("%s, %04x", first, (unsigned)poll_fd.revents);
}
CALL(call_epoll) {
    struct epoll_event event = {.events =
                                    EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLRDNORM | EPOLLWRNORM};
    int set = epoll_create1(0);
    const char *first = result(epoll_ctl(set, EPOLL_CTL_ADD, scene->fd, &event));
    event.events = 0;
    int count = epoll_wait(set, &event, 1, 0);
    const char *second = result(count);
    SAY("%s, then %s, %04x", first, second, count > 0 ? event.events : 0);
    close(set);
}
CALL(call_select) {
    fd_set in, out, except;
    struct timeval none = {0, 0};
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    FD_SET(scene->fd, &in);
    FD_SET(scene->fd, &out);
    FD_SET(scene->fd, &except);
    const char *first = result(select(scene->fd + 1, &in, &out, &except, &none));
    SAY("%s, %d %d %d", first, FD_ISSET(scene->fd, &in) != 0, FD_ISSET(scene->fd, &out) != 0,
        FD_ISSET(scene->fd, &except) != 0);
}
static void control(struct scene *scene, char *text, unsigned long request) {
    int value = -7;
    const char *first = result(ioctl(scene->fd, request, &value));
    SAY("%s, %d", first, value);
}
CALL(call_fionread) {
    control(scene, text, FIONREAD);
}
CALL(call_siocoutq) {
    int value = -7;
    const char *first = result(ioctl(scene->fd, SIOCOUTQ, &value));
    SAY("%s, %s", first, value > 0 ? "some" : value == 0 ? "0" : "-");
}
CALL(call_siocatmark) {
    control(scene, text, SIOCATMARK);
}
CALL(call_ioctl_wrong) {
    control(scene, text, 0x5490);
}
CALL(call_getfl) {
    SAY("%x", fcntl(scene->fd, F_GETFL));
}
CALL(call_so_error) {
    int error = -7, again = -7;
    socklen_t length = sizeof error;
    getsockopt(scene->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    getsockopt(scene->fd, SOL_SOCKET, SO_ERROR, &again, &length);
    SAY("%s, then %d", error ? strerrorname_np(error) : "0", again);
}
CALL(call_acceptconn) {
    int value = -7;
    socklen_t length = sizeof value;
    const char *first = result(getsockopt(scene->fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length));
    SAY("%s, %d", first, value);
}
CALL(call_tcp_info) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    const char *first = result(getsockopt(scene->fd, IPPROTO_TCP, TCP_INFO, &info, &length));
    SAY("%s, state %d, retransmits %d", first, info.tcpi_state, info.tcpi_retransmits);
}
CALL(call_lseek) {
    SAY("%s", result(lseek(scene->fd, 0, SEEK_CUR)));
}
CALL(call_fstat) {
    struct stat status = {0};
    const char *first = result(fstat(scene->fd, &status));
    SAY("%s, %o, %ld", first, status.st_mode, (long)status.st_size);
}
CALL(call_statx) {
    struct statx status = {0};
    const char *first = result(statx(scene->fd, "", AT_EMPTY_PATH, STATX_TYPE, &status));
    SAY("%s, %o", first, status.stx_mode & S_IFMT);
}
CALL(call_fsync) {
    SAY("%s", result(fsync(scene->fd)));
}
CALL(call_ftruncate) {
    SAY("%s", result(ftruncate(scene->fd, 0)));
}
CALL(call_isatty) {
    SAY("%s", result(isatty(scene->fd) - 1));
}
CALL(call_dup) {
    int copy = dup(scene->fd);
    close(scene->fd);
    scene->fd = copy;
    SAY("%x", fcntl(copy, F_GETFL));
}
CALL(call_dprintf) {
    SAY("%s", result(dprintf(scene->fd, "%d", 42)));
}
CALL(call_copy_file_range) {
    int file = open("/etc/passwd", O_RDONLY);
    SAY("%s", result(copy_file_range(file, NULL, scene->fd, NULL, 10, 0)));
    close(file);
}

#define ENTRY(name) \
    { #name, call_##name }
static const struct {
    const char *name;
    void (*call)(struct scene *, char *);
} calls[] = {
    ENTRY(read),
    ENTRY(read_nothing),
    ENTRY(recv),
    ENTRY(recv_peek),
    ENTRY(recv_trunc),
    ENTRY(recv_oob),
    ENTRY(recv_oob_peek),
    ENTRY(recv_errqueue),
    ENTRY(recv_waitall),
    ENTRY(recv_nothing),
    ENTRY(recvfrom),
    ENTRY(recvmsg),
    ENTRY(readv),
    ENTRY(readv_none),
    ENTRY(readv_negative),
    ENTRY(preadv2),
    ENTRY(pwritev2),
    ENTRY(pread),
    ENTRY(pwrite),
    ENTRY(recvmmsg),
    ENTRY(write),
    ENTRY(write_nothing),
    ENTRY(send),
    ENTRY(send_oob),
    ENTRY(send_more),
    ENTRY(send_nothing),
    ENTRY(sendto),
    ENTRY(sendto_short),
    ENTRY(sendto_port_0),
    ENTRY(sendmsg_control),
    ENTRY(sendmmsg),
    ENTRY(writev),
    ENTRY(writev_none),
    ENTRY(sendfile),
    ENTRY(splice_in),
    ENTRY(splice_out),
    ENTRY(accept),
    ENTRY(accept4_flags),
    ENTRY(listen),
    ENTRY(listen_negative),
    ENTRY(bind),
    ENTRY(bind_taken),
    ENTRY(bind_not_ours),
    ENTRY(bind_short),
    ENTRY(bind_family),
    ENTRY(connect),
    ENTRY(connect_twice),
    ENTRY(connect_unspecified),
    ENTRY(connect_short),
    ENTRY(connect_family),
    ENTRY(shutdown_read),
    ENTRY(shutdown_write),
    ENTRY(shutdown_both),
    ENTRY(shutdown_wrong),
    ENTRY(getsockname),
    ENTRY(getsockname_short),
    ENTRY(getsockname_negative),
    ENTRY(getpeername),
    ENTRY(poll),
    ENTRY(poll_nothing_wanted),
    ENTRY(epoll),
    ENTRY(select),
    ENTRY(fionread),
    ENTRY(siocoutq),
    ENTRY(siocatmark),
    ENTRY(ioctl_wrong),
    ENTRY(getfl),
    ENTRY(so_error),
    ENTRY(acceptconn),
    ENTRY(tcp_info),
    ENTRY(lseek),
    ENTRY(fstat),
    ENTRY(statx),
    ENTRY(fsync),
    ENTRY(ftruncate),
    ENTRY(isatty),
    ENTRY(dup),
    ENTRY(dprintf),
    ENTRY(copy_file_range),
};

static void one(size_t state, size_t call) {
    struct scene scene = {-1, -1, -1, 0};
    char text[TEXT] = "";
    bool stream = strncmp(states[state].name, "tcp", 3) == 0;
    scene.third = stream ? make_listener(&scene.elsewhere) : make_datagram(&scene.elsewhere);
    states[state].make(&scene);
    nonblocking(scene.fd, true);
    settle();
    errno = ERRNO_KEPT;
    calls[call].call(&scene, text);
    int after = errno;
    outcome(states[state].name, calls[call].name, "%s%s%s", text, after == ERRNO_KEPT ? "" : ", errno ",
            after == ERRNO_KEPT ? "" : strerrorname_np(after));
    close(scene.fd);
    close(scene.other);
    close(scene.third);
}

void test_states(void) {
    for (size_t state = 0; state < sizeof states / sizeof *states; state++)
        for (size_t call = 0; call < sizeof calls / sizeof *calls; call++)
            one(state, call);
}
