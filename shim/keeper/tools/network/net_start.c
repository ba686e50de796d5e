/* SPDX-License-Identifier: MIT */
/*
 * net_start.c - see net.h: the processes of a network. Each dies with the one that started it.
 */
#include "shim/keeper/tools/network/net.h"
#include "shim/keeper/tools/network/router_options.h"
#include "shim/keeper/tools/tool.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 256 /* a router's: its ports, two for each LAN of either family, for each mapping */
#define WORD_BYTES 512

/* The words of a command, as they are made. */
struct words {
    int count;
    char *all[WORDS_MAX + 1];
};

__attribute__((format(printf, 2, 3))) static void add(struct words *words, const char *format, ...) {
    char text[WORD_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (words->count < WORDS_MAX)
        words->all[words->count++] = strdup(text);
}

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

/* In a child: it ends with its parent, and can be ended with all that it starts. */
static void settle(pid_t parent) {
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static pid_t start_tool(int (*tool)(int, char **), struct words *words) {
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        char said[4096] = "";
        settle(parent);
        setvbuf(stderr, said, _IOFBF,
                sizeof said); /* it has nothing to greet with; what is wrong comes at its end */
        int status = tool(words->count, words->all);
        if (status == 2)
            fflush(stderr);
        _exit(status);
    }
    for (int i = 0; i < words->count; i++)
        free(words->all[i]);
    words->count = 0;
    return child;
}

static void add_seed(const struct net *net, struct words *words) {
    if (net->topology.seed) {
        add(words, "--seed");
        add(words, "%ld", (long)net->topology.seed);
    }
}

static void add_lan(struct net *net, const struct topology_lan *lan) {
    struct words words = {0};
    add(&words, "%s/%s", net->directory, lan->name);
    add(&words, "--%s", lan->kind);
    const char *const options[] = {"--rate", lan->rate, "--delay",  lan->delay,
                                   "--ber",  lan->ber,  "--outage", lan->outage};
    for (int i = 0; i < 8; i += 2)
        if (options[i + 1][0]) {
            add(&words, "%s", options[i]);
            add(&words, "%s", options[i + 1]);
        }
    add_seed(net, &words);
    net->segments[net->segment_count++] = start_tool(tool_lan, &words);
}

/* Whether there is a LAN at a path. */
static bool lan_answers(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int wire = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool fits =
        snprintf(address.sun_path, sizeof address.sun_path, "%s", path) < (int)sizeof address.sun_path;
    bool there = fits && connect(wire, (struct sockaddr *)&address, sizeof address) == 0;
    close(wire);
    return there;
}

static void add_port(const struct net *net, const struct topology_router *router, int i,
                     struct words *words) {
    const struct topology *topology = &net->topology;
    const char *items = strchr(router->ports.text[i], ',');
    char v4[IP_ADDRESS_TEXT + 4] = "", v6[IP_ADDRESS_TEXT + 4] = "", text[IP_ADDRESS_TEXT];
    int lan = router->lans[i], host = router->hosts[i];
    if (topology->ipv4)
        snprintf(v4, sizeof v4, "%s/24", ip_text(topology_address(lan, host, false), text));
    if (topology->ipv6)
        snprintf(v6, sizeof v6, "%s/64", ip_text(topology_address(lan, host, true), text));
    add(words, "lan:%s/%s=%s%s%s%s", net->directory, topology->lans[lan].name, v4, *v4 && *v6 ? "," : "", v6,
        items ? items : "");
}

static void add_route(const struct net *net, int router, int lan, bool ipv6, struct words *words) {
    char prefix[IP_ADDRESS_TEXT], hop[IP_ADDRESS_TEXT];
    int hop_lan, hop_host;
    for (int i = 0; i < net->topology.routers[router].ports.count; i++)
        if (net->topology.routers[router].lans[i] == lan)
            return;
    if (!topology_next_hop(&net->topology, router, lan, &hop_lan, &hop_host))
        return;
    add(words, "--route");
    add(words, "%s/%d=%s", ip_text(topology_address(lan, 0, ipv6), prefix), ipv6 ? 64 : 24,
        ip_text(topology_address(hop_lan, hop_host, ipv6), hop));
}

static void add_router(struct net *net, int number) {
    const struct topology *topology = &net->topology;
    const struct topology_router *router = &topology->routers[number];
    struct words words = {0};
    char map[WORD_BYTES];
    for (int i = 0; i < router->ports.count; i++)
        add_port(net, router, i, &words);
    for (int i = 0; i < topology->lan_count; i++) {
        if (topology->ipv4)
            add_route(net, number, i, false, &words);
        if (topology->ipv6)
            add_route(net, number, i, true, &words);
    }
    if (router->nat[0]) {
        add(&words, "--nat");
        add(&words, "lan:%s/%s", net->directory, router->nat);
    }
    for (int i = 0; i < router->map.count; i++)
        if (topology_expand(topology, router->map.text[i], map, sizeof map)) {
            add(&words, "--map");
            add(&words, "%s", map);
        }
    add(&words, "--name");
    add(&words, "%s.%s", net->name, router->name);
    add_seed(net, &words);
    net->segments[net->segment_count++] = start_tool(tool_router, &words);
}

static bool has_ended(pid_t child) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == child;
}

