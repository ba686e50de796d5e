/* SPDX-License-Identifier: MIT */
/*
 * net.c - `barewire net`: a network in a file (topology.h) that runs as processes of this user, without
 * rights, and leaves nothing behind.
 */
#include "shim/keeper/tools/network/net.h"
#include "nic/nearest.h"
#include "shim/keeper/tools/tool.h"
#include "shim/region/config.h"
#include "shim/region/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX 65536
#define SECOND_NS UINT64_C(1000000000)
#define SERVER_NS (10 * SECOND_NS) /* a server that does not listen by then has failed */

static struct net net;
static volatile sig_atomic_t interrupted;

static int complain(const char *what, const char *value) {
    fprintf(stderr, "barewire: %s '%s'\n", what, value);
    return 2;
}

static void interrupt(int signal) {
    interrupted = signal;
}

/* Reads the file; false after a line for the user. */
static bool read_topology(const char *path) {
    static char text[FILE_MAX];
    char error[TOPOLOGY_ERROR_BYTES];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (length < 0)
        return fprintf(stderr, "barewire: can't read '%s': %s\n", path, strerror(errno)), false;
    if (length == (ssize_t)sizeof text - 1)
        return complain("a file of less than 64 KB is wanted, not", path), false;
    close(file);
    text[length] = 0;
    if (!topology_read(&net.topology, text, error)) {
        fprintf(stderr, "barewire: %s: %s\n", path, error);
        return false;
    }
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    snprintf(net.name, sizeof net.name, "%.*s", (int)strcspn(base, "."), base);
    return net.name[0] ? true : (complain("no name for a network:", path), false);
}

static bool name_directory(bool make) {
    char directory[108], error[CONFIG_ERROR_BYTES];
    if (!config_directory(directory, error))
        return fprintf(stderr, "barewire: %s\n", error), false;
    if (snprintf(net.directory, sizeof net.directory, "%s/nets", directory) >= (int)sizeof net.directory - 40)
        return complain("too long a folder for sockets:", directory), false;
    if (make && mkdir(net.directory, 0700) < 0 && errno != EEXIST)
        return complain(strerror(errno), net.directory), false;
    size_t used = strlen(net.directory);
    snprintf(net.directory + used, sizeof net.directory - used, "/%s", net.name);
    if (make && mkdir(net.directory, 0700) < 0 && errno != EEXIST)
        return complain(strerror(errno), net.directory), false;
    return true;
}

/* Who runs this network holds the lock of its file; its number is in it. -1: somebody does. */
static int take_lock(void) {
    char path[160];
    snprintf(path, sizeof path, "%s/pid", net.directory);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || flock(file, LOCK_EX | LOCK_NB) < 0)
        return -1;
    if (ftruncate(file, 0) < 0 || dprintf(file, "%d\n", (int)getpid()) < 0)
        return -1;
    return file;
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *place) {
    (void)status, (void)flag, (void)place;
    return remove(path);
}

static int find_station(const char *name) {
    for (int i = 0; i < net.topology.station_count; i++)
        if (strcmp(net.topology.stations[i].name, name) == 0)
            return i;
    return -1;
}

static int show(void) {
    const struct topology *topology = &net.topology;
    char text[IP_ADDRESS_TEXT];
    for (int family = 0; family < 2; family++) {
        if (!(family ? topology->ipv6 : topology->ipv4))
            continue;
        for (int i = 0; i < topology->lan_count; i++)
            printf("%s %s %s/%d\n", topology->lans[i].kind, topology->lans[i].name,
                   ip_text(topology_address(i, 0, family), text), family ? 64 : 24);
        for (int i = 0; i < topology->router_count; i++)
            for (int j = 0; j < topology->routers[i].ports.count; j++)
                printf("router %s on %s %s\n", topology->routers[i].name,
                       topology->lans[topology->routers[i].lans[j]].name,
                       ip_text(topology_address(topology->routers[i].lans[j], topology->routers[i].hosts[j],
                                                family),
                               text));
        for (int i = 0; i < topology->station_count; i++) {
            const struct topology_station *station = &topology->stations[i];
            printf("station %s on %s %s", station->name, station->lan,
                   ip_text(topology_address(station->lan_number, station->host, family), text));
            if (station->gateway)
                printf(" by %s",
                       ip_text(topology_address(station->lan_number, station->gateway, family), text));
            printf("\n");
        }
    }
    return 0;
}

/* Programs that serve, first; each listens before any other runs. */
static bool start_servers(void) {
    for (int i = 0; i < net.topology.station_count; i++)
        if (net.topology.stations[i].serve[0] && !net_run_program(&net, i))
            return false;
    for (int i = 0; i < net.topology.station_count && !interrupted; i++) {
        uint64_t until_ns = clock_now() + SERVER_NS;
        const struct topology_station *station = &net.topology.stations[i];
        while (station->serve[0] && station->listen && !net_listens(&net, i)) {
            if (clock_now() > until_ns || interrupted)
                return complain("no server listens at station", station->name), false;
            nanosleep(&(struct timespec){0, 10000000}, NULL);
        }
    }
    return true;
}

