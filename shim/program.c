/*
 * program.c - see program.h. Also used by the keeper's program, for the command.
 */
#include "program.h"
#include <elf.h>
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

#define INTERPRETERS_MAX 4 /* the kernel's limit, too */
#define LOADER_BYTES 128   /* of the name that a program says; a longer one is none that we know */
#define SCRIPT_LINE_BYTES 256

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

static const char *image_out_of_reach(int file, const Elf64_Ehdr *header, const char *path) {
    char loader[LOADER_BYTES];
    if (header->e_ident[EI_CLASS] != ELFCLASS64)
        return "is a program of 32 bits";
    find_loader(file, header, loader);
    if (!loader[0])
        return is_loader(path) ? NULL : "is statically linked";
    return is_loader(loader) ? NULL : "is of another C library";
}

/* Whether a file brings capabilities along (capabilities(7): security.capability). */
static bool has_capabilities(const char *path) {
    struct vfs_ns_cap_data data = {0};
    ssize_t length = getxattr(path, "security.capability", &data, sizeof data);
    return length >= (ssize_t)XATTR_CAPS_SZ_1 && (data.data[0].permitted || data.data[1].permitted);
}

/* Why the loader would distrust this process's environment once it runs the file (AT_SECURE of getauxval(3)),
 * as execve(2) decides it; NULL: it would not. */
static const char *distrusted(const char *path) {
    struct stat status;
    struct statvfs mount;
    bool plain = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
                 (statvfs(path, &mount) == 0 && mount.f_flag & ST_NOSUID);
    uid_t user = geteuid();
    gid_t group = getegid();
    if (stat(path, &status) < 0)
        return NULL;
    if (!plain && status.st_mode & S_ISUID)
        user = status.st_uid;
    if (!plain && (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        group = status.st_gid;
    if (user != getuid() || group != getgid())
        return user == geteuid() && group == getegid() ? "is run with the rights of two users"
                                                       : "runs as another user";
    return !plain && getuid() != 0 && has_capabilities(path) ? "has capabilities of its own" : NULL;
}

/* The interpreter that a script's first line names; `words`: what stands behind it. */
static bool script_interpreter(const char *start, size_t length, char interpreter[PATH_MAX],
                               char words[SCRIPT_LINE_BYTES]) {
    char line[SCRIPT_LINE_BYTES];
    if (length < 3 || start[0] != '#' || start[1] != '!')
        return false;
    snprintf(line, sizeof line, "%.*s", (int)length - 2, start + 2);
    line[strcspn(line, "\n")] = 0;
    const char *from = line + strspn(line, " \t");
    size_t end = strcspn(from, " \t");
    snprintf(interpreter, PATH_MAX, "%.*s", (int)end, from);
    snprintf(words, SCRIPT_LINE_BYTES, "%s", from + end);
    return interpreter[0];
}

const char *program_out_of_reach(const char *path) {
    char interpreter[PATH_MAX], words[SCRIPT_LINE_BYTES];
    union {
        Elf64_Ehdr header;
        char bytes[256];
    } start;
    for (int depth = 0; depth <= INTERPRETERS_MAX; depth++) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return access(path, X_OK) == 0 ? distrusted(path) : NULL; /* it may be run, but not read */
        ssize_t length = read(file, &start, sizeof start);
        bool elf = length >= (ssize_t)sizeof start.header && memcmp(start.bytes, ELFMAG, SELFMAG) == 0;
        const char *reason = elf ? distrusted(path) : NULL;
        if (elf && !reason)
            reason = image_out_of_reach(file, &start.header, path);
        close(file);
        if (elf)
            return reason;
        if (length < 0 || !script_interpreter(start.bytes, (size_t)length, interpreter, words))
            return NULL;
        path = interpreter;
    }
    return NULL;
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
    char interpreter[PATH_MAX], words[SCRIPT_LINE_BYTES], start[SCRIPT_LINE_BYTES];
    for (int depth = 0; depth <= INTERPRETERS_MAX; depth++) {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = file < 0 ? -1 : read(file, start, sizeof start);
        if (file >= 0)
            close(file);
        if (length < 0 || (length >= SELFMAG && memcmp(start, ELFMAG, SELFMAG) == 0))
            return path;
        if (!script_interpreter(start, (size_t)length, interpreter, words))
            return "/bin/sh";
        if (strcmp(base_of(interpreter), "env") != 0 || !env_program(words, room))
            snprintf(room, PATH_MAX, "%s", interpreter);
        path = room;
    }
    return path;
}
