/* SPDX-License-Identifier: MIT */
/*
 * privileges.c - see privileges.h.
 *
 * Theory of operation. To open a packet socket takes CAP_NET_RAW. Root has it; a plain user's keeper may have
 * it from its file, as the package installs it for a group. Such a borrowed right is as small as can be: the
 * environment is cleaned, the socket is opened before anything but its interface's name is read, and all
 * rights are gone before a byte of the configuration, a capture file's path or a plug-in counts. What then is
 * sent in other hosts' names a guard stops (guard.h), since the user can write to the memory that frames come
 * from.
 *
 * Later the keeper needs no more than its descriptors, /proc and its directory, so a filter (seccomp(2))
 * refuses it all else.
 */
#include "shim/keeper/privileges.h"
#include "nic/guard.h"
#include "shim/region/ipc.h"
#include <arpa/inet.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

bool rights_borrowed(void) {
    return getauxval(AT_SECURE) != 0;
}

static void drop_capabilities(void) {
    capng_clear(CAPNG_SELECT_BOTH);
    capng_apply(CAPNG_SELECT_BOTH);
}

void rights_drop(void) {
    drop_capabilities();
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* The loader has taken out what it knows itself; libraries read other variables (VDEPLUGIN_PATH names code).
 */
static void clean_environment(void) {
    char **to = environ;
    for (char **from = environ; from && *from; from++)
        if (strncmp(*from, "BAREWIRE_", 9) == 0 || strncmp(*from, "XDG_RUNTIME_DIR=", 16) == 0)
            *to++ = *from;
    if (to)
        *to = NULL;
}

void rights_begin(enum job job) {
    if (rights_borrowed())
        clean_environment();
    if (job == JOB_TOOL || (job == JOB_LAN && rights_borrowed()))
        drop_capabilities(); /* without no_new_privs: a tool says what exec would do for this user (elf.c) */
}

bool rights_group_has(void) {
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = 0;
    const char *slash = strrchr(self, '/');
    return slash && strcmp(slash, "/barewire-plain") == 0;
}

struct nic *rights_open_nic(const char *nic, char *error) {
    bool raw = config_interface(nic);
    if (rights_borrowed() && !raw)
        rights_drop();
    struct nic *opened = nic_open(nic, error);
    if (!opened && raw && rights_group_has() && geteuid() != 0 && strstr(error, "no permission"))
        snprintf(error, NIC_ERROR_BYTES,
                 "no permission to open interface '%s': that is for root and for group barewire ('adduser "
                 "YOU barewire')",
                 config_interface(nic));
    if (rights_borrowed() && raw)
        rights_drop();
    if (opened && rights_borrowed() && raw && !(opened = nic_guard(opened)))
        snprintf(error, NIC_ERROR_BYTES, "out of memory");
    return opened;
}

static bool refuse(char *error, const char *format, const char *value) {
    snprintf(error, CONFIG_ERROR_BYTES, format, value);
    return false;
}

static bool names4(const struct config *config, const struct sockaddr *own) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)own;
    for (uint32_t i = 0; config->address && i <= config->more_count; i++)
        if (htonl(config_address4(config, i).address) == in->sin_addr.s_addr)
            return true;
    return false;
}

static bool names6(const struct config *config, const struct sockaddr *own) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)own;
    for (int i = 0; i < config->count6; i++)
        if (memcmp(config->addresses6[i].address.bytes, &in6->sin6_addr, 16) == 0)
            return true;
    return false;
}

/* The interface that has a MAC address, or one of the addresses that are asked for; or NULL. */
static const char *interface_with(const struct ifaddrs *list, const uint8_t mac[6],
                                  const struct config *config) {
    for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
        const struct sockaddr *own = at->ifa_addr;
        const struct sockaddr_ll *link = (const struct sockaddr_ll *)own;
        if (own && own->sa_family == AF_PACKET && link->sll_halen == 6 && memcmp(link->sll_addr, mac, 6) == 0)
            return at->ifa_name;
        if (own && own->sa_family == AF_INET && names4(config, own))
            return at->ifa_name;
        if (own && own->sa_family == AF_INET6 && names6(config, own))
            return at->ifa_name;
    }
    return NULL;
}

