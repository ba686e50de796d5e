/* SPDX-License-Identifier: MIT */
/*
 * admission.c - whether who comes to the door may join the stack as it is; and whether the stack gives
 * way.
 *
 * A stack whose programs have all ended waits for its last connections, a minute in TIME_WAIT for most. Who
 * asks then for the same stack joins it. Who asks for another one, with other options, is not put off: this
 * one ends, and leaves what it waits for to the next one of that name (tcp_time_wait.h), in the file that
 * both lock. A stack that a program uses, or that has yet to send what a program has written, does not give
 * way.
 */
#include "shim/keeper/keeper.h"
#include "shim/keeper/pidfd.h"
#include "shim/region/ipc.h"
#include "shim/region/lock.h"
#include "shim/region/process.h"
#include "stack/tcp/tcp_time_wait.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAITING_MAX 65536u

struct waits {
    uint64_t magic;
    uint32_t version, count;
};

static bool has_same_addresses6(const struct config *asked) {
    const struct config *config = &keeper.config;
    bool same = asked->count6 == config->count6;
    for (unsigned i = 0; same && i < asked->count6; i++)
        same = ip_equal(asked->addresses6[i].address, config->addresses6[i].address) &&
               asked->addresses6[i].prefix_length == config->addresses6[i].prefix_length;
    return same;
}

#define OWN_ADDRESS_TEXT (12 + IP4_ADDRESSES_MAX * (IP_ADDRESS_TEXT + 4))

/* What this stack has of IPv4, as an option says it. */
static const char *own_address(char text[OWN_ADDRESS_TEXT]) {
    const struct config *config = &keeper.config;
    char host[IP_ADDRESS_TEXT];
    size_t used = (size_t)snprintf(text, OWN_ADDRESS_TEXT, "%s",
                                   config->address ? "--address "
                                   : config->dhcp  ? "--address dhcp"
                                                   : "no address of IPv4");
    struct ip4_own own;
    for (uint32_t i = 0; (own = config_address4(config, i)).address; i++)
        used += (size_t)snprintf(text + used, OWN_ADDRESS_TEXT - used, "%s%s/%u", i ? "," : "",
                                 ip_text(ip_from_v4(own.address), host), own.prefix_length);
    return text;
}

/* Who asks for less than the stack has joins it; --no-ipv6 is a wish of its own. */
static bool agrees_on_addresses(const struct config *asked, char *message) {
    const struct config *config = &keeper.config;
    char text[OWN_ADDRESS_TEXT];
    if ((asked->address && !config_same_addresses4(asked, config)) ||
        (asked->address_given && asked->dhcp && !config->dhcp)) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with %s", config->name,
                 own_address(text));
        return false;
    }
    if (asked->count6 > 0 && !has_same_addresses6(asked)) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with %s IPv6 address%s", config->name,
                 config->count6 ? "another" : "no", config->count6 ? "" : " of its own");
        return false;
    }
    if (asked->address_given && asked->autoconf && !config->autoconf) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running without --address auto", config->name);
        return false;
    }
    if (asked->no_ipv6 && shared->stack.config.ip6.on) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with IPv6", config->name);
        return false;
    }
    return true;
}

/* Of each family that is asked for. */
static bool agrees_on_gateways(const struct config *asked, char *message) {
    const struct config *config = &keeper.config;
    bool six = !ip_is_any(asked->gateway6) && !ip_equal(asked->gateway6, config->gateway6);
    struct ip_address own = six ? config->gateway6 : ip_from_v4(config->gateway);
    char text[IP_ADDRESS_TEXT];
    if (!six && (!asked->gateway || asked->gateway == config->gateway))
        return true;
    if (six ? ip_is_any(own) : !config->gateway)
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with no --gateway of %s", config->name,
                 six ? "IPv6" : "IPv4");
    else
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with --gateway %s", config->name,
                 ip_text(own, text));
    return false;
}

