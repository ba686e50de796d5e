/* SPDX-License-Identifier: MIT */
/*
 * preloaded.c - see preloaded.h.
 *
 * The next library calls libc's function in the end, whose instruction leads to us (syscall_sites.h): without
 * a mark it would go round in a circle.
 */
#include "shim/library/process/preloaded.h"
#include "shim/region/libc.h"
#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

__thread bool preloaded_passing __attribute__((tls_model("initial-exec")));

/* name, what it returns, its parameters, its arguments */
#define PASSED(CALL)                                                                                       \
    CALL(read, ssize_t, (int fd, void *b, size_t n), (fd, b, n))                                           \
    CALL(write, ssize_t, (int fd, const void *b, size_t n), (fd, b, n))                                    \
    CALL(readv, ssize_t, (int fd, const struct iovec *v, int n), (fd, v, n))                               \
    CALL(writev, ssize_t, (int fd, const struct iovec *v, int n), (fd, v, n))                              \
    CALL(send, ssize_t, (int fd, const void *b, size_t n, int f), (fd, b, n, f))                           \
    CALL(recv, ssize_t, (int fd, void *b, size_t n, int f), (fd, b, n, f))                                 \
    CALL(sendto, ssize_t, (int fd, const void *b, size_t n, int f, const struct sockaddr *a, socklen_t l), \
         (fd, b, n, f, a, l))                                                                              \
    CALL(recvfrom, ssize_t, (int fd, void *b, size_t n, int f, struct sockaddr *a, socklen_t *l),          \
         (fd, b, n, f, a, l))                                                                              \
    CALL(sendmsg, ssize_t, (int fd, const struct msghdr *m, int f), (fd, m, f))                            \
    CALL(recvmsg, ssize_t, (int fd, struct msghdr *m, int f), (fd, m, f))                                  \
    CALL(connect, int, (int fd, const struct sockaddr *a, socklen_t l), (fd, a, l))                        \
    CALL(close, int, (int fd), (fd))                                                                       \
    CALL(poll, int, (struct pollfd * p, nfds_t n, int t), (p, n, t))                                       \
    CALL(ppoll, int, (struct pollfd * p, nfds_t n, const struct timespec *t, const sigset_t *m),           \
         (p, n, t, m))                                                                                     \
    CALL(select, int, (int n, fd_set *i, fd_set *o, fd_set *e, struct timeval *t), (n, i, o, e, t))        \
    CALL(pselect, int,                                                                                     \
         (int n, fd_set *i, fd_set *o, fd_set *e, const struct timespec *t, const sigset_t *m),            \
         (n, i, o, e, t, m))                                                                               \
    CALL(epoll_pwait, int, (int p, struct epoll_event *e, int n, int t, const sigset_t *m), (p, e, n, t, m))

#define NEXT_FUNCTION(name, type, parameters, arguments) \
    static type(*next_##name) parameters;                \
    static type pass_##name parameters {                 \
        preloaded_passing = true;                        \
        type result = next_##name arguments;             \
        preloaded_passing = false;                       \
        return result;                                   \
    }
PASSED(NEXT_FUNCTION)

static bool is_sanitizer(const char *name) {
    return strstr(name, "san.so");
}

static int look_for_sanitizer(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    return *(bool *)context = is_sanitizer(object->dlpi_name);
}

/* Whether there may be one: LD_PRELOAD has more than one name, or a sanitizer's runtime is there. */
static bool may_have_others(void) {
    const char *preload = getenv("LD_PRELOAD");
    bool sanitizer = false;
    if (preload && preload[strcspn(preload, ": ")])
        return true;
    dl_iterate_phdr(look_for_sanitizer, &sanitizer);
    return sanitizer;
}

/* A function of the next library's, or NULL if that is libc. */
static void *find_next(const char *name, const void *libc_base) {
    Dl_info info;
    void *found = dlsym(RTLD_NEXT, name);
    return found && dladdr(found, &info) && info.dli_fbase != libc_base ? found : NULL;
}

void preloaded_find(void) {
    Dl_info info;
    if (!may_have_others())
        return;
    void *library = LIBC(dlopen)(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
    if (!library || !dladdr(dlsym(library, "gnu_get_libc_version"), &info))
        return;
#define FIND(name, type, parameters, arguments)                \
    *(void **)&next_##name = find_next(#name, info.dli_fbase); \
    if (next_##name)                                           \
        libc.name = pass_##name;
    PASSED(FIND)
#undef FIND
}