bool net_start(struct net *net) {
    char path[160], name[2 * TOPOLOGY_NAME_BYTES];
    for (int i = 0; i < net->topology.lan_count; i++)
        add_lan(net, &net->topology.lans[i]);
    for (int i = 0; i < net->topology.lan_count; i++) {
        snprintf(path, sizeof path, "%s/%s", net->directory, net->topology.lans[i].name);
        while (!lan_answers(path)) {
            if (has_ended(net->segments[i]))
                return false; /* which has said why */
            pause_ms(2);
        }
    }
    int first = net->segment_count;
    for (int i = 0; i < net->topology.router_count; i++)
        add_router(net, i);
    for (int i = 0; i < net->topology.router_count; i++) {
        snprintf(name, sizeof name, "%s.%s", net->name, net->topology.routers[i].name);
        while (!router_answers(name)) { /* it does once its ports are on their LANs */
            if (has_ended(net->segments[first + i]))
                return false;
            pause_ms(2);
        }
    }
    return true;
}

static void set_family(const struct topology *topology, const char *name, int lan, int host,
                       const char *suffix4, const char *suffix6) {
    char v4[IP_ADDRESS_TEXT] = "", v6[IP_ADDRESS_TEXT] = "", both[2 * IP_ADDRESS_TEXT + 16];
    if (topology->ipv4)
        ip_text(topology_address(lan, host, false), v4);
    if (topology->ipv6)
        ip_text(topology_address(lan, host, true), v6);
    snprintf(both, sizeof both, "%s%s%s%s%s", v4, *v4 ? suffix4 : "", *v4 && *v6 ? "," : "", v6,
             *v6 ? suffix6 : "");
    setenv(name, both, 1);
}

static void set_environment(const struct net *net, const struct topology_station *station) {
    char text[TOPOLOGY_TEXT_BYTES + 64], self[PATH_MAX];
    snprintf(text, sizeof text, "lan:%s/%s", net->directory, station->lan);
    setenv("BAREWIRE_NIC", text, 1);
    snprintf(text, sizeof text, "%s.%s", net->name, station->name);
    setenv("BAREWIRE_NAME", text, 1);
    set_family(&net->topology, "BAREWIRE_ADDRESS", station->lan_number, station->host, "/24", "/64");
    /* What chance does to a station on its LAN goes by this (nic/lan_segment.c). */
    snprintf(text, sizeof text, "02:62:77:00:%02x:%02x", station->lan_number, station->host);
    setenv("BAREWIRE_MAC", text, 1);
    if (station->gateway)
        set_family(&net->topology, "BAREWIRE_GATEWAY", station->lan_number, station->gateway, "", "");
    if (!net->topology.ipv6)
        setenv("BAREWIRE_NO_IPV6", "1", 1);
    if (station->impair[0]) {
        snprintf(text, sizeof text, "%s%s", station->impair, net->topology.seed ? ",seed=" : "");
        if (net->topology.seed)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%ld", (long)net->topology.seed);
        setenv("BAREWIRE_IMPAIR", text, 1);
    }
    if (station->sysctl[0])
        setenv("BAREWIRE_SYSCTL", station->sysctl, 1);
    if (station->mtu) {
        snprintf(text, sizeof text, "%ld", (long)station->mtu);
        setenv("BAREWIRE_MTU", text, 1);
    }
    setenv("BAREWIRE_NETNS", "", 1);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = 0;
    char *slash = strrchr(self, '/'), library[PATH_MAX + 32];
    snprintf(library, sizeof library, "%.*slibbarewire.so", slash ? (int)(slash - self) + 1 : 0, self);
    setenv("LD_PRELOAD", library, 1);
}

