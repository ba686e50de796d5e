/*
 * table.h - which connection of a capture a segment belongs to.
 */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include "connection.h"

/* The connection of a segment, made when it is the first of it, and which side sent it. NULL: no memory. */
struct connection *table_connection(struct report *report, const struct header *header, int *side);

#endif
