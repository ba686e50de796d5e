/* SPDX-License-Identifier: MIT */
/*
 * help.c - see help.h. Lines are of 80 columns at most; the short text fits one screen. The options are also in
 * scripts/barewire.1 and in the shells' completions, which a test compares.
 */
#include "shim/command/help.h"
#include "nic/nearest.h"
#include "shim/command/fail.h"
#include "stack/sysctl.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "0.1"

static const char text_short[] =
    "Usage: barewire [OPTIONS] [--] PROGRAM [ARG...]\n"
    "       barewire [OPTIONS] COMMAND [ARG...]    'barewire COMMAND --help' has more\n"
    "\n"
    "Runs an unmodified program on a TCP/IP stack of its own:\n"
    "  barewire curl https://example.org/             no rights needed: by passt(1)\n"
    "  barewire -i eth0 -a 10.77.0.10/24 nginx        on an address of its own\n"
    "  barewire --impair loss=2%,delay=50ms curl ...  on a bad network\n"
    "  barewire --pcap f.pcapng curl ... && barewire report f.pcapng -o f.html\n"
    "\n"
    "  -i, --nic KIND[:ARG]     passt (the default), IF, tap:IF, vde:URL, lan:PATH\n"
    "  -a, --address ADDRESS/N  its own, of IPv4 or IPv6 (default: DHCP, routers)\n"
    "  -g, --gateway ADDRESS    the router for everything beyond\n"
    "      --publish PORT[:PORT]    passt: a port of this host that leads here\n"
    "      --impair ITEM[,...]  a bad network: loss=1%, delay=20ms, rate=10mbit ...\n"
    "      --name NAME          the stack's name, to join it, or to have one beside\n"
    "  -v, --verbose            what each connection did, or why it failed\n"
    "      --trace[=call,tcp]   calls and events, a line each\n"
    "      --pcap FILE          all frames, for wireshark(1) and barewire report\n"
    "  -P, --profile PROFILE    options from ~/.config/barewire.conf\n"
    "  -h, --help               this text; 'barewire --help all' has the rest\n"
    "\n"
    "Commands: report (what is wrong with connections), replay (of a --record), ls,\n"
    "ss, stats, down (of stacks that run), lan, router, net (networks in software),\n"
    "lab (namespaces to try it in), doctor (what works on this machine), version\n";

