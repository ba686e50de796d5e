/* SPDX-License-Identifier: MIT */
/*
 * net_expect.c - see net.h: what a station's program said and did, against what its `expect` lines want:
 *
 *   status N              its exit status (0, if no line says another)
 *   output TEXT           that is in what it wrote
 *   goodput > 10mbit      of its fastest connection, or <: bytes both ways, from SYN to the end
 *   no retransmission     of any of its connections
 */
#include "nic/units.h"
#include "shim/keeper/tools/network/net.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_BYTES 262144

static const struct unit rates[] = {{"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {NULL, 0}};

/* What a file has, up to FILE_BYTES. */
static const char *read_file(const struct net *net, int station, const char *kind, char *text) {
    char path[160];
    net_file(net, station, kind, path);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, FILE_BYTES - 1);
    text[length > 0 ? length : 0] = 0;
    if (file >= 0)
        close(file);
    return text;
}

/* What --verbose has said of a program's connections. */
struct figures {
    unsigned long retransmitted;
    double goodput; /* bits a second */
};

static struct figures figures_in(const char *text) {
    struct figures figures = {0, 0};
    unsigned long sent = 0, received = 0, again;
    double ms;
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *semicolon = strchr(line, ';');
        if (sscanf(line, "barewire:   sent %lu bytes", &sent) == 1) {
            received = 0;
            if (semicolon && sscanf(semicolon, "; %lu retransmitted", &again) == 1)
                figures.retransmitted += again;
        }
        sscanf(line, "barewire:   received %lu bytes", &received);
        if (sscanf(line, "barewire:   close after %lf ms", &ms) == 1 && ms > 0) {
            double goodput = (double)(sent + received) * 8e3 / ms;
            figures.goodput = goodput > figures.goodput ? goodput : figures.goodput;
        }
    }
    return figures;
}

/* Whether a line is so; what is instead goes to `instead`. */
static bool holds(const struct net *net, int station, const char *line, const char *out,
                  struct figures figures, char *instead, size_t room) {
    double rate;
    int status;
    char end;
    if (sscanf(line, "status %d%c", &status, &end) == 1) {
        snprintf(instead, room, "it is %d", net->status[station]);
        return net->status[station] == status;
    }
    if (strncmp(line, "output ", 7) == 0) {
        snprintf(instead, room, "it is not in the output");
        return strstr(out, line + 7) != NULL;
    }
    if (strcmp(line, "no retransmission") == 0) {
        snprintf(instead, room, "there are %lu", figures.retransmitted);
        return figures.retransmitted == 0;
    }
    if (strncmp(line, "goodput ", 8) == 0 && (line[8] == '>' || line[8] == '<') && line[9] == ' ' &&
        units_read(line + 10, rates, 1e12, &rate)) {
        snprintf(instead, room, "it is %.3f mbit", figures.goodput / 1e6);
        return line[8] == '>' ? figures.goodput > rate : figures.goodput > 0 && figures.goodput < rate;
    }
    snprintf(instead, room, "expect knows status N, output TEXT, goodput > 10mbit, and no retransmission");
    return false;
}

static void print_indented(const char *text) {
    for (const char *line = text; *line;) {
        int length = (int)strcspn(line, "\n");
        printf("    %.*s\n", length, line);
        line += length + (line[length] == '\n');
    }
}

bool net_judge(const struct net *net, int station) {
    static char out[FILE_BYTES], err[FILE_BYTES];
    const struct topology_station *own = &net->topology.stations[station];
    char instead[128];
    bool good = true, status = false;
    if (!own->run[0] && !own->serve[0])
        return true;
    read_file(net, station, "out", out);
    struct figures figures = figures_in(read_file(net, station, "err", err));
    if (own->run[0])
        printf("%s: status %d\n", own->name, net->status[station]);
    for (int i = 0; i < own->expect.count; i++) {
        bool held = holds(net, station, own->expect.text[i], out, figures, instead, sizeof instead);
        status |= strncmp(own->expect.text[i], "status", 6) == 0;
        printf("%s: %s: %s%s%s\n", own->name, own->expect.text[i], held ? "yes" : "NO", held ? "" : ", ",
               held ? "" : instead);
        good &= held;
    }
    good &= !own->run[0] || status || net->status[station] == 0;
    if (own->run[0] || !good)
        print_indented(out);
    if (!good)
        print_indented(err);
    return good;
}
