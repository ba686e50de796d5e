/*
 * interfaces.h - ioctl(2)'s questions about interfaces (netdevice(7)), answered by what the stack has.
 */
#ifndef SHIM_INTERFACES_H
#define SHIM_INTERFACES_H

#include <stdbool.h>

bool interface_request(unsigned long request); /* is it one? */
int interface_ask(unsigned long request, void *argument);

#endif
