/* SPDX-License-Identifier: MIT */
/*
 * ss.c - `barewire ss` and `barewire stats`: a live stack, looked at from outside.
 *
 * The region is mapped for reading only, and no lock is taken: nobody is stopped, and nothing can be harmed.
 * What is in use is found by owners and bitmaps, never by links, which may be changing; of each object a copy
 * is looked at, and what it points to is believed only if it is in use itself.
 */
#include "shim/keeper/tools/tool.h"
#include "shim/region/config.h"
#include "shim/region/ipc.h"
#include "shim/region/region.h"
#include "shim/region/tracing_text.h"
#include "stack/tcp/tcp_time_wait.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 512
#define ANSWER_S 2

#define LOCK_SECONDS_MAX 86400

struct wish {
    bool tcp, udp, listening, all, information, memory, processes, no_header, watch, json;
    uint32_t shown;
    enum tool_family family; /* of which alone; TOOL_ANY: both */
};

static int complain(const char *format, const char *value) {
    fprintf(stderr, "barewire: ");
    fprintf(stderr, format, value);
    fprintf(stderr, "\n");
    return 2;
}

/* Returns the region's descriptor, or -1. The connection stays open if the keeper keeps it. */
static int ask_keeper(int ipc, const struct ipc_request *request, struct ipc_reply *reply) {
    union ipc_control control;
    struct iovec piece = {reply, sizeof *reply};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    /* A keeper that asks for an address of its own answers nobody. */
    setsockopt(ipc, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = ANSWER_S}, sizeof(struct timeval));
    if (send(ipc, request, sizeof *request, MSG_NOSIGNAL) < 0 ||
        recvmsg(ipc, &message, MSG_CMSG_CLOEXEC) <= 0)
        return -1;
    if (request->header.kind == IPC_LOOK)
        close(ipc);
    return ipc_taken_ancillary(&message).first;
}

int tool_look(enum ipc_request_kind kind) {
    static struct ipc_request request = {.header = {SHARED_MAGIC, 0, IPC_LOOK}};
    static struct ipc_reply reply;
    static struct config config;
    int ipc = tool_connect(&config);
    if (ipc < 0)
        return 2;
    request.header.version = SHARED_VERSION;
    request.header.kind = kind;
    int region = ask_keeper(ipc, &request, &reply);
    if (region < 0 && reply.header.magic == SHARED_MAGIC)
        return complain("stack '%s' is kept by another version of barewire", config.name);
    if (region < 0)
        return complain("stack '%s' does not answer (yet: it may be asking for its address)", config.name);
    void *mapped = mmap((void *)SHARED_BASE, SHARED_BYTES, PROT_READ,
                        MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, region, 0);
    return mapped == (void *)SHARED_BASE ? 0 : complain("can't map the memory of stack '%s'", config.name);
}

const char *tool_place(struct ip_address address, uint16_t port, enum tool_family family) {
    static char texts[4][IP_ADDRESS_TEXT + 20];
    static int next;
    char *text = texts[next++ % 4], host[IP_ADDRESS_TEXT], number[8] = "*";
    ip_text(address, host);
    if (ip_is_any(address))
        strcpy(host, family == TOOL_INET ? "0.0.0.0" : family == TOOL_INET6 ? "*" : "::");
    if (port)
        snprintf(number, sizeof number, "%u", port);
    if (family == TOOL_INET || (family == TOOL_INET6 && ip_is_any(address)))
        snprintf(text, sizeof texts[0], "%s:%s", host, number);
    else
        snprintf(text, sizeof texts[0], "[%s%s]:%s", ip_is_v4(address) ? "::ffff:" : "", host, number);
    return text;
}

enum tool_family tool_family_of(const struct socket *socket, struct ip_address local) {
    if (!socket) /* nobody's any more */
        return ip_is_v4(local) ? TOOL_INET : TOOL_INET6;
    if (!socket->options.inet6)
        return TOOL_INET;
    bool alone = socket->options.six.only || (!ip_is_any(local) && !ip_is_v4(local));
    return alone ? TOOL_INET6_ALONE : TOOL_INET6;
}

/* Who has a socket: processes whose fd table holds it. */
struct holders {
    const struct socket *socket;
    const struct file_table *file_table;
    char *text;
    size_t room;
};

