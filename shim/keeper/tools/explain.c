/* SPDX-License-Identifier: MIT */
/*
 * explain.c - `barewire --explain PROGRAM`: by which doors (README.md) a program's system calls go,
 * and whether all of them are held, in advance. Nothing of the program is run; glibc's loader says which
 * libraries it would load, as it does for ldd(1).
 */
#include "shim/keeper/tools/image.h"
#include "shim/keeper/tools/tool.h"
#include "shim/region/config.h"
#include "shim/region/elf.h"
#include "shim/region/syscall_site.h"
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __x86_64__
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#else
#define LOADER "/lib/ld-linux-aarch64.so.1"
#endif
#define DOORS_MAX 64
#define HOW_BYTES 256

struct door {
    const char *name;
    bool held;
    char how[HOW_BYTES];
};

struct explanation {
    const char *program; /* its file, not an interpreter's */
    struct door doors[DOORS_MAX];
    unsigned count;
    struct image whole; /* of the program and its libraries: what is true of any */
};

static void __attribute__((format(printf, 4, 5)))
add(struct explanation *all, const char *name, bool held, const char *format, ...) {
    va_list list;
    if (all->count == DOORS_MAX)
        return;
    struct door *door = &all->doors[all->count++];
    door->name = name;
    door->held = held;
    va_start(list, format);
    vsnprintf(door->how, sizeof door->how, format, list);
    va_end(list);
}

static bool all_held(const struct explanation *all) {
    for (unsigned i = 0; i < all->count; i++)
        if (!all->doors[i].held)
            return false;
    return true;
}

static const char no_dispatch[] = "this kernel has no Syscall User Dispatch, or forbids it";

static void add_program(struct explanation *all, const struct image *image) {
    bool held = program_calls_can_be_taken();
    if (image->go || image->instructions)
        add(all, "instructions", held, "%s%u of its own that make system calls: %s",
            image->go ? "a Go program, " : "", image->instructions,
            held ? "the kernel raises a signal for each (Syscall User Dispatch)" : no_dispatch);
}

static bool has_name(const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    return strncmp(slash ? slash + 1 : path, name, strlen(name)) == 0;
}

/* libc and its loader have a door of their own; what a sanitizer's runtime does itself is no program's. */
static bool is_apart(const char *path) {
    return has_name(path, "libc.so.") || has_name(path, "ld-linux") || strstr(path, "san.so");
}

static void add_library(struct explanation *all, const char *path) {
    struct image image;
    if (is_apart(path))
        return;
    if (!image_read(path, &image)) {
        add(all, "libraries", false, "%s: %s", path, strerror(errno));
        return;
    }
    bool liburing = has_name(path, "liburing.so.");
    all->whole.loads |= image.loads;
    all->whole.rings |= image.rings || liburing;
    if (!image.instructions || liburing) /* whose functions are taken over */
        return;
    bool early = image.go || image.text_bytes <= SYSCALL_SITE_SMALL_TEXT_MAX;
    bool searched = image.go || image.text_bytes <= SYSCALL_SITE_TEXT_MAX;
    bool held = searched && !image.irreplaceable && (early || !(image.late || image.opens));
    const char *fate = !searched             ? "it is too large to be searched for them"
                       : image.irreplaceable ? "not all are of a form that can be replaced"
                       : early               ? "replaced before it begins"
                       : image.late          ? "replaced at the first socket, if there is one thread then"
                       : image.opens         ? "replaced at the first socket, if that is not one of its own"
                                             : "replaced at the first socket";
    add(all, "libraries", held, "%s has %u instructions that make system calls: %s", path, image.instructions,
        fate);
}

