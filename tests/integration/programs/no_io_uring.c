/*
 * no_io_uring.c - asks for an io_uring by libc's syscall(2) and by an instruction of its own. Prints the two
 * errors.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    struct io_uring_params parameters = {0};
    long by_libc = syscall(SYS_io_uring_setup, 8, &parameters), raw;
    int error = by_libc < 0 ? errno : 0;
    __asm__ volatile("syscall"
                     : "=a"(raw)
                     : "0"(SYS_io_uring_setup), "D"(8), "S"(&parameters)
                     : "rcx", "r11", "memory");
    printf("%s %s\n", strerrorname_np(error), strerrorname_np(raw < 0 ? (int)-raw : 0));
    return 0;
}