static void name_process(const void *object, void *context) {
    struct process process;
    struct holders *holders = context;
    char path[40], name[32] = "?";
    memcpy(&process, object, sizeof process);
    if (process.file_table != holders->file_table || process.pid <= 0)
        return;
    snprintf(path, sizeof path, "/proc/%d/comm", process.pid);
    FILE *file = fopen(path, "re");
    if (file && fgets(name, sizeof name, file))
        name[strcspn(name, "\n")] = 0;
    if (file)
        fclose(file);
    size_t used = strlen(holders->text);
    if (used + 80 < holders->room)
        snprintf(holders->text + used, holders->room - used, "%s(\"%s\",pid=%d)", used ? "," : "", name,
                 process.pid);
}

static void find_holder(const void *object, void *context) {
    struct file_ref file_ref;
    struct holders *holders = context;
    memcpy(&file_ref, object, sizeof file_ref);
    if (file_ref.kind != FILE_REF_SOCKET || file_ref.socket != holders->socket)
        return;
    holders->file_table = file_ref.file_table;
    pool_look(&shared->processes, name_process, holders);
}

void tool_name_holders(const void *socket, char *text, size_t room) {
    struct holders holders = {socket, NULL, text, room};
    text[0] = 0;
    if (socket)
        pool_look(&shared->file_refs, find_holder, &holders);
}

static void print_processes(const void *socket) {
    char text[LINE_BYTES];
    tool_name_holders(socket, text, sizeof text);
    if (text[0])
        printf(" users:(%s)", text);
}

static void print_memory(uint32_t receive, uint32_t receive_limit, uint32_t send, uint32_t send_limit) {
    printf("\n\t skmem:(r%u,rb%u,t0,tb%u,f0,w%u,o0,bl0,d0)", receive, receive_limit, send_limit, send);
}

static double ms(uint32_t us) {
    return us / 1000.0;
}

/* TCP_INFO of a copy of a connection. */
static void look_at_connection(struct tcp *tcp, struct tcp_information *info) {
    static struct tcp_active flight;
    if (tcp->history.limit >= TCP_LIMITS)
        tcp->history.limit = TCP_LIMIT_IDLE;
    if (tcp->congestion.algorithm >= TCP_ALGORITHMS)
        tcp->congestion.algorithm = TCP_CUBIC;
    if (tcp->mss == 0)
        tcp->mss = 1; /* not yet made */
    if (!pool_has(&shared->stack.sockets, tcp->socket))
        tcp->socket = NULL;
    if (pool_has(&shared->stack.actives, tcp->active))
        memcpy(&flight, tcp->active, sizeof flight);
    else
        tcp_active_init(&flight);
    list_init(&flight.sent); /* the records are somebody's who is at work */
    tcp->active = &flight;
    tcp_info_get(&shared->stack, tcp, info);
}

static void print_information(struct tcp *tcp) {
    struct tcp_information info;
    look_at_connection(tcp, &info);
    printf("\n\t%s%s%s%s", tcp->timestamps ? " ts" : "", tcp->sack_permitted ? " sack" : "",
           tcp->ecn ? " ecn" : "", " ");
    printf("%s wscale:%u,%u rto:%.4g rtt:%.4g/%.4g ato:%.4g mss:%u pmtu:%u rcvmss:%u advmss:%u cwnd:%u",
           tcp_congestion_name(tcp->congestion.algorithm), info.snd_wscale, info.rcv_wscale, ms(info.rto),
           ms(info.rtt), ms(info.rttvar), ms(info.ato), info.snd_mss, info.pmtu, info.rcv_mss, info.advmss,
           info.snd_cwnd);
    if (info.snd_ssthresh < INT32_MAX)
        printf(" ssthresh:%u", info.snd_ssthresh);
    printf(" bytes_sent:%llu", (unsigned long long)info.bytes_sent);
    if (info.bytes_retrans)
        printf(" bytes_retrans:%llu", (unsigned long long)info.bytes_retrans);
    printf(" bytes_acked:%llu bytes_received:%llu segs_out:%u segs_in:%u data_segs_out:%u data_segs_in:%u",
           (unsigned long long)info.bytes_acked, (unsigned long long)info.bytes_received, info.segs_out,
           info.segs_in, info.data_segs_out, info.data_segs_in);
    if (info.delivery_rate)
        printf(" delivery_rate %llubps", (unsigned long long)info.delivery_rate * 8);
    printf(" delivered:%u busy:%llums", info.delivered, (unsigned long long)info.busy_time / 1000);
    if (info.rwnd_limited)
        printf(" rwnd_limited:%llums", (unsigned long long)info.rwnd_limited / 1000);
    if (info.sndbuf_limited)
        printf(" sndbuf_limited:%llums", (unsigned long long)info.sndbuf_limited / 1000);
    if (info.unacked)
        printf(" unacked:%u", info.unacked);
    if (info.total_retrans)
        printf(" retrans:0/%u", info.total_retrans);
    if (info.notsent_bytes)
        printf(" notsent:%u", info.notsent_bytes);
    printf(" rcv_space:%u minrtt:%.4g snd_wnd:%u", info.rcv_space,
           info.min_rtt == UINT32_MAX ? 0 : ms(info.min_rtt), info.snd_wnd);
}