/* An address that this stack has, of those that are asked for. */
static struct ip_address shared_address(const struct config *asked) {
    const struct config *config = &keeper.config;
    struct ip4_own own, wanted;
    for (uint32_t i = 0; (wanted = config_address4(asked, i)).address; i++)
        for (uint32_t j = 0; (own = config_address4(config, j)).address; j++)
            if (own.address == wanted.address)
                return ip_from_v4(own.address);
    for (int i = 0; i < asked->count6; i++)
        for (int j = 0; j < config->count6; j++)
            if (ip_equal(asked->addresses6[i].address, config->addresses6[j].address))
                return config->addresses6[j].address;
    return ip_from_v4(config->address);
}

/* Whoever names a running stack and asks for something else than it is, is told. */
static bool agrees(const struct config *asked, char *message, bool *advised) {
    const struct config *config = &keeper.config;
    char text[IP_ADDRESS_TEXT];
    *advised = false;
    if (asked->name_given && strcmp(asked->name, config->name) != 0) {
        *advised = true;
        snprintf(message, SHARED_MESSAGE_BYTES,
                 "%s on %s is the address of stack '%s'; give --name %s to join it, or another --address",
                 ip_text(shared_address(asked), text), config->nic, config->name, config->name);
        return false;
    }
    if (asked->nic[0] && strcmp(asked->nic, config->nic) != 0) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running on --nic %s, not on %s", config->name,
                 config->nic, asked->nic);
        return false;
    }
    if (!agrees_on_addresses(asked, message) || !agrees_on_gateways(asked, message))
        return false;
    if (asked->mtu && asked->mtu != config->mtu) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with another --mtu than %u",
                 config->name, asked->mtu);
        return false;
    }
    const uint8_t *mac = asked->mac_of_nic ? keeper.nic->facts.mac : asked->mac;
    if (asked->mac_given && memcmp(mac, shared->stack.config.mac, 6) != 0) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with another --mac", config->name);
        return false;
    }
    if (asked->impair[0] && strcmp(asked->impair, config->impair) != 0) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with %s%s", config->name,
                 config->impair[0] ? "--impair " : "no --impair", config->impair);
        return false;
    }
    if (asked->pcap[0] && strcmp(asked->pcap, config->pcap) != 0) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with %s%s", config->name,
                 config->pcap[0] ? "--pcap " : "no --pcap", config->pcap);
        return false;
    }
    if (asked->record[0] && strcmp(asked->record, config->record) != 0) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with %s%s", config->name,
                 config->record[0] ? "--record " : "no --record", config->record);
        return false;
    }
    if (asked->publish[0] && strcmp(asked->publish, config->publish) != 0) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with %s%s", config->name,
                 config->publish[0] ? "--publish " : "no --publish", config->publish);
        return false;
    }
    if (asked->sysctl[0] && strcmp(asked->sysctl, config->sysctl) != 0) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with %s%.200s", config->name,
                 config->sysctl[0] ? "--sysctl " : "no --sysctl", config->sysctl);
        return false;
    }
    if (asked->loopback_given && asked->loopback != config->loopback) {
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' is running with --loopback %s", config->name,
                 config->loopback ? "stack" : "kernel");
        return false;
    }
    return true;
}

/* Whether a stack that is started for this would be as this one is. */
static bool is_the_same(const struct config *asked) {
    const struct config *config = &keeper.config;
    return strcmp(asked->nic, config->nic) == 0 && strcmp(asked->name, config->name) == 0 &&
           config_same_addresses4(asked, config) && asked->dhcp == config->dhcp &&
           asked->autoconf == config->autoconf && has_same_addresses6(asked) &&
           ip_equal(asked->gateway6, config->gateway6) && asked->gateway == config->gateway &&
           asked->mtu == config->mtu && asked->mac_given == config->mac_given &&
           asked->mac_of_nic == config->mac_of_nic &&
           memcmp(asked->mac, config->mac, sizeof asked->mac) == 0 && asked->loopback == config->loopback &&
           strcmp(asked->impair, config->impair) == 0 && strcmp(asked->pcap, config->pcap) == 0 &&
           strcmp(asked->record, config->record) == 0 && strcmp(asked->publish, config->publish) == 0 &&
           strcmp(asked->sysctl, config->sysctl) == 0;
}

/* A process that uses the stack; 0: none does. What has ended counts no more, though its account may not be
 * settled yet. */
