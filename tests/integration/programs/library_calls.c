/* SPDX-License-Identifier: MIT */
/*
 * library_calls.c - the first socket of a process is made by a library, by system-call instructions of its own.
 *
 *   library_calls ADDRESS PORT [LIBRARY]
 *
 * Built with AS_LIBRARY it is that library, to which the program is linked, or which it loads. Prints the socket's own
 * address, and whether /1K came from an HTTP server.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

int fetch(const char *address, int port, struct sockaddr_in *own);

#ifdef AS_LIBRARY
#ifdef NUMBER_UNKNOWN /* as in a function for any system call: nothing tells which one it is */
#define LOAD ""
#define NUMBER "0"
#else
#define LOAD "mov %1, %%eax; "
#define NUMBER "i"
#endif

#define CALL(number, a, b, c)                                                                          \
    ({                                                                                                 \
        long result_;                                                                                  \
        register long r10_ __asm__("r10") = 0;                                                         \
        register long r8_ __asm__("r8") = 0;                                                           \
        register long r9_ __asm__("r9") = 0;                                                           \
        __asm__ volatile(LOAD "syscall"                                                                \
                         : "=a"(result_)                                                               \
                         : NUMBER((long)number), "D"(a), "S"(b), "d"(c), "r"(r10_), "r"(r8_), "r"(r9_) \
                         : "rcx", "r11", "memory");                                                    \
        result_;                                                                                       \
    })

int fetch(const char *address, int port, struct sockaddr_in *own) {
    static const char question[] = "GET /1K HTTP/1.0\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    socklen_t length = sizeof *own;
    char buffer[4096];
    long got = 0, result, fd = CALL(SYS_socket, (long)AF_INET, (long)SOCK_STREAM, 0l);
    inet_aton(address, &to.sin_addr);
    if (fd < 0 || CALL(SYS_connect, fd, &to, sizeof to) < 0 || CALL(SYS_getsockname, fd, own, &length) < 0 ||
        CALL(SYS_write, fd, question, sizeof question - 1) < 0)
        return -1;
    while ((result = CALL(SYS_read, fd, buffer, sizeof buffer)) > 0)
        got += result;
    CALL(SYS_close, fd, 0l, 0l);
    return result == 0 && got > 1024;
}
#else
int main(int count, char **arguments) {
    int (*function)(const char *, int, struct sockaddr_in *) = NULL;
    struct sockaddr_in own = {0};
    void *library = count == 4 ? dlopen(arguments[3], RTLD_NOW) : NULL;
    if (library)
        *(void **)&function = dlsym(library, "fetch");
#ifdef LINKED
    function = fetch;
#endif
    if (!function)
        return 2;
    int fetched = function(arguments[1], atoi(arguments[2]), &own);
    printf("%s %d\n", inet_ntoa(own.sin_addr), fetched);
    return fetched == 1 ? 0 : 1;
}
#endif
