/* SPDX-License-Identifier: MIT */
/*
 * elf.c - see elf.h. Also used by the keeper's program, for the command.
 */
#include "shim/region/elf.h"
#include "shim/region/kernel_calls.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LOADER_BYTES 128 /* of the name that a program says; a longer one is none that we know */

/* The loader that a program names; empty: none. */
static void find_loader(int file, const Elf64_Ehdr *header, char loader[LOADER_BYTES]) {
    loader[0] = 0;
    for (int i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        off_t at = (off_t)(header->e_phoff + (uint64_t)i * header->e_phentsize);
        if (pread(file, &segment, sizeof segment, at) != sizeof segment || segment.p_type != PT_INTERP)
            continue;
        size_t length = segment.p_filesz < LOADER_BYTES ? segment.p_filesz : LOADER_BYTES - 1;
        ssize_t got = pread(file, loader, length, (off_t)segment.p_offset);
        loader[got > 0 ? got : 0] = 0;
    }
}

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* glibc's, which preloads, also when it is run itself: ld-linux-x86-64.so.2 PROGRAM. */
static bool is_loader(const char *path) {
    return strncmp(base_of(path), "ld-linux", 8) == 0 || strncmp(base_of(path), "ld.so", 5) == 0;
}

/* Asks for something impossible, so that nothing is changed: a kernel that has it finds the fault (EFAULT).
 */
bool program_calls_can_be_taken(void) {
#if defined __x86_64__
    int saved = errno;
    bool can = prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0ul, 0ul, ~0ul) < 0 && errno == EFAULT;
    errno = saved;
    return can;
#else
    return false;
#endif
}

static void look_at_image(int file, const Elf64_Ehdr *header, const char *path, struct program *program) {
    char loader[LOADER_BYTES];
    if (header->e_ident[EI_CLASS] != ELFCLASS64) {
        program->out_of_reach = "is a program of 32 bits";
        return;
    }
    find_loader(file, header, loader);
    if (is_loader(loader[0] ? loader : path))
        return;
    program->guest = header->e_machine == EM_X86_64 && program_calls_can_be_taken();
    if (!program->guest)
        program->out_of_reach = loader[0] ? "is of another C library" : "is statically linked";
}

/* Whether a file brings capabilities along (capabilities(7): security.capability). */
static bool has_capabilities(const char *path) {
    struct vfs_ns_cap_data data = {0};
    ssize_t length = getxattr(path, "security.capability", &data, sizeof data);
    return length >= (ssize_t)XATTR_CAPS_SZ_1 && (data.data[0].permitted || data.data[1].permitted);
}

/* Why the loader would distrust this process's environment once it runs the file (AT_SECURE of getauxval(3)),
 * as execve(2) decides it; NULL: it would not. */
