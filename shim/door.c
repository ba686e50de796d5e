/*
 * door.c - see door.h. Used on both sides of the door.
 */
#include "door.h"
#include <string.h>

void door_put_beside(struct msghdr *message, union door_control *control, struct door_beside beside) {
    size_t bytes = beside.second >= 0 ? sizeof beside : sizeof beside.first;
    if (beside.first < 0)
        return;
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(bytes);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), &beside, bytes);
}

struct door_beside door_taken_beside(struct msghdr *message) {
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    struct door_beside beside = DOOR_NOTHING;
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len > CMSG_LEN(0) &&
        header->cmsg_len <= CMSG_LEN(sizeof beside))
        memcpy(&beside, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    return beside;
}