static const char text_all[] =
    "Usage: barewire [OPTIONS] [--] PROGRAM [ARG...]\n"
    "       barewire [OPTIONS] COMMAND [ARG...]    'barewire COMMAND --help' has more\n"
    "\n"
    "Runs an unmodified program on a TCP/IP stack of its own.\n"
    "\n"
    "  barewire curl https://example.org/             no rights needed: by passt(1)\n"
    "  barewire -i eth0 -a 10.77.0.10/24 nginx        on an address of its own\n"
    "  barewire --impair loss=2%,delay=50ms curl ...  on a bad network\n"
    "  barewire --pcap f.pcapng curl ... && barewire report f.pcapng -o f.html\n"
    "\n"
    "Network\n"
    "  -i, --nic KIND[:ARG]   passt (the default); packet:IF or just IF, an\n"
    "                         interface; pcap:IF, by libpcap; tap:IF; vde:URL;\n"
    "                         lan:PATH\n"
    "  -a, --address ADDRESS/N|dhcp|auto  the stack's own, such as 10.77.0.10/24\n"
    "                         or 2001:db8::10/64: up to four of IPv4 and of IPv6;\n"
    "                         more than once (default: both dhcp and auto)\n"
    "  -g, --gateway ADDRESS  the router for everything beyond, of IPv4 or of IPv6;\n"
    "                         one of each family\n"
    "      --no-ipv6          IPv4 alone\n"
    "      --dns ADDRESS[,...]        name servers, of IPv4 or of IPv6 (default:\n"
    "                         DHCP's, resolv.conf's)\n"
    "      --mac MAC|nic      its Ethernet address; nic: the interface's own\n"
    "      --mtu N            the largest packet to send\n"
    "      --publish PORT[:PORT][,...]    passt: ports of this host that lead here\n"
    "      --loopback kernel|stack    whose 127.0.0.0/8 is (default: kernel)\n"
    "      --name NAME        the stack's name, to join it, or to have one beside\n"
    "      --sysctl NAME=VALUE        a tunable, such as\n"
    "                         net.ipv4.tcp_congestion_control=reno: 'barewire\n"
    "                         help sysctl' lists them\n"
    "      --spin USEC        a thread that waits looks so long before it sleeps\n"
    "A bad network\n"
    "      --impair ITEM[,...]        loss=1%  delay=20ms  jitter=5ms  rate=100mbit\n"
    "                         queue=50ms  burst=3  duplicate=0.1%  reorder=1%\n"
    "                         corrupt=0.01%  seed=7; tx:loss=1% or rx:... one way\n"
    "Watching\n"
    "  -v, --verbose          what each connection did, or why it failed\n"
    "      --trace[=call,tcp,ip,arp,frame]   calls and events, a line each\n"
    "  -o, --output FILE      ... to the end of FILE\n"
    "      --pcap FILE        all frames, for wireshark(1) and barewire report\n"
    "      --record FILE      all that the stack is called with, for barewire replay\n"
    "The rest\n"
    "  -P, --profile PROFILE  options from ~/.config/barewire.conf: see barewire(1)\n"
    "      --strict           start nothing that can't be taken over\n"
    "      --explain          don't run PROGRAM: say by which doors its system calls\n"
    "                         go, and whether all are held (see doctor)\n"
    "      --io-uring KIND    what a program gets: none (the default), files, kernel\n"
    "  -h, --help [all]       the most used ones; all: this text\n"
    "      --version          the version\n"
    "\n"
    "Commands\n"
    "  ls                       the stacks that run, and who is on them\n"
    "  ss [-tulaimpHnw46] [--json]    sockets of a stack, as ss(8) shows the kernel's\n"
    "  stats [--json] [--lock [SECONDS]]    its counters, as nstat(8) shows them; or\n"
    "                           how long its lock is held and waited for\n"
    "  down                     ends it\n"
    "  report FILE|--live [SECONDS] [--text] [-o FILE]    what is wrong with each\n"
    "                           connection, and whose it is\n"
    "  lan PATH --hub|--switch [--rate R] [--delay T] [--ber P] [--outage T/T]\n"
    "         [--seed N]\n"
    "                           a LAN in software\n"
    "  router NIC=ADDRESS/N[,...] ... [--route P/N=HOP] [--nat NIC [--map MAP]]\n"
    "         [--name NAME] [--seed N], router --show [NAME]    a router between LANs\n"
    "  net up|run|down|show|exec FILE [...]   a network in a file, and its programs\n"
    "  lab                      two network namespaces, to try it in\n"
    "  replay FILE [--until N|TIME] [--break NAME] [--calls] [--quiet]\n"
    "         [--interactive]    does again what --record FILE has kept\n"
    "  doctor [[--json] PROGRAM]      what works on this machine; whether all system\n"
    "                           calls of a program can be taken over\n";