static int find_user(void) {
    struct list *link, *next;
    int user = 0;
    region_enter();
    keeper_watch_children();
    list_for_each(link, next, &shared->process_list) {
        const struct process *process = container_of(link, struct process, link);
        if (process->pidfd < 0 || keeper_lives(process))
            user = process->pid ? process->pid : -1;
    }
    if (!user && !list_empty(&shared->inflights))
        user = -1;
    region_leave();
    return user;
}

/* Leaves what is in TIME_WAIT to the next stack, in the locked file of its name: this keeper opens no files
 * any more (privileges.c). */
static void leave_waits(void) {
    static struct tcp_waiting waiting[WAITING_MAX];
    struct waits head = {.magic = SHARED_MAGIC, .version = SHARED_VERSION};
    region_enter();
    if (!shared->broken)
        head.count = tcp_waiting_save(&shared->stack, waiting, WAITING_MAX);
    region_leave();
    ssize_t bytes = (ssize_t)(head.count * sizeof *waiting);
    keeper.leaves_lock = head.count && pwrite(keeper.lock, &head, sizeof head, 0) == sizeof head &&
                         pwrite(keeper.lock, waiting, (size_t)bytes, sizeof head) == bytes;
}

void keeper_take_over(void) {
    struct waits head;
    struct tcp_waiting waiting;
    bool ours = pread(keeper.lock, &head, sizeof head, 0) == sizeof head && head.magic == SHARED_MAGIC &&
                head.version == SHARED_VERSION;
    off_t at = sizeof head;
    for (uint32_t i = 0; ours && i < head.count; i++, at += sizeof waiting) {
        if (pread(keeper.lock, &waiting, sizeof waiting, at) != sizeof waiting)
            continue;
        region_enter();
        tcp_waiting_resume(&shared->stack, &waiting);
        region_leave();
    }
    if (ftruncate(keeper.lock, 0) < 0)
        keeper.leaves_lock = false; /* it is left to nobody else */
}

uint32_t keeper_yields(void) {
    if (find_user())
        return IPC_REFUSED;
    region_enter();
    bool waits = shared->broken || (list_empty(&shared->process_list) && tcp_all_waiting(&shared->stack) &&
                                    !keeper_frames_waiting());
    region_leave();
    if (!waits)
        return IPC_CLOSING;
    leave_waits();
    ipc_server_close();
    keeper_take_down("the stack has given way to another one");
    keeper_call_main();
    keeper.joined = true;
    return IPC_YIELDS;
}

static void name_process(int pid, char *text, size_t room) {
    char path[40], name[20] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    if (file && fgets(name, sizeof name, file))
        name[strcspn(name, "\n")] = 0;
    if (file)
        fclose(file);
    if (name[0])
        snprintf(text, room, "%s (process %d)", name, pid);
    else
        snprintf(text, room, "a program");
}

/* What there is to do, behind what is wrong. */
static void advise(int user, char *message) {
    char who[60];
    size_t used = strlen(message);
    name_process(user, who, sizeof who);
    snprintf(message + used, SHARED_MESSAGE_BYTES - used,
             "; %s uses it: 'barewire down --name %s' ends it, or another %s makes another stack", who,
             keeper.config.name, strcmp(keeper.config.nic, "passt") == 0 ? "--name" : "--address");
}

uint32_t keeper_terms(const struct config *asked, bool resumes, char *message) {
    bool may_start = asked->nic[0] && !resumes;
    if (may_start && !is_the_same(asked) && !find_user()) {
        uint32_t status = keeper_yields();
        if (status == IPC_CLOSING)
            snprintf(message, SHARED_MESSAGE_BYTES,
                     "stack '%s' has other options, and still sends what its programs have left; 'barewire "
                     "down --name "
                     "%s' ends it",
                     keeper.config.name, keeper.config.name);
        if (status != IPC_REFUSED)
            return status;
    }
    bool advised;
    if (!agrees(asked, message, &advised)) {
        int user = find_user();
        if (user && may_start && !advised)
            advise(user, message);
        return IPC_REFUSED;
    }
    if (!resumes && keeper.config.impair[0] && !asked->impair[0])
        snprintf(message, SHARED_MESSAGE_BYTES, "stack '%s' has a bad network: --impair %s",
                 keeper.config.name, keeper.config.impair);
    return IPC_WELCOME;
}
