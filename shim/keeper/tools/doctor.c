/* SPDX-License-Identifier: MIT */
/*
 * doctor.c - `barewire doctor`: what this machine allows, which kinds of NIC work here, and what to do
 * for the others. It tries rather than guesses: this is the very program that opens the NIC.
 */
#include "nic/nic.h"
#include "shim/keeper/privileges.h"
#include "shim/keeper/tools/tool.h"
#include "shim/region/config.h"
#include "shim/region/elf.h"
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASST_TRIAL_MS 1000

static bool may_open_packets(void) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool find_program(const char *name) {
    const char *path = getenv("PATH");
    char copy[4096], file[PATH_MAX], *rest = copy, *folder;
    snprintf(copy, sizeof copy, "%s", path ? path : "/usr/bin:/bin");
    while ((folder = strsep(&rest, ":")))
        if (snprintf(file, sizeof file, "%s/%s", folder, name) < (int)sizeof file && access(file, X_OK) == 0)
            return true;
    return false;
}

/* Starts passt for a moment: it ends at once where it can't do its work. `why`: NIC_ERROR_BYTES. */
static bool try_passt(char *why) {
    uint8_t frame[2048];
    struct iovec piece = {frame, sizeof frame};
    struct nic_frame received = {.pieces = &piece, .piece_count = 1};
    struct nic *nic;
    if (!find_program("passt")) {
        snprintf(why, NIC_ERROR_BYTES, "'apt install passt'");
        return false;
    }
    if (!(nic = nic_open("passt", why)))
        return false;
    struct pollfd answer = {.fd = nic->descriptor, .events = POLLIN};
    bool ended = poll(&answer, 1, PASST_TRIAL_MS) > 0 && nic_receive(nic, &received, 1) < 0;
    if (ended)
        snprintf(why, NIC_ERROR_BYTES, "%s", nic->trouble ? nic->trouble : "passt has ended");
    nic_close(nic);
    return !ended;
}

static bool has_user_namespaces(void) {
    int status = 1;
    pid_t child = fork();
    if (child == 0)
        _exit(unshare(CLONE_NEWUSER) < 0);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void row(const char *what, bool works, const char *good, const char *bad) {
    printf("  %-12s %s%s\n", what, works ? "works" : "no: ", works ? good : bad);
}

static bool ask_ethtool(int probe, const char *interface, uint32_t command) {
    struct ethtool_value value = {.cmd = command};
    struct ifreq request = {.ifr_data = (char *)&value};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
    return ioctl(probe, SIOCETHTOOL, &request) == 0 && value.data;
}

static void tell_interface(int probe, const char *name) {
    static const struct {
        const char *name;
        uint32_t command;
    } offloads[] = {{"tx", ETHTOOL_GTXCSUM},
                    {"rx", ETHTOOL_GRXCSUM},
                    {"tso", ETHTOOL_GTSO},
                    {"gso", ETHTOOL_GGSO},
                    {"gro", ETHTOOL_GGRO}};
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    bool up = ioctl(probe, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_UP;
    int mtu = ioctl(probe, SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
    printf("  %-12s %s, MTU %d, offloads:", name, up ? "up" : "down", mtu);
    bool any = false;
    for (size_t i = 0; i < sizeof offloads / sizeof *offloads; i++)
        if (ask_ethtool(probe, name, offloads[i].command)) {
            printf(" %s", offloads[i].name);
            any = true;
        }
    printf("%s\n", any ? "" : " none");
}

/* Ethernet interfaces. Returns how many. */
static int tell_interfaces(void) {
    struct if_nameindex *list = if_nameindex();
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), count = 0;
    for (struct if_nameindex *at = list; at && at->if_index; at++) {
        struct ifreq request = {0};
        snprintf(request.ifr_name, sizeof request.ifr_name, "%s", at->if_name);
        bool ethernet = ioctl(probe, SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == 1;
        if (!ethernet)
            continue;
        if (count++ == 0)
            printf("\nInterfaces for packet: and pcap:\n");
        tell_interface(probe, at->if_name);
    }
    if (list)
        if_freenameindex(list);
    if (probe >= 0)
        close(probe);
    return count;
}

/* Whether a page of libc's text may be written to in memory, as a stricter SELinux (execmod) forbids. */
bool doctor_may_change_text(void) {
    void *page = (void *)((uintptr_t)gnu_get_libc_version & ~4095ul);
    bool may = mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0;
    mprotect(page, 4096, PROT_READ | PROT_EXEC);
    return may;
}

static void tell_kernel(void) {
    struct utsname system;
    char directory[108];
    uname(&system);
    printf("\nThe rest\n");
    printf("  %-12s %s %s\n", "kernel", system.sysname, system.release);
    bool waitv = syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) < 0 && errno != ENOSYS;
    row("futex_waitv", waitv, "",
        "before 5.16 a program that waits hears of the keeper's death by its next call only");
    row("instructions", program_calls_can_be_taken(),
        " of a program's own that make system calls are taken over: static programs, Go, rustix",
        "this kernel has no Syscall User Dispatch, or forbids it (kernel.syscall_user_dispatch): sockets of "
        "Go and static programs are the kernel's");
    row("libc's text", doctor_may_change_text(),
        ": what plug-ins and libc itself ask of libc (RTLD_DEEPBIND, stdio) is taken over",
        "it may not be changed in memory: only calls by name are taken over");
    row("user spaces", has_user_namespaces(), ": a lab of one's own (barewire lab), without root",
        "user namespaces are not allowed here: barewire lab wants root then");
    bool found = config_find_directory(directory);
    printf("  %-12s %s\n", "doors", found ? directory : "none yet: made with the first stack");
}

int tool_doctor(const char *self) {
    bool packets = may_open_packets();
    if (rights_borrowed())
        rights_drop(); /* that was what they were for */
    const struct passwd *user = getpwuid(geteuid());
    char hint[PATH_MAX + 80], path[PATH_MAX], why[NIC_ERROR_BYTES];
    bool passt = try_passt(why);
    bool tun = access("/dev/net/tun", R_OK | W_OK) == 0;
    bool admin = capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
    if (!realpath(self, path))
        snprintf(path, sizeof path, "barewire-keeper");
    printf("barewire here, for user %s\n\nKinds of NIC (--nic)\n", user ? user->pw_name : "(without a name)");
    row("passt", passt, ": no rights needed; what is taken when no NIC is named", why);
    snprintf(hint, sizeof hint, "run as root, or once: sudo setcap cap_net_raw+ep %s", path);
    if (rights_group_has())
        snprintf(hint, sizeof hint, "run as root, or once: sudo adduser YOU barewire, and log in again");
    row("packet:IF", packets, ": on the wire, the fastest", hint);
    row("pcap:IF", packets, ": on the wire, through libpcap", hint);
    row("tap:IF", tun,
        admin
            ? ", also a new one"
            : " with one that was made for this user: sudo ip tuntap add dev IF mode tap vnet_hdr user NAME",
        "there is no /dev/net/tun, or it may not be opened");
    row("vde:URL", true,
        find_program("vde_switch") ? ", and vde_switch is there"
                                   : " with any VDE; 'apt install vde-switch' has a switch",
        "");
    row("lan:PATH", true, ": a hub or a switch in software, which 'barewire lan PATH' runs", "");
    if (tell_interfaces() == 0)
        printf("\nNo Ethernet interface is here: passt, tap:, vde: and lan: need none.\n");
    tell_kernel();
    return passt || packets || tun ? 0 : 1;
}