static const struct {
    const char *command, *text;
} texts[] = {
    {"ss", "Usage: barewire ss [-tulaimpHnw46] [--json] [--name NAME]\n"
           "\n"
           "Shows the sockets of a stack that runs, in the columns of ss(8).\n"
           "\n"
           "  -t, -u     TCP alone, UDP alone         -i   what TCP knows of each connection\n"
           "  -l         listening ones alone         -m   memory\n"
           "  -a         all                          -p   the programs that hold them\n"
           "  -H         no header                    -n   numbers (always so)\n"
           "  -w         their progress, until ^C     -4, -6   IPv4's alone, IPv6's alone\n"
           "  --json     everything, as JSON\n"
           "  --name     of that stack (default: the only one there is; see barewire ls)\n"
           "\n"
           "  barewire ss -tip\n"},
    {"stats", "Usage: barewire stats [--json] [--name NAME]\n"
              "       barewire stats --lock [SECONDS] [--json] [--name NAME]\n"
              "\n"
              "Shows a stack's counters by Linux's names, as nstat(8) does; and what --impair\n"
              "did (ImpairTxLost ...).\n"
              "\n"
              "  --lock     measures for a second, or so many, how long each function of the\n"
              "             library and the keeper holds the stack's lock, and waits for it\n"
              "\n"
              "  barewire stats --lock 10\n"},
    {"ls", "Usage: barewire ls\n"
           "\n"
           "Lists this user's stacks that run: name, address, the process that keeps it,\n"
           "sockets, and the programs on it. (With arguments it is ls(1).)\n"},
    {"down", "Usage: barewire down [--name NAME]\n"
             "\n"
             "Ends a stack and every connection on it (default: the only one there is).\n"},
    {"report", "Usage: barewire report FILE [--text] [-o FILE]\n"
               "       barewire report --live [SECONDS] [--name NAME] [--text] [-o FILE]\n"
               "\n"
               "Follows the connections of a capture (pcapng or pcap; -: standard input), or of\n"
               "a stack that runs, and says what is wrong with each, and whose it is.\n"
               "\n"
               "  --text     for a terminal; otherwise a page of HTML\n"
               "  -o FILE    write it there; with --live anew every two seconds, and\n"
               "             the page reads itself again\n"
               "\n"
               "  barewire --pcap seen.pcapng curl -O http://host/file\n"
               "  barewire report seen.pcapng -o report.html\n"},
    {"replay", "Usage: barewire replay FILE [--until N|TIME] [--break NAME] [--calls] [--quiet]\n"
               "                       [--interactive]\n"
               "\n"
               "Does again, call by call, what a recording (--record FILE) says was done with a\n"
               "stack, and tells what the stack did. Status 0: the same frames left; 1: others\n"
               "did, which is told with the place; 2: it can't be replayed.\n"
               "\n"
               "  --until N|TIME  stops after the N-th call, or at a time such as 1.5s or 20ms\n"
               "  --break NAME    stops before the call in which that happens: tcp_retransmit, a\n"
               "                  call (socket_send), a counter (TcpRetransSegs), or words of an\n"
               "                  event's line; with SIGTRAP, under a debugger\n"
               "  --calls         tells of each call, too\n"
               "  --quiet         tells of nothing but the end\n"
               "  --interactive   steps: next [N], back [N], until N|TIME, break NAME, quit\n"
               "\n"
               "  barewire --record seen.rec curl -O http://host/file\n"
               "  barewire replay seen.rec --break tcp_retransmit\n"},
    {"doctor", "Usage: barewire doctor\n"
               "       barewire doctor [--json] PROGRAM      as barewire --explain PROGRAM\n"
               "\n"
               "Tries which kinds of NIC work on this machine for this user, and says what to do\n"
               "for the others. Or says by which doors a program's system calls go, without\n"
               "running it, and whether all that concern a socket are taken over: status 0 if\n"
               "so, 1 if not.\n"
               "\n"
               "  --json     the same as JSON\n"},
    {"lan", "Usage: barewire lan PATH --hub|--switch [--rate R] [--delay T] [--ber P]\n"
            "                         [--outage T/T] [--seed N]\n"
            "       barewire lan PATH\n"
            "\n"
            "Runs a LAN in software that stacks join by --nic lan:PATH, until ^C; or shows\n"
            "the ports of one that runs.\n"
            "\n"
            "  --hub        a shared medium: carrier sense, collisions, backoff\n"
            "  --switch     learning, ageing, flooding\n"
            "  --rate 10mbit  --delay 1ms  --ber 1e-6     its line\n"
            "  --outage 1s/10s    nothing is carried in the last second of each ten\n"
            "  --seed N           chance (bit errors, backoff) repeats from it\n"},
    {"router", "Usage: barewire router NIC=ADDRESS/N[,...][,ITEM...] ... [--route P/N=HOP ...]\n"
               "                       [--nat NIC [--map tcp/PORT=ADDRESS:PORT ...]]\n"
               "                       [--name NAME] [--seed N]\n"
               "       barewire router --show [NAME]\n"
               "\n"
               "Runs a router of IPv4 and IPv6 between LANs in software, or any NICs, until ^C;\n"
               "or shows the table, the neighbours, the queues and the drops of one that runs.\n"
               "\n"
               "  A port's items:\n"
               "  rate=10mbit  queue=100ms|50    its line, and what may wait for it\n"
               "  aqm=drop-tail|codel|red  ecn   how the queue is managed; marks, not drops\n"
               "  mtu=1400  black-hole           the longest packet; nothing said of others\n"
               "  no-ra                          no Router Advertisements\n"
               "  delay=20ms  loss=1%  jitter= burst= duplicate= reorder= corrupt=   as --impair\n"
               "\n"
               "  --route    more routes than those of the ports' own networks\n"
               "  --nat      translates what leaves by that port, to its address\n"
               "  --map      a port of that address that leads inside\n"
               "  --seed N   chance repeats from it\n"
               "\n"
               "  barewire lan /tmp/a --switch & barewire lan /tmp/b --switch &\n"
               "  barewire router lan:/tmp/a=10.1.0.1/24 lan:/tmp/b=10.2.0.1/24,rate=10mbit &\n"
               "  barewire -i lan:/tmp/a -a 10.1.0.2/24 -g 10.1.0.1 ping 10.2.0.1\n"},
    {"net", "Usage: barewire net run FILE [--seed=N]\n"
            "       barewire net up|down|show FILE\n"
            "       barewire net exec FILE STATION PROGRAM [ARG...]\n"
            "\n"
            "Runs a network that a file describes (barewire(1), TOPOLOGIES), without rights:\n"
            "its LANs and routers, and its programs, each at a station of its own, until\n"
            "they have ended. Status 0: all did as the file expects.\n"
            "\n"
            "  up         without its programs, until ^C or down\n"
            "  exec       a program at a station of one that is up\n"
            "  show       who has which address\n"},
    {"lab", "Usage: barewire lab up|status|down\n"
            "       barewire lab run|far PROGRAM [ARG...]\n"
            "\n"
            "Makes two network namespaces that a cable joins: bw0 on the near side, for\n"
            "barewire; the kernel's own stack with nginx at 10.77.0.2:8080 on the far side.\n"
            "\n"
            "  barewire lab up\n"
            "  barewire lab run barewire -i bw0 -a 10.77.0.9/24 curl 10.77.0.2:8080/1K\n"
            "  barewire lab far tcpdump -n -i bw1\n"},
};

