/* SPDX-License-Identifier: MIT */
/*
 * deepbind.c - loads a plug-in (FILE) that asks an HTTP server for /1K, in three ways: as usual, with
 * RTLD_DEEPBIND, so that its calls are libc's whatever was preloaded, and with a libc of its own (dlmopen).
 * Prints how much each got.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef PLUGIN
long plugin(const char *address, int port) {
    static const char question[] = "GET /1K HTTP/1.0\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    char buffer[4096];
    long got = 0, result;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_aton(address, &to.sin_addr);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 || write(fd, question, sizeof question - 1) < 0)
        return -errno;
    while ((result = read(fd, buffer, sizeof buffer)) > 0)
        got += result;
    close(fd);
    return result < 0 ? -errno : got > 1024;
}
#else
int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    for (int way = 0; way < 3; way++) {
        void *library = way == 0   ? dlopen(arguments[1], RTLD_NOW)
                        : way == 1 ? dlopen(arguments[1], RTLD_NOW | RTLD_DEEPBIND)
                                   : dlmopen(LM_ID_NEWLM, arguments[1], RTLD_NOW);
        long (*plugin)(const char *, int) =
            (long (*)(const char *, int))(library ? dlsym(library, "plugin") : NULL);
        printf("%ld\n", plugin ? plugin("10.77.0.2", 8080) : -999);
        if (way == 0)
            dlclose(library);
    }
    return 0;
}
#endif