static const char *distrusted(const char *path, bool as_real_user) {
    struct stat status;
    struct statvfs mount;
    bool plain = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
                 (statvfs(path, &mount) == 0 && mount.f_flag & ST_NOSUID);
    uid_t effective = as_real_user ? getuid() : geteuid(), user = effective;
    gid_t effective_group = as_real_user ? getgid() : getegid(), group = effective_group;
    if (stat(path, &status) < 0)
        return NULL;
    if (!plain && status.st_mode & S_ISUID)
        user = status.st_uid;
    if (!plain && (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        group = status.st_gid;
    if (user != getuid() || group != getgid())
        return user == effective && group == effective_group ? "is run with the rights of two users"
                                                             : "runs as another user";
    return !plain && getuid() != 0 && has_capabilities(path) ? "has capabilities of its own" : NULL;
}

/* The interpreter that a script's first line names, and its argument. */
static bool script_line(const char *start, size_t length, char line[PROGRAM_LINE_BYTES]) {
    if (length < 3 || start[0] != '#' || start[1] != '!')
        return false;
    snprintf(line, PROGRAM_LINE_BYTES, "%.*s", (int)length - 2, start + 2);
    line[strcspn(line, "\n")] = 0;
    size_t blanks = strspn(line, " \t"), used;
    memmove(line, line + blanks, strlen(line + blanks) + 1);
    for (used = strlen(line); used > 0 && strchr(" \t", line[used - 1]); used--)
        line[used - 1] = 0;
    return line[0];
}

char *program_split_line(char *line) {
    size_t name = strcspn(line, " \t");
    char *argument = line + name + strspn(line + name, " \t");
    line[name] = 0;
    return *argument ? argument : NULL;
}

/* Looks at one file. Returns whether it is a script, whose interpreter is the next. */
static bool look_at(const char *path, bool as_real_user, struct program *program) {
    union {
        Elf64_Ehdr header;
        char bytes[PROGRAM_LINE_BYTES];
    } start;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
            program->out_of_reach = distrusted(path, as_real_user); /* it may be run, but not read */
        return false;
    }
    ssize_t length = read(file, &start, sizeof start);
    bool elf = length >= (ssize_t)sizeof start.header && memcmp(start.bytes, ELFMAG, SELFMAG) == 0;
    if (elf && !(program->out_of_reach = distrusted(path, as_real_user)))
        look_at_image(file, &start.header, path, program);
    program->seen = elf && !program->out_of_reach;
    close(file);
    return !elf && length > 0 && program->interpreters < PROGRAM_INTERPRETERS_MAX &&
           script_line(start.bytes, (size_t)length, program->lines[program->interpreters]);
}

void program_look(const char *path, bool as_real_user, struct program *program) {
    char interpreter[PROGRAM_LINE_BYTES];
    program->out_of_reach = NULL;
    program->guest = program->seen = false;
    program->interpreters = 0;
    while (look_at(path, as_real_user, program)) {
        memcpy(interpreter, program->lines[program->interpreters++], sizeof interpreter);
        program_split_line(interpreter);
        path = interpreter;
    }
}

const char *program_guest_arguments(struct program *program, const char *path, char *const *given,
                                    char **room) {
    const char *file = path;
    for (unsigned i = program->interpreters; i-- > 0;) {
        char *argument = program_split_line(program->lines[i]);
        *room++ = program->lines[i];
        if (argument)
            *room++ = argument;
    }
    if (program->interpreters) {
        file = program->lines[program->interpreters - 1];
        *room++ = (char *)path;
        given += given && *given;
    }
    while (given && *given)
        *room++ = *given++;
    *room = NULL;
    return file;
}

const char *program_find(const char *name, char *room) {
    const char *path = getenv("PATH");
    if (strchr(name, '/'))
        return name;
    if (!path)
        path = "/bin:/usr/bin";
    while (*path) {
        size_t length = strcspn(path, ":");
        snprintf(room, PATH_MAX, "%.*s/%s", (int)length, length ? path : ".", name);
        if (access(room, X_OK) == 0)
            return room;
        path += length;
        path += *path == ':';
    }
    return NULL;
}

/* What env(1) runs: the first word that is neither an option nor an assignment. */
static bool env_program(char *words, char room[PATH_MAX]) {
    char *rest = words, *word;
    while ((word = strsep(&rest, " \t")))
        if (*word && *word != '-' && !strchr(word, '='))
            return program_find(word, room) != NULL;
    return false;
}

const char *program_image(const char *path, char *room) {
    char line[PROGRAM_LINE_BYTES], start[PROGRAM_LINE_BYTES];
    for (int depth = 0; depth <= PROGRAM_INTERPRETERS_MAX; depth++) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = file < 0 ? -1 : read(file, start, sizeof start);
        if (file >= 0)
            close(file);
        if (length < 0 || (length >= SELFMAG && memcmp(start, ELFMAG, SELFMAG) == 0))
            return path;
        if (!script_line(start, (size_t)length, line))
            return "/bin/sh";
        char *words = program_split_line(line);
        if (strcmp(base_of(line), "env") != 0 || !words || !env_program(words, room))
            snprintf(room, PATH_MAX, "%s", line);
        path = room;
    }
    return path;
}
