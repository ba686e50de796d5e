/* SPDX-License-Identifier: MIT */
/*
 * start.h - starting the keeper.
 */
#ifndef SHIM_LIBRARY_PROCESS_START_H
#define SHIM_LIBRARY_PROCESS_START_H

#include "shim/region/config.h"

/* Starts the keeper and waits until it is ready. Gives 0; 1 when another keeper has the name, or is about to;
 * or -1 and the keeper's own line of what is wrong in error (CONFIG_ERROR_BYTES). */
int start_keeper(char *error);

#endif
