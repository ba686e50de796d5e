/* SPDX-License-Identifier: MIT */
/*
 * configuration.h - the user's configuration file and the machine's, barewire.conf(5).
 */
#ifndef SHIM_COMMAND_CONFIGURATION_H
#define SHIM_COMMAND_CONFIGURATION_H

/* Sets the options that neither the command line nor the environment says. `profile`: NULL for none. Fails if there
 * is no such profile, or if a file has a line that is no setting. */
void configuration_read(const char *profile);

#endif