static bool wanted(const struct wish *wish, uint8_t state) {
    bool listens = state == TCP_LISTEN || state == TCP_CLOSE;
    if (wish->all)
        return true;
    if (wish->listening)
        return listens;
    return !listens && state != TCP_TIME_WAIT && state != TCP_SYN_RECV;
}

/* As wide as the longest that stands in each, as ss(8) has them: all sockets are looked at twice. */
static struct {
    bool measuring;
    int receive, send, local, peer;
} columns = {.receive = 6, .send = 6, .local = 22, .peer = 22};

static void widen(int *column, int length) {
    if (length > *column)
        *column = length;
}

/* Returns whether the line is printed, and not measured. */
static bool print_line(const char *kind, const char *state, uint32_t receive, uint32_t send,
                       const char *local, const char *peer) {
    if (columns.measuring) {
        widen(&columns.receive, snprintf(NULL, 0, "%u", receive));
        widen(&columns.send, snprintf(NULL, 0, "%u", send));
        widen(&columns.local, (int)strlen(local));
        widen(&columns.peer, (int)strlen(peer));
        return false;
    }
    printf("%-5s %-10s %-*u %-*u %*s %*s", kind, state, columns.receive, receive, columns.send, send,
           columns.local, local, columns.peer, peer);
    return true;
}

/* One socket as an object of JSON, with all that is known of it. */
static void put_socket(struct wish *wish, const void *object, const char *kind, const char *state,
                       uint32_t receive, uint32_t send, const char *local, const char *peer) {
    char holders[LINE_BYTES];
    tool_name_holders(object, holders, sizeof holders);
    printf("%s{\"netid\":\"%s\",\"state\":\"%s\",\"recv_q\":%u,\"send_q\":%u,\"local\":\"%s\",\"peer\":\"%"
           "s\",\"users\":[",
           wish->shown++ ? ",\n" : "", kind, state, receive, send, local, peer);
    bool first = true;
    for (char *at = holders; (at = strstr(at, "(\"")); at++) {
        char *pid = strstr(at, "pid="), *end = strchr(at + 2, '"');
        if (!pid || !end)
            break;
        printf("%s{\"name\":\"", first ? "" : ",");
        for (char *letter = at + 2; letter < end; letter++) {
            if (*letter == '\\' || *letter == '"' || (unsigned char)*letter < 32)
                printf("\\u%04x", (unsigned char)*letter);
            else
                putchar(*letter);
        }
        printf("\",\"pid\":%d}", atoi(pid + 4));
        first = false;
    }
    printf("]");
}

static void put_information(struct tcp *tcp) {
    struct tcp_information info;
    look_at_connection(tcp, &info);
    printf(
        ",\"congestion\":\"%s\",\"rto_us\":%u,\"rtt_us\":%u,\"rttvar_us\":%u,\"min_rtt_us\":%u,\"mss\":%u,"
        "\"pmtu\":%u,\"cwnd\":%u,\"ssthresh\":%lld,\"bytes_sent\":%llu,\"bytes_retrans\":%llu,\"bytes_"
        "acked\":%llu,"
        "\"bytes_received\":%llu,\"segs_out\":%u,\"segs_in\":%u,\"retrans\":%u,\"unacked\":%u,\"notsent\":%u,"
        "\"snd_wnd\":%u,\"rcv_space\":%u",
        tcp_congestion_name(tcp->congestion.algorithm), info.rto, info.rtt, info.rttvar, info.min_rtt,
        info.snd_mss, info.pmtu, info.snd_cwnd,
        info.snd_ssthresh < INT32_MAX ? (long long)info.snd_ssthresh : -1LL,
        (unsigned long long)info.bytes_sent, (unsigned long long)info.bytes_retrans,
        (unsigned long long)info.bytes_acked, (unsigned long long)info.bytes_received, info.segs_out,
        info.segs_in, info.total_retrans, info.unacked, info.notsent_bytes, info.snd_wnd, info.rcv_space);
}

