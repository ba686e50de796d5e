/* SPDX-License-Identifier: MIT */
/*
 * tools.c - see tools.h.
 */
#include "shim/command/tools.h"
#include "shim/command/configuration.h"
#include "shim/command/fail.h"
#include "shim/command/help.h"
#include "shim/command/installation.h"
#include "shim/command/program.h"
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct tool {
    const char *name;
    /* Its long options, but for --help; --name and --profile are the command's own. */
    const char *words[12];
} tools[] = {
    {"ss",
     {"--tcp", "--udp", "--listening", "--all", "--info", "--memory", "--processes", "--no-header",
      "--numeric", "--json"}},
    {"stats", {"--json", "--lock"}},
    {"ls", {NULL}},
    {"down", {NULL}},
    {"report", {"--live", "--text"}},
    {"replay", {"--until", "--break", "--calls", "--quiet", "--interactive"}},
    {"doctor", {"--json"}},
    {"lan", {"--hub", "--switch", "--rate", "--delay", "--ber", "--outage", "--seed"}},
    {"router", {NULL}},
    {"net", {NULL}},
    {"lab", {NULL}},
};
#define TOOLS (sizeof tools / sizeof *tools)

static bool is(const char *word, const char *other) {
    return word && strcmp(word, other) == 0;
}

static bool is_help(const char *word) {
    return is(word, "-h") || is(word, "--help");
}

static const struct tool *find_tool(const char *name) {
    for (const struct tool *tool = tools; tool < tools + TOOLS; tool++)
        if (is(name, tool->name))
            return tool;
    return NULL;
}

bool tools_have(char **words) {
    if (is(words[0], "ls"))
        return !words[1] || (is_help(words[1]) && !words[2]);
    return find_tool(words[0]) != NULL;
}

void tools_try(struct nearest *nearest) {
    for (size_t i = 0; i < TOOLS; i++)
        nearest_try(nearest, tools[i].name);
}

static _Noreturn void refuse(const struct tool *tool, const char *word) {
    struct nearest near;
    char hint[NEAREST_HINT_BYTES];
    nearest_begin(&near, word, strlen(word));
    for (unsigned i = 0; tool->words[i]; i++)
        nearest_try(&near, tool->words[i]);
    nearest_hint(&near, "", hint);
    if (*hint)
        fail("'%s' does not take '%s'%s", tool->name, word, hint);
    fail("'%s' does not take '%s'; 'barewire %s --help' tells more", tool->name, word, tool->name);
}

static bool has_word(const struct tool *tool, const char *word) {
    for (unsigned i = 0; tool->words[i]; i++)
        if (is(word, tool->words[i]))
            return true;
    return false;
}

/* Of a long option that there is not; letters and numbers the tool checks itself. */
static void check_words(const struct tool *tool, char **words) {
    bool none = is(tool->name, "down") || is(tool->name, "ls");
    bool letters = is(tool->name, "ss") || is(tool->name, "stats");
    for (; *words; words++) {
        const char *word = *words;
        bool letter = word[0] == '-' && isalnum((unsigned char)word[1]);
        bool seconds = is(tool->name, "stats") && isdigit((unsigned char)word[0]) && word[0] != '0';
        bool known =
            strncmp(word, "--", 2) == 0 ? has_word(tool, word) || !word[2] : !letters || letter || seconds;
        if (none || !known)
            refuse(tool, word);
    }
}

/* Takes out of a command's words what says which stack is meant. Returns the profile that they name, or `profile`. */
static const char *take_common(const struct tool *tool, char **words, const char *profile) {
    char **kept = words;
    for (; *words; words++) {
        bool name = is(*words, "--name"), other = is(*words, "-P") || is(*words, "--profile");
        if (is_help(*words))
            help_of_command(tool->name);
        if ((name || other) && !words[1])
            fail("option %s needs a value", *words);
        if (name)
            setenv("BAREWIRE_NAME", *++words, 1);
        else if (other)
            profile = *++words;
        else if (strncmp(*words, "--name=", 7) == 0)
            setenv("BAREWIRE_NAME", *words + 7, 1);
        else if (strncmp(*words, "--profile=", 10) == 0)
            profile = *words + 10;
        else
            *kept++ = *words;
    }
    *kept = NULL;
    return profile;
}

static _Noreturn void run_lab(char **words) {
    char path[PATH_MAX];
    words[0] = installation_lab(path);
    setenv("BAREWIRE_LAB_COMMAND", "barewire lab", 1);
    program_replace(path, words);
}

/* barewire doctor [[--json] PROGRAM]. */
static _Noreturn void run_doctor(const struct tool *tool, char **words) {
    char path[PATH_MAX];
    char *program = NULL, *json = NULL;
    for (char **word = words + 1; *word; word++) {
        if (is(*word, "--json"))
            json = *word;
        else if (**word == '-' || program)
            refuse(tool, *word);
        else
            program = *word;
    }
    if (json && !program)
        fail("'doctor --json' wants a program");
    char *explain[] = {installation_tool(path), "--explain", json ? json : program, json ? program : NULL,
                       NULL};
    if (program)
        program_replace(path, explain);
    /* What works for this user is said by the keeper that he starts. */
    char *doctor[] = {path, "--doctor", NULL};
    if (access(installation_file("barewire-keeper", path), X_OK) == 0)
        execv(path, doctor); /* EPERM: it has a capability that nobody has here, as in a container */
    installation_tool(path);
    program_replace(path, doctor);
}

/* A tool is on no stack, also where this command is: it maps what it looks at where a program has its own. An
 * empty variable stays so over exec where no sockets go on (shim/library/process/exec.c). */
static void leave_stack(void) {
    const char *preload = getenv("LD_PRELOAD");
    struct stat status;
    if (!preload || !strstr(preload, "libbarewire.so"))
        return;
    setenv("LD_PRELOAD", "", 1);
    DIR *open = opendir("/proc/self/fd");
    for (struct dirent *entry; open && (entry = readdir(open));) {
        int fd = atoi(entry->d_name);
        if (fd > 2 && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode))
            close(fd);
    }
    if (open)
        closedir(open);
}

void tools_run(char **words, const char *profile) {
    const struct tool *tool = find_tool(words[0]);
    char path[PATH_MAX], kind[32];
    bool lab = is(tool->name, "lab"), lan = is(tool->name, "lan"), replay = is(tool->name, "replay"),
         doctor = is(tool->name, "doctor");
    bool router = is(tool->name, "router") || is(tool->name, "net"); /* whose words are their own */
    if ((lab || router) && (!words[1] || is_help(words[1])))
        help_of_command(tool->name);
    if (!lab && !router)
        profile = take_common(tool, words + 1, profile);
    if (!lab && !lan && !router && !replay &&
        !(doctor && !words[1])) /* what these say depends on no setting */
        configuration_read(profile);
    if (lab)
        run_lab(words);
    leave_stack();
    if (doctor)
        run_doctor(tool, words);
    if (!router)
        check_words(tool, words + 1);
    size_t count = 0;
    while (words[count])
        count++;
    char **all = calloc(count + 2, sizeof *all);
    if (!all)
        fail("there is no memory for the arguments");
    snprintf(kind, sizeof kind, "--%s", tool->name);
    all[0] = installation_tool(path);
    all[1] = kind;
    memcpy(all + 2, words + 1, (count - 1) * sizeof *all);
    program_replace(path, all);
}