/* Starts the loader with its list in a pipe. Returns its process, or -1. */
static pid_t list_libraries(const char *path, FILE **list) {
    char *arguments[] = {"ld.so", (char *)path, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t child = -1;
    unsetenv("LD_PRELOAD");
    setenv("LD_TRACE_LOADED_OBJECTS", "1", 1); /* so that it lists, and does not run the program */
    if (pipe(ends) < 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    if (posix_spawn(&child, LOADER, &actions, NULL, arguments, environ) != 0)
        child = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *list = fdopen(ends[0], "r");
    return child;
}

/* A line of it: NAME => FILE (ADDRESS), NAME => not found, FILE (ADDRESS). */
static void add_listed(struct explanation *all, char *line) {
    char *arrow = strstr(line, " => "), *file = arrow ? arrow + 4 : line + strspn(line, " \t");
    if (strncmp(file, "not found", 9) == 0) {
        *arrow = 0;
        add(all, "libraries", false, "%s is not found: the program will not start",
            line + strspn(line, " \t"));
        return;
    }
    file[strcspn(file, " \n")] = 0;
    if (file[0] == '/')
        add_library(all, file);
}

static void add_libraries(struct explanation *all, const char *path) {
    char line[PATH_MAX + 128];
    char real[PATH_MAX]; /* where the kernel would say that it is: $ORIGIN of its own libraries */
    FILE *list = NULL;
    int status = -1;
    pid_t child = list_libraries(realpath(path, real) ? real : path, &list);
    while (list && fgets(line, sizeof line, list))
        add_listed(all, line);
    if (list)
        fclose(list);
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
        add(all, "libraries", false, "the loader can't say which the program needs");
}

static void add_libc(struct explanation *all) {
    bool held = doctor_may_change_text();
    const char *not_held = "libc's text may not be changed in memory here";
    add(all, "names", true, "libc's functions, by their names");
    add(all, "libc", held, "libc where it calls itself, and who looks functions up in it (RTLD_DEEPBIND): %s",
        held ? "its own instructions lead to us" : not_held);
}

static void add_later(struct explanation *all) {
    bool held = doctor_may_change_text() && program_calls_can_be_taken();
    if (all->whole.loads)
        add(all, "plug-ins", held, "it loads libraries as it runs (dlopen): %s",
            held ? "what they look up in libc, and their instructions, are taken over"
                 : "this kernel does not let all of their calls be taken over");
}

static void add_rings(struct explanation *all, enum ring_kind kind) {
    static const char *const how[] = {
        [IO_URING_NONE] = "it finds none (ENOSYS), and has to go on by epoll or threads",
        [IO_URING_FILES] = "its rings refuse what concerns sockets (--io-uring files)",
        [IO_URING_KERNEL] = "sockets of its rings are the kernel's (--io-uring kernel)"};
    if (all->whole.rings)
        add(all, "io_uring", kind != IO_URING_KERNEL, "%s", how[kind]);
}

static void explain(struct explanation *all, enum ring_kind rings) {
    char interpreter[PATH_MAX];
    const char *file = program_image(all->program, interpreter);
    static struct program program;
    program_look(file, false, &program);
    if (program.out_of_reach) {
        add(all, "loader", false, "it %s: nothing can be loaded into it, and it uses the kernel's network",
            program.out_of_reach);
        return;
    }
    if (strcmp(file, all->program) != 0)
        add(all, "script", true, "%s runs it", file);
    if (program.guest) {
        add(all, "guest", true,
            "it has no dynamic linker of glibc's: barewire-load begins it, and all of its "
            "instructions that make system calls raise a signal (Syscall User Dispatch)");
        return;
    }
    add_libc(all);
    if (!image_read(file, &all->whole)) {
        add(all, "instructions", false, "%s can't be read: %s", file, strerror(errno));
        return;
    }
    add_program(all, &all->whole);
    add_libraries(all, file);
    add_rings(all, rings);
    add_later(all);
}

static void print_text(const struct explanation *all) {
    printf("%s\n", all->program);
    for (unsigned i = 0; i < all->count; i++)
        printf("  %-12s %-9s %s\n", all->doors[i].name, all->doors[i].held ? "held" : "not held",
               all->doors[i].how);
    printf("%s\n", all_held(all) ? "Every system call that concerns a socket is taken over."
                                 : "Not every system call that concerns a socket is taken over.");
}

static void print_quoted(const char *text) {
    putchar('"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < ' ')
            printf("\\u%04x", *text);
        else
            putchar(*text);
    putchar('"');
}

static void print_json(const struct explanation *all) {
    printf("{\"program\":");
    print_quoted(all->program);
    printf(",\"held\":%s,\"doors\":[", all_held(all) ? "true" : "false");
    for (unsigned i = 0; i < all->count; i++) {
        printf("%s{\"door\":\"%s\",\"held\":%s,\"how\":", i ? "," : "", all->doors[i].name,
               all->doors[i].held ? "true" : "false");
        print_quoted(all->doors[i].how);
        putchar('}');
    }
    printf("]}\n");
}

/* Gives 0 or an exit status as the shell's, after a line for the user. */
static int find(const char *name, struct explanation *all) {
    static char room[PATH_MAX];
    struct stat status;
    all->program = program_find(name, room);
    if (!all->program || stat(all->program, &status) < 0) {
        fprintf(stderr, "barewire: can't explain %s: there is no such program\n", name);
        return 127;
    }
    if (S_ISREG(status.st_mode) && access(all->program, X_OK) == 0)
        return 0;
    fprintf(stderr, "barewire: can't explain %s: it is no program, or may not be executed\n", name);
    return 126;
}

int tool_explain(int count, char **arguments) {
    static struct explanation all;
    static struct config config;
    char error[CONFIG_ERROR_BYTES];
    bool json = count > 1 && strcmp(arguments[0], "--json") == 0;
    if (!config_read(&config, error)) {
        fprintf(stderr, "barewire: %s\n", error);
        return 2;
    }
    int status = find(arguments[json], &all);
    if (status)
        return status;
    explain(&all, config.io_uring);
    (json ? print_json : print_text)(&all);
    return all_held(&all) ? 0 : 1;
}