static _Noreturn void show(const char *text) {
    if (fputs(text, stdout) < 0 || fflush(stdout) < 0 || ferror(stdout))
        fail_with(1, "can't write to standard output");
    exit(0);
}

void help_show(enum help much) {
    show(much == HELP_ALL ? text_all : text_short);
}

void help_version(void) {
    show("barewire " VERSION "\n");
}

/* The tunables of --sysctl, with the values that they have by themselves, as sysctl(8) shows them. */
static _Noreturn void show_tunables(void) {
    struct sysctl defaults;
    char value[SYSCTL_TEXT_BYTES];
    sysctl_init(&defaults);
    for (size_t i = 0; sysctl_name(i); i++) {
        const char *name = sysctl_name(i);
        bool of_memory = strstr(name, "_mem") && !strstr(name, "_mem_"); /* tcp_mem and udp_mem: pressure.h */
        sysctl_get(&defaults, name, value);
        printf("%s = %s\n", name, of_memory ? "(parts of the stack's memory)" : value);
    }
    show("");
}

void help_of_command(const char *name) {
    if (strcmp(name, "sysctl") == 0)
        show_tunables();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].command, name) == 0)
            show(texts[i].text);
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    nearest_begin(&near, name, strlen(name));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        nearest_try(&near, texts[i].command);
    nearest_try(&near, "sysctl");
    nearest_hint(&near, "", hint);
    fail("no help about '%s'%s", name, *hint ? hint : "; 'barewire help' has all commands");
}