bool rights_allow(const struct config *config, const uint8_t mac[6], char *error) {
    struct ifaddrs *list = NULL;
    if (!rights_borrowed() || !config_interface(config->nic))
        return true;
    if (config->mac_of_nic)
        return refuse(error, "--mac nic is for root, since it lets in what comes for this host%s", "");
    if (!(mac[0] & 2))
        return refuse(
            error,
            "--mac is for root unless it is a locally administered address, such as 02:00:00:00:00:01%s", "");
    if (getifaddrs(&list) < 0)
        return refuse(error, "can't look at this host's addresses: %s", strerror(errno));
    const char *taken = interface_with(list, mac, config);
    if (taken)
        refuse(error, "that address is %s's, this host's own; choose another", taken);
    freeifaddrs(list);
    return !taken;
}

/* By an ioctl, since getifaddrs(3) binds a socket, which a confined keeper can't. */
static bool host_has(uint32_t address) {
    struct ifreq found[256];
    struct ifconf all = {.ifc_len = sizeof found, .ifc_req = found};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has = fd < 0 || ioctl(fd, SIOCGIFCONF, &all) < 0 || all.ifc_len == sizeof found;
    for (int i = 0; !has && i < all.ifc_len / (int)sizeof *found; i++)
        has = ((const struct sockaddr_in *)&found[i].ifr_addr)->sin_addr.s_addr == htonl(address);
    if (fd >= 0)
        close(fd);
    return has;
}

uint32_t rights_own(uint32_t address) {
    static uint32_t asked, answer;
    if (address != asked)
        answer = rights_borrowed() && host_has(address) ? 0 : address;
    asked = address;
    return answer;
}

bool rights_own6(const uint8_t address[16]) {
    char line[200], text[33];
    FILE *all = fopen("/proc/self/net/if_inet6", "re"); /* none: the host has no IPv6 */
    bool has = !all && errno != ENOENT;
    for (int i = 0; i < 16; i++)
        sprintf(text + 2 * i, "%02x", address[i]);
    while (all && !has && fgets(line, sizeof line, all))
        has = strncmp(line, text, 32) == 0;
    if (all)
        fclose(all);
    return !has;
}

#if defined __x86_64__
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* What the keeper does not do once it runs: new programs and processes, other processes' memory and
 * descriptors, names and settings of sockets (a packet socket can be bound to another interface), and changes
 * to files. */
static const int REFUSED[] = {
    SYS_execve,
    SYS_execveat,
    SYS_clone,
    SYS_clone3,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_bind,
    SYS_connect,
    SYS_setsockopt,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_kexec_load,
    SYS_open_by_handle_at,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_openat2,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_renameat2,
    SYS_mknodat,
    SYS_mkdirat,
    SYS_truncate,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
#ifdef SYS_open
    SYS_open,
    SYS_creat,
    SYS_fork,
    SYS_vfork,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_link,
    SYS_symlink,
    SYS_rename,
    SYS_renameat,
    SYS_mknod,
    SYS_mkdir,
#endif
};
#define REFUSED_COUNT (sizeof REFUSED / sizeof *REFUSED)
#define WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))

void rights_confine(void) {
    struct sock_filter filter[REFUSED_COUNT + 16];
    size_t at = 0;
    filter[at++] = (struct sock_filter)LOAD(arch);
    filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCHITECTURE, 1, 0);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    filter[at++] = (struct sock_filter)LOAD(nr);
#ifdef __X32_SYSCALL_BIT
    filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, __X32_SYSCALL_BIT, 0, 1);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
#endif
    for (size_t i = 0; i < REFUSED_COUNT; i++)
        filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)REFUSED[i],
                                                    (unsigned char)(REFUSED_COUNT - i + 2), 0);
    filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3);
    filter[at++] = (struct sock_filter)LOAD(args[2]);
    filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, WRITES, 0, 1);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {(unsigned short)at, filter};
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
}
