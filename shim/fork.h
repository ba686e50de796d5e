/*
 * fork.h - what fork(2) does with our sockets.
 */
#ifndef SHIM_FORK_H
#define SHIM_FORK_H

/* From the first socket on, forks are prepared for. */
void fork_start(void);

#endif
