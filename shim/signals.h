/*
 * signals.h - signals that arrive while a thread holds the stack's lock are held back until it has let it go.
 */
#ifndef SHIM_SIGNALS_H
#define SHIM_SIGNALS_H

/* From the first socket on: default actions that would end or stop the program wait for the lock, too. */
void signals_start(void);

#endif
