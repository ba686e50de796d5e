/*
 * keeper_tool.c - what the command asks the keeper's program for, beside keeping: is a program dynamically
 * linked; end a stack.
 */
#include "keeper_tool.h"
#include "config.h"
#include "door.h"
#include "program.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int say(const char *format, const char *value) {
    fprintf(stderr, "barewire: ");
    fprintf(stderr, format, value);
    fprintf(stderr, "\n");
    return 2;
}

int tool_is_dynamic(const char *path) {
    const char *reason = program_out_of_reach(path);
    if (reason)
        puts(reason);
    return reason ? 1 : 0;
}

int tool_down(void) {
    struct door_request request = {.header = {SHARED_MAGIC, SHARED_VERSION, DOOR_DOWN}};
    static struct door_reply reply;
    static struct config config;
    char directory[108], error[CONFIG_ERROR_BYTES], path[sizeof directory + CONFIG_TEXT_BYTES];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!config_read(&config, error) || !config_directory(directory, error))
        return say("%s", error);
    const struct timeval patience = {.tv_sec = 10};
    int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (door >= 0)
        setsockopt(door, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    snprintf(path, sizeof path, "%s/%s", directory, config.name);
    bool fits = strlen(path) < sizeof address.sun_path;
    if (fits)
        strcpy(address.sun_path, path);
    if (!fits || door < 0 || connect(door, (struct sockaddr *)&address, sizeof address) < 0)
        return say("no stack named '%s' is running", config.name);
    if (send(door, &request, sizeof request, MSG_NOSIGNAL) < 0 || recv(door, &reply, sizeof reply, 0) < 0)
        return say("stack '%s' does not answer", config.name);
    for (int i = 0; i < 500 && access(address.sun_path, F_OK) == 0; i++)
        usleep(2000); /* the keeper's last act is to remove its door */
    return 0;
}
