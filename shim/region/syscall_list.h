/* SPDX-License-Identifier: MIT */
/*
 * syscall_list.h - the system calls that concern the library, when each does, and what serves it: one list,
 * so that what is led here is served, and what is served is led here.
 *
 * Whoever includes it, each time anew, defines SERVED(name, when, call) and ALSO(name, when) before. `when`
 * is of enum syscall_concern. `call` serves the call with the arguments `a`: it is one of ours under another
 * name, which says of descriptors of the kernel's what libc's says. Those of ALSO are served by functions
 * that have more to do (syscall.c, by_instruction.c, guest_calls.c).
 */
SERVED(socket, ALWAYS, socket((int)a[0], (int)a[1], (int)a[2]))
SERVED(bind, OF_FD, bind((int)a[0], (const struct sockaddr *)a[1], (socklen_t)a[2]))
SERVED(listen, OF_FD, listen((int)a[0], (int)a[1]))
SERVED(accept, OF_FD, accept((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]))
SERVED(accept4, OF_FD, accept4((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2], (int)a[3]))
SERVED(connect, OF_FD, connect((int)a[0], (const struct sockaddr *)a[1], (socklen_t)a[2]))
SERVED(shutdown, OF_FD, shutdown((int)a[0], (int)a[1]))
SERVED(getsockname, OF_FD, getsockname((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]))
SERVED(getpeername, OF_FD, getpeername((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]))
SERVED(getsockopt, OF_FD, getsockopt((int)a[0], (int)a[1], (int)a[2], (void *)a[3], (socklen_t *)a[4]))
SERVED(setsockopt, OF_FD, setsockopt((int)a[0], (int)a[1], (int)a[2], (const void *)a[3], (socklen_t)a[4]))

/* A descriptor of ours may come, or go, with a message. */
SERVED(sendto, OF_FD,
       sendto((int)a[0], (const void *)a[1], (size_t)a[2], (int)a[3], (const struct sockaddr *)a[4],
              (socklen_t)a[5]))
SERVED(recvfrom, OF_FD,
       recvfrom((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3], (struct sockaddr *)a[4], (socklen_t *)a[5]))
SERVED(sendmsg, ALWAYS, sendmsg((int)a[0], (const struct msghdr *)a[1], (int)a[2]))
SERVED(recvmsg, ALWAYS, recvmsg((int)a[0], (struct msghdr *)a[1], (int)a[2]))
SERVED(sendmmsg, ALWAYS, sendmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3]))
SERVED(recvmmsg, ALWAYS,
       recvmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3], (struct timespec *)a[4]))
SERVED(pidfd_getfd, ALWAYS, pidfd_getfd((int)a[0], (int)a[1], (unsigned)a[2]))

SERVED(read, OF_FD, read((int)a[0], (void *)a[1], (size_t)a[2]))
SERVED(write, OF_FD, write((int)a[0], (const void *)a[1], (size_t)a[2]))
SERVED(readv, OF_FD, readv((int)a[0], (const struct iovec *)a[1], (int)a[2]))
SERVED(writev, OF_FD, writev((int)a[0], (const struct iovec *)a[1], (int)a[2]))
/* The offset is in two halves. */
SERVED(preadv2, OF_FD, preadv2((int)a[0], (const struct iovec *)a[1], (int)a[2], a[3], (int)a[5]))
SERVED(pwritev2, OF_FD, pwritev2((int)a[0], (const struct iovec *)a[1], (int)a[2], a[3], (int)a[5]))
SERVED(sendfile, OF_TWO, sendfile((int)a[0], (int)a[1], (off_t *)a[2], (size_t)a[3]))
SERVED(splice, OF_TWO,
       splice((int)a[0], (off64_t *)a[1], (int)a[2], (off64_t *)a[3], (size_t)a[4], (unsigned)a[5]))

/* The library's own descriptors are not the program's to close. */
SERVED(close, ALWAYS, close((int)a[0]))
SERVED(close_range, ALWAYS, close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]))
SERVED(dup, ALWAYS, dup((int)a[0]))
SERVED(dup3, ALWAYS, dup3((int)a[0], (int)a[1], (int)a[2]))
SERVED(fcntl, ALWAYS, fcntl((int)a[0], (int)a[1], a[2]))
SERVED(ioctl, OF_FD, ioctl((int)a[0], (unsigned long)a[1], a[2]))

SERVED(ppoll, ALWAYS, call_ppoll(a))
SERVED(pselect6, ALWAYS, call_pselect(a))
SERVED(epoll_create1, ALWAYS, epoll_create1((int)a[0]))
SERVED(epoll_ctl, ALWAYS, epoll_ctl((int)a[0], (int)a[1], (int)a[2], (struct epoll_event *)a[3]))
SERVED(epoll_pwait, ALWAYS, call_epoll_pwait(a))
SERVED(epoll_pwait2, ALWAYS, call_epoll_pwait2(a))

#ifdef SYS_poll /* x86-64 has the old ones as well */
SERVED(dup2, ALWAYS, dup2((int)a[0], (int)a[1]))
SERVED(poll, ALWAYS, poll((struct pollfd *)a[0], (nfds_t)a[1], (int)a[2]))
SERVED(select, ALWAYS,
       select((int)a[0], (fd_set *)a[1], (fd_set *)a[2], (fd_set *)a[3], (struct timeval *)a[4]))
SERVED(epoll_create, ALWAYS, epoll_create((int)a[0]))
SERVED(epoll_wait, ALWAYS, epoll_wait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3]))
SERVED(open, PROGRAMS, open((const char *)a[0], (int)a[1], (mode_t)a[2]))
ALSO(fork, PROGRAMS)
ALSO(vfork, PROGRAMS)
ALSO(readlink, PROGRAMS)
ALSO(arch_prctl, PROGRAMS)
#endif

/* Files that tell of the network. */
SERVED(openat, PROGRAMS, openat((int)a[0], (const char *)a[1], (int)a[2], (mode_t)a[3]))

ALSO(io_uring_setup, ALWAYS)
ALSO(io_uring_enter, ALWAYS)
ALSO(io_uring_register, ALWAYS)
ALSO(exit_group, ALWAYS)
ALSO(clone, PROGRAMS)
ALSO(clone3, PROGRAMS)
ALSO(execve, ALWAYS)
ALSO(execveat, PROGRAMS)
ALSO(prctl, PROGRAMS)
ALSO(unshare, PROGRAMS)
ALSO(setns, PROGRAMS)
ALSO(setuid, PROGRAMS)
ALSO(setreuid, PROGRAMS)
ALSO(setresuid, PROGRAMS)
ALSO(setfsuid, PROGRAMS)
ALSO(capset, PROGRAMS)
ALSO(chroot, PROGRAMS)
ALSO(pivot_root, PROGRAMS)
ALSO(seccomp, PROGRAMS)
ALSO(rt_sigaction, PROGRAMS)
ALSO(rt_sigprocmask, WITH_DISPATCH)

/* What a program with a C library of its own has of its own (guest_calls.c). */
ALSO(readlinkat, PROGRAMS)
ALSO(exit, PROGRAMS)
ALSO(set_tid_address, PROGRAMS)
ALSO(set_robust_list, PROGRAMS)
ALSO(get_robust_list, PROGRAMS)
ALSO(rseq, PROGRAMS)
ALSO(brk, PROGRAMS)
ALSO(sigaltstack, PROGRAMS)