void net_become(const struct net *net, int station, char *const *words) {
    size_t count = 0;
    while (words[count])
        count++;
    char **all = calloc(count + 5, sizeof *all);
    /* By a shell, in which the library is: it takes over static programs, too, and says what it can't. */
    static char *const shell[] = {"/bin/sh", "-c", "exec \"$@\"", "sh"};
    if (all) {
        memcpy(all, shell, sizeof shell);
        memcpy(all + sizeof shell / sizeof *shell, words, count * sizeof *words);
        set_environment(net, &net->topology.stations[station]);
        execv(*all, all);
    }
    fprintf(stderr, "barewire: can't start '%s': %s\n", words[0], strerror(errno));
    _exit(127);
}

void net_file(const struct net *net, int station, const char *kind, char path[160]) {
    snprintf(path, 160, "%s/%s.%s", net->directory, net->topology.stations[station].name, kind);
}

bool net_run_program(struct net *net, int number) {
    const struct topology_station *station = &net->topology.stations[number];
    char command[2 * TOPOLOGY_TEXT_BYTES], path[160];
    pid_t parent = getpid();
    if (!topology_expand(&net->topology, station->run[0] ? station->run : station->serve, command,
                         sizeof command)) {
        fprintf(stderr, "barewire: %s: its command is too long\n", station->name);
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        settle(parent);
        net_file(net, number, "out", path);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
        net_file(net, number, "err", path);
        dup2(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
        setenv("BAREWIRE_VERBOSE", "1", 1); /* what each connection did: net_expect.c reads it */
        char *const words[] = {"/bin/sh", "-c", command, NULL};
        net_become(net, number, words);
    }
    net->programs[number] = child;
    return child > 0;
}

/* Runs this program as a tool for a station's stack. Returns what it prints, up to `room`. */
static void ask_stack(const struct net *net, int station, char *const *words, char *text, size_t room) {
    int ends[2];
    size_t used = 0;
    ssize_t got;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        set_environment(net, &net->topology.stations[station]);
        unsetenv("LD_PRELOAD");
        dup2(ends[1], 1);
        dup2(open("/dev/null", O_WRONLY), 2);
        execv("/proc/self/exe", words);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], text + used, room - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = 0;
    close(ends[0]);
    waitpid(child, NULL, 0);
}

bool net_listens(const struct net *net, int station) {
    char *const words[] = {"barewire", "--ss", "-t", "-l", "-H", NULL};
    char text[8192] = "", port[16];
    ask_stack(net, station, words, text, sizeof text);
    snprintf(port, sizeof port, ":%ld ", (long)net->topology.stations[station].listen);
    return strstr(text, port) != NULL;
}

static void end_child(pid_t child, int signal) {
    if (child <= 0)
        return;
    kill(-child, signal);
    for (int i = 0; i < 1000 && !has_ended(child); i++)
        pause_ms(2);
    kill(-child, SIGKILL);
    waitpid(child, NULL, 0);
}

void net_end(struct net *net) {
    char *const words[] = {"barewire", "--down", NULL};
    char text[256];
    for (int i = 0; i < net->topology.station_count; i++) {
        end_child(net->programs[i], SIGTERM);
        net->programs[i] = 0;
        ask_stack(net, i, words, text, sizeof text);
    }
    for (int i = net->segment_count; i-- > 0;)
        end_child(net->segments[i], SIGTERM);
    net->segment_count = 0;
}
