/*
 * region_begin.h - the beginning of a region: what lies in it beside the stack is empty.
 */
#ifndef SHIM_REGION_REGION_BEGIN_H
#define SHIM_REGION_REGION_BEGIN_H

/* Makes the lists and pools of `shared`, whose stack has been made, and marks it as one of this version. */
void region_begin(void);

#endif