static void show_tcp(const void *object, void *context) {
    struct wish *wish = context;
    struct tcp tcp;
    struct socket socket = {0};
    memcpy(&tcp, object, sizeof tcp);
    bool owned = pool_has(&shared->stack.sockets, tcp.socket);
    if (owned)
        memcpy(&socket, tcp.socket, sizeof socket);
    if (!wanted(wish, tcp.state) || (tcp.state == TCP_CLOSE && !tcp.binding.port))
        return;
    bool listens = tcp.state == TCP_LISTEN;
    enum tool_family family = tool_family_of(owned ? &socket : NULL, tcp.binding.address);
    if (wish->family != TOOL_ANY && (wish->family == TOOL_INET) != (family == TOOL_INET))
        return;
    const char *local = tool_place(tcp.binding.address, tcp.binding.port, family);
    const char *peer = tool_place(listens ? (struct ip_address){0} : tcp.remote_address,
                                  listens ? 0 : tcp.remote_port, family);
    uint32_t receive = listens ? socket.accept_count : tcp.receive.length;
    uint32_t send = listens ? socket.backlog : tcp.send.length;
    if (wish->json) {
        put_socket(wish, owned ? tcp.socket : NULL, "tcp", tracing_state_name(tcp.state), receive, send,
                   local, peer);
        if (!listens)
            put_information(&tcp);
        printf("}");
        return;
    }
    if (!print_line("tcp", tracing_state_name(tcp.state), receive, send, local, peer))
        return;
    if (wish->processes)
        print_processes(owned ? tcp.socket : NULL);
    if (wish->memory)
        print_memory(tcp.receive.length, socket.receive_limit, tcp.send.length, socket.send_limit);
    if (wish->information && !listens)
        print_information(&tcp);
    printf("\n");
}

static void show_datagram(const void *object, void *context) {
    struct wish *wish = context;
    struct socket socket;
    struct datagram_state state;
    memcpy(&socket, object, sizeof socket);
    if (!pool_has(&shared->stack.datagram_states, socket.datagram))
        return;
    memcpy(&state, socket.datagram, sizeof state);
    enum tool_family family = tool_family_of(&socket, state.binding.address);
    if (!wanted(wish, socket.connected ? TCP_ESTABLISHED : TCP_CLOSE) ||
        (wish->family != TOOL_ANY && (wish->family == TOOL_INET) != (family == TOOL_INET)))
        return;
    const char *local = tool_place(state.binding.address, state.binding.port, family);
    const char *peer = tool_place(socket.connected ? state.remote_address : (struct ip_address){0},
                                  socket.connected ? state.remote_port : 0, family);
    const char *kind = socket.type == SOCK_RAW                         ? "raw"
                       : state.binding.protocol == IP_PROTOCOL_ICMP    ? "icmp"
                       : state.binding.protocol == IP_PROTOCOL_ICMP6   ? "icmp6"
                       : state.binding.protocol == IP_PROTOCOL_UDPLITE ? "udpl"
                                                                       : "udp";
    if (wish->json) {
        put_socket(wish, object, kind, socket.connected ? "ESTAB" : "UNCONN", socket.datagram_bytes, 0, local,
                   peer);
        printf("}");
        return;
    }
    if (!print_line(kind, socket.connected ? "ESTAB" : "UNCONN", socket.datagram_bytes, 0, local, peer))
        return;
    if (wish->processes)
        print_processes(object);
    if (wish->memory)
        print_memory(socket.datagram_bytes, socket.receive_limit, 0, socket.send_limit);
    printf("\n");
}

static bool read_wish(int count, char **options, struct wish *wish) {
    static const struct {
        const char *name;
        char letter;
    } names[] = {{"--tcp", 't'},       {"--udp", 'u'},       {"--listening", 'l'},
                 {"--all", 'a'},       {"--info", 'i'},      {"--memory", 'm'},
                 {"--processes", 'p'}, {"--no-header", 'H'}, {"--numeric", 'n'}};
    for (int i = 0; i < count; i++) {
        char letters[3] = "-";
        if (strcmp(options[i], "--json") == 0) {
            wish->json = true;
            continue;
        }
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            if (strcmp(options[i], names[j].name) == 0) {
                letters[1] = names[j].letter;
                options[i] = letters;
            }
        if (options[i][0] != '-' || !options[i][1])
            return false;
        for (const char *letter = options[i] + 1; *letter; letter++) {
            wish->tcp |= *letter == 't';
            wish->udp |= *letter == 'u';
            wish->listening |= *letter == 'l';
            wish->all |= *letter == 'a';
            wish->information |= *letter == 'i';
            wish->memory |= *letter == 'm';
            wish->processes |= *letter == 'p';
            wish->no_header |= *letter == 'H';
            wish->watch |= *letter == 'w';
            if (*letter == '4' || *letter == '6')
                wish->family = *letter == '4' ? TOOL_INET : TOOL_INET6;
            if (!strchr("tulaimpHnw46", *letter))
                return false;
        }
    }
    if (!wish->tcp && !wish->udp)
        wish->tcp = wish->udp = true;
    return true;
}

