/* SPDX-License-Identifier: MIT */
/*
 * credentials.c - the rights and places that a program gives up: setuid(2) and its kin, capset(2), chroot(2),
 * prctl(2).
 *
 * A server opens its sockets after it has become somebody else as often as before, and the kernel lets it.
 * Who starts a stack then may not open the NIC any more, or does not find the keeper's program. So the stack
 * is started, and this process joins it, before the rights go; if that can't be, the program is told when it
 * opens a socket.
 */
#include "shim/library/calls/credentials.h"
#include "shim/library/calls/call.h"
#include "shim/library/memory.h"
#include "shim/library/process/address_space.h"
#include "shim/region/frames.h"
#include "shim/region/ipc.h"
#include "shim/region/wake.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NET_RAW (1u << CAP_NET_RAW)

struct capabilities {
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
};

/* None where the kernel does not say. */
static struct capabilities own_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct capabilities own = {0};
    LIBC(syscall)(SYS_capget, &header, own.sets);
    return own;
}

static bool permits_net_raw(void) {
    return own_capabilities().sets[0].permitted & NET_RAW;
}

bool credentials_have(int capability) {
    return own_capabilities().sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

static void before_loss(bool loses) {
    if (loses && (attach_config.nic[0] || attach_config.name_given) &&
        (!attached() || address_space_by_caller()))
        attach_early();
}

static void before_user(uid_t to) {
    before_loss(to != 0 && to != (uid_t)-1 && geteuid() == 0);
}

static void before_capset(const struct __user_cap_data_struct *sets) {
    before_loss(sets && permits_net_raw() && !(sets[0].permitted & NET_RAW));
}

/* Whose capability is the keeper's file's can't start it once that does not count any more. */
static void before_prctl(int option, unsigned long argument) {
    if (option == PR_SET_NO_NEW_PRIVS)
        before_loss(config_interface(attach_config.nic) && geteuid() != 0);
    else if (option == PR_CAPBSET_DROP)
        before_loss(argument == CAP_NET_RAW && permits_net_raw());
}

/* Who has given up the right to open the NIC for good reaches it through the keeper alone. */
static int leave_nic(int result) {
    if (result < 0 || !frames_nic || permits_net_raw() || address_space_by_caller())
        return result;
    struct nic *nic = frames_leave_nic();
    if (nic)
        descriptor_close_private(nic->descriptor);
    return result;
}

EXPORT int setuid(uid_t user) {
    before_user(user);
    return leave_nic(LIBC(setuid)(user));
}

EXPORT int seteuid(uid_t user) {
    before_user(user);
    return leave_nic(LIBC(seteuid)(user));
}

EXPORT int setreuid(uid_t real, uid_t effective) {
    before_user(effective);
    return leave_nic(LIBC(setreuid)(real, effective));
}

EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved) {
    before_user(effective);
    return leave_nic(LIBC(setresuid)(real, effective, saved));
}

EXPORT int setfsuid(uid_t user) {
    before_user(user);
    return LIBC(setfsuid)(user);
}

EXPORT int capset(cap_user_header_t header, const cap_user_data_t sets) {
    before_capset(sets);
    return leave_nic((int)LIBC(syscall)(SYS_capset, header, sets));
}

EXPORT int chroot(const char *path) {
    before_loss(true);
    return LIBC(chroot)(path);
}

void user_before_prctl(int option, unsigned long argument) {
    before_prctl(option, argument);
}

/* The system calls themselves change one thread alone, which may change it back: the process keeps its NIC.
 */
void user_before_syscall(long number, const long arguments[6]) {
    switch (number) {
    case SYS_setuid:
    case SYS_setfsuid:
        before_user((uid_t)arguments[0]);
        break;
    case SYS_setreuid:
    case SYS_setresuid:
        before_user((uid_t)arguments[1]);
        break;
    case SYS_capset:
        before_capset((const struct __user_cap_data_struct *)arguments[1]);
        break;
    case SYS_chroot:
    case SYS_pivot_root:
        before_loss(true);
        break;
    case SYS_prctl:
        before_prctl((int)arguments[0], (unsigned long)arguments[1]);
        break;
    default:
        break;
    }
}
