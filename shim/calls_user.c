/*
 * calls_user.c - setuid(2) and its kin. A server opens its sockets after it has become somebody else as often
 * as before; who starts a stack then may not open the NIC any more. So the stack is started before the rights
 * go.
 */
#include "call.h"
#include "frames.h"
#include "wake.h"
#include <unistd.h>

static void keep_rights(uid_t to) {
    if (attached() || !attach_config.nic[0] || geteuid() != 0 || to == 0 || to == (uid_t)-1)
        return;
    call_join();
}

/* Who is no longer root reaches the NIC through the keeper alone. */
static int leave_nic(int result) {
    if (result < 0 || !frames_nic || geteuid() == 0)
        return result;
    shared_lock();
    struct nic *nic = frames_nic;
    bool in_use = shared->sending.owner == wake_self;
    frames_nic = NULL;
    wake_self->receives = false;
    shared_unlock();
    if (nic && !in_use)
        descriptor_close_private(nic->descriptor);
    return result;
}

EXPORT int setuid(uid_t user) {
    keep_rights(user);
    return leave_nic(LIBC(setuid)(user));
}

EXPORT int setreuid(uid_t real, uid_t effective) {
    keep_rights(effective);
    return leave_nic(LIBC(setreuid)(real, effective));
}

EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved) {
    keep_rights(saved != (uid_t)-1 ? effective : (uid_t)-1);
    return leave_nic(LIBC(setresuid)(real, effective, saved));
}