static void show_all(struct wish *wish) {
    if (wish->udp)
        pool_look(&shared->stack.sockets, show_datagram, wish);
    if (wish->tcp)
        tcp_look(&shared->stack, show_tcp, wish);
}

int tool_ss(int count, char **options) {
    struct wish wish = {0};
    if (!read_wish(count, options, &wish))
        return complain("ss takes -t -u -l -a -i -m -p -H -n -w -4 -6 --json%s", "");
    int failed = tool_look(IPC_LOOK);
    if (failed)
        return failed;
    if (wish.watch)
        return tool_watch();
    if (wish.json) {
        printf("[");
    } else {
        columns.measuring = true;
        show_all(&wish);
        columns.measuring = false;
    }
    if (!wish.json && !wish.no_header)
        printf("%-5s %-10s %-*s %-*s %*s %*s%s\n", "Netid", "State", columns.receive, "Recv-Q", columns.send,
               "Send-Q", columns.local, "Local Address:Port", columns.peer, "Peer Address:Port",
               wish.processes ? " Process" : "");
    show_all(&wish);
    if (wish.json)
        printf("]\n");
    return 0;
}

/* What --impair did to frames on their way out and in. */
static void show_impairment(bool json) {
    static const char *const ways[] = {"ImpairTx", "ImpairRx"};
    for (int way = 0; way < 2 && shared->impaired; way++) {
        const struct impair_counters counters = shared->impairment[way];
        const struct {
            const char *name;
            uint64_t value;
        } all[] = {{"Frames", counters.frames},         {"Lost", counters.lost},
                   {"Overflowed", counters.overflowed}, {"Duplicated", counters.duplicated},
                   {"Reordered", counters.reordered},   {"Corrupted", counters.corrupted}};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            if (json)
                printf(",\"%s%s\":%llu", ways[way], all[i].name, (unsigned long long)all[i].value);
            else if (all[i].value)
                printf("%s%-24s%-18llu 0.0\n", ways[way], all[i].name, (unsigned long long)all[i].value);
    }
}

static void add_memory(const void *object, void *context) {
    uint64_t *bytes = context;
    *bytes += ((const struct process *)object)->memory_bytes;
}

/* What the library has of its own in all processes of the stack, beside the region. */
static void show_memory(bool json) {
    uint64_t bytes = 0;
    pool_look(&shared->processes, add_memory, &bytes);
    if (json)
        printf(",\"LibraryMemory\":%llu", (unsigned long long)bytes);
    else if (bytes)
        printf("%-32s%-18llu 0.0\n", "LibraryMemory", (unsigned long long)bytes);
}

static bool read_seconds(const char *text, int *seconds) {
    char *end;
    long number = strtol(text, &end, 10);
    *seconds = (int)number;
    return end > text && !*end && number > 0 && number <= LOCK_SECONDS_MAX;
}

int tool_stats(int count, char **options) {
    bool json = false, first = true, lock = false;
    int seconds = 1;
    for (int i = 0; i < count; i++) {
        if (strcmp(options[i], "--json") == 0)
            json = true;
        else if (strcmp(options[i], "--lock") == 0)
            lock = true;
        else if (!lock || i == 0 || strcmp(options[i - 1], "--lock") != 0 ||
                 !read_seconds(options[i], &seconds))
            return complain("stats takes --json and --lock [SECONDS], not '%s'", options[i]);
    }
    if (lock)
        return tool_lock(seconds, json);
    int failed = tool_look(IPC_LOOK);
    if (failed)
        return failed;
    struct mib mib;
    memcpy(&mib, &shared->stack.mib, sizeof mib);
    printf(json ? "{\"kernel\":{" : "#barewire\n");
#define SHOW(group, name)                                                                             \
    if (json)                                                                                         \
        printf("%s\"" #group #name "\":%llu", first ? "" : ",", (unsigned long long)mib.group##name); \
    else if (mib.group##name)                                                                         \
        printf("%-32s%-18llu 0.0\n", #group #name, (unsigned long long)mib.group##name);              \
    first = false;
    MIB_COUNTERS(SHOW)
#undef SHOW
    show_impairment(json);
    show_memory(json);
    if (json)
        printf("}}\n");
    return 0;
}
