/* SPDX-License-Identifier: MIT */
/*
 * table.h - which connection of a capture a segment belongs to.
 */
#ifndef SHIM_KEEPER_TOOLS_REPORT_TABLE_H
#define SHIM_KEEPER_TOOLS_REPORT_TABLE_H

#include "shim/keeper/tools/report/connection.h"

/* The connection of a segment, made when it is the first of it, and which side sent it. NULL: no memory. */
struct connection *table_connection(struct report *report, const struct header *header, int *side);

#endif