/* Until the programs that run have ended. False: one has not, in time. */
static bool run_programs(void) {
    uint64_t until_ns = clock_now() + (uint64_t)net.topology.timeout * SECOND_NS;
    int left = 0;
    for (int i = 0; i < net.topology.station_count; i++)
        if (net.topology.stations[i].run[0] && net_run_program(&net, i)) {
            left++;
        } else if (net.topology.stations[i].run[0]) {
            net.programs[i] = 0;
            net.status[i] = 127; /* it was never started */
        }
    while (left > 0 && !interrupted && clock_now() < until_ns) {
        for (int i = 0; i < net.topology.station_count; i++) {
            int status;
            if (!net.topology.stations[i].run[0] || !net.programs[i] ||
                waitpid(net.programs[i], &status, WNOHANG) != net.programs[i])
                continue;
            net.status[i] = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            net.programs[i] = 0;
            left--;
        }
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    for (int i = 0; left > 0 && i < net.topology.station_count; i++)
        if (net.topology.stations[i].run[0] && net.programs[i]) {
            fprintf(stderr, "barewire: station %s: its program has not ended in %ld s\n",
                    net.topology.stations[i].name, (long)net.topology.timeout);
            net.status[i] = 124; /* as timeout(1) */
        }
    return left == 0;
}

static int run(bool programs) {
    struct sigaction action = {.sa_handler = interrupt};
    if (!name_directory(true))
        return 2;
    int lock = take_lock();
    if (lock < 0)
        return complain("this network runs already:", net.name);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    bool good = net_start(&net);
    if (good && programs)
        good = start_servers() && run_programs();
    else if (good)
        fprintf(stderr, "barewire: network %s runs: barewire net exec FILE STATION PROGRAM\n", net.name);
    while (good && !programs && !interrupted)
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    net_end(&net);
    for (int i = 0; programs && i < net.topology.station_count; i++)
        good &= net_judge(&net, i);
    nftw(net.directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return programs && !good;
}

/* Ends one that runs, and waits for it. */
static int down(void) {
    char path[160], text[16] = "";
    if (!name_directory(false))
        return 2;
    snprintf(path, sizeof path, "%s/pid", net.directory);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 || flock(file, LOCK_EX | LOCK_NB) == 0 || read(file, text, sizeof text - 1) <= 0 ||
        atoi(text) < 2)
        return complain("no such network runs:", net.name);
    kill(atoi(text), SIGTERM);
    return flock(file, LOCK_EX) < 0;
}

static int execute(int count, char **words) {
    int station = count >= 2 ? find_station(words[0]) : -1;
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    if (count < 2)
        return complain("net exec wants a FILE, one of its stations and a program, not",
                        count ? words[0] : "");
    nearest_begin(&near, words[0], strlen(words[0]));
    for (int i = 0; station < 0 && i < net.topology.station_count; i++)
        nearest_try(&near, net.topology.stations[i].name);
    if (station < 0)
        return fprintf(stderr, "barewire: there is no station '%s'; 'barewire net show FILE' lists them%s\n",
                       words[0], nearest_hint(&near, "", hint)),
               2;
    if (!name_directory(false))
        return 2;
    net_become(&net, station, words + 1);
}

/* False after a line for the user, with what may have been meant. */
static bool is_verb(const char *word) {
    static const char *const verbs[] = {"up", "run", "down", "show", "exec"};
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    nearest_begin(&near, word, strlen(word));
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(word, verbs[i]) == 0)
            return true;
        nearest_try(&near, verbs[i]);
    }
    fprintf(stderr, "barewire: net wants up, run, down, show or exec, and a file, not '%s'%s\n", word,
            nearest_hint(&near, "", hint));
    return false;
}

int tool_net(int count, char **words) {
    const char *verb = count ? words[0] : "";
    if (!is_verb(verb))
        return 2;
    if (count < 2)
        return fprintf(stderr, "barewire: net %s wants a file, such as classic.toml\n", verb), 2;
    if (!read_topology(words[1]))
        return 2;
    for (int i = 2; strcmp(verb, "exec") != 0 && i < count; i++) {
        char *end;
        if (strncmp(words[i], "--seed=", 7) != 0 || !words[i][7])
            return complain("net takes --seed=N, not", words[i]);
        net.topology.seed = (int64_t)strtoul(words[i] + 7, &end, 10);
        if (*end)
            return complain("a number is wanted:", words[i]);
    }
    switch (*verb) {
    case 'u':
        return run(false);
    case 'r':
        return run(true);
    case 'd':
        return down();
    case 's':
        return show();
    default:
        return execute(count - 2, words + 2);
    }
}
