/* SPDX-License-Identifier: MIT */
/*
 * syscall_traps.c - see syscall_traps.h.
 *
 * Of an instruction that has trapped often one of its neighbours moves into the stub with it (syscall_site.h).
 * Where the number is loaded right before, the load becomes the jump and the instruction itself stays: that is
 * right whatever other threads do, and wherever else the program jumps. Where what follows has to move, no
 * thread may be asleep in the instruction, and nothing may jump behind it.
 */
#include "shim/library/syscalls/syscall_traps.h"
#include "shim/library/process/sandbox.h"
#include "shim/library/syscalls/syscall_entry.h"
#include "shim/library/syscalls/syscall_patch.h"
#include "shim/library/syscalls/syscall_stub.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/syscall_site.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>

#if defined __x86_64__ && !defined CALLS_BY_LIBC

#define PLACES 8192 /* a power of two; at most half of them are taken */
#define HOT 16      /* traps, after which an instruction is replaced */
#define PAGE_BYTES 4096

/* Which stub an instruction has: by the address behind it, in a table that is read without a lock. */
static struct place {
    _Atomic uintptr_t behind;
    const uint8_t *_Atomic stub;
    _Atomic unsigned traps;
} places[PLACES];
static unsigned places_taken;
static atomic_flag busy = ATOMIC_FLAG_INIT;

struct text {
    const uint8_t *start, *end;
};

static struct text texts[2]; /* a guest's: a program's and its loader's */
static unsigned text_count;
static struct text go_texts[8];
static _Atomic unsigned go_text_count;
static bool all_traps;

void syscall_traps_are_all(void) {
    all_traps = true;
}

void syscall_traps_of_go(const void *start, size_t bytes) {
    unsigned number = go_text_count;
    if (number == sizeof go_texts / sizeof *go_texts)
        return; /* what is more stays slow */
    go_texts[number] = (struct text){start, (const uint8_t *)start + bytes};
    go_text_count = number + 1;
}

static bool is_of_go(const uint8_t *behind) {
    for (unsigned i = 0; i < go_text_count; i++)
        if (behind >= go_texts[i].start && behind < go_texts[i].end)
            return true;
    return false;
}

void syscall_traps_text(const void *start, size_t bytes) {
    if (text_count < sizeof texts / sizeof *texts && bytes <= SYSCALL_SITE_TEXT_MAX) {
        texts[text_count].start = start;
        texts[text_count++].end = (const uint8_t *)start + bytes;
    }
}

static size_t place_of(uintptr_t behind) {
    size_t at = (size_t)(behind * 0x9e3779b97f4a7c15u >> 40) & (PLACES - 1);
    while (places[at].behind && places[at].behind != behind)
        at = (at + 1) & (PLACES - 1);
    return at;
}

static void lock_places(void) {
    while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
        kernel_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

static void unlock_places(void) {
    atomic_flag_clear_explicit(&busy, memory_order_release);
}

void syscall_traps_forked(void) {
    unlock_places();
}

static const uint8_t *make_stub(const struct syscall_site *site) {
    if (!syscall_stubs_open())
        return NULL;
    const uint8_t *stub = syscall_stub_make(site, syscall_entry_program);
    syscall_stubs_close();
    return stub;
}

/* The load of the number becomes a jump, if there is one and it does not begin on another page. */
static bool replace_load(const uint8_t *instruction, long number) {
    unsigned bytes = (uintptr_t)instruction % PAGE_BYTES > SYSCALL_SITE_LOAD_MAX
                         ? syscall_site_load(instruction, number)
                         : 0;
    struct syscall_site site = {
        .instruction = instruction, .before = instruction - bytes, .before_bytes = bytes};
    const uint8_t *stub = bytes ? make_stub(&site) : NULL;
    return stub && syscall_patch((uint8_t *)site.before, stub);
}

static bool can_replace_behind(const uint8_t *behind) {
    const uint8_t *instruction = behind - 2;
    const uint8_t *page = (const uint8_t *)((uintptr_t)instruction & ~(uintptr_t)(PAGE_BYTES - 1));
    if ((!all_traps && !is_of_go(behind)) || syscall_site_is_jumped_over(instruction, page))
        return false;
    if (syscall_site_behind(behind))
        return true;
    for (unsigned i = 0; i < text_count; i++)
        if (behind >= texts[i].start && behind + 8 < texts[i].end)
            return syscall_site_movable_behind(behind) &&
                   !syscall_site_is_target(behind, texts[i].start, texts[i].end);
    return false;
}

/* A filter of the program's might not allow what replacing asks of the kernel. */
static void count_trap(size_t at, long number) {
    const uint8_t *behind = (const uint8_t *)places[at].behind;
    if (places[at].traps > HOT || sandboxed() || ++places[at].traps != HOT)
        return;
    lock_places();
    if (!replace_load(behind - 2, number) && can_replace_behind(behind))
        syscall_patch((uint8_t *)behind - 2, places[at].stub);
    unlock_places();
}

/* What a stub does of what follows, be it replaced one day or not. */
static unsigned stub_does(const uint8_t *behind) {
    unsigned bytes = syscall_site_behind(behind);
    return bytes ? bytes : syscall_site_movable_behind(behind);
}

uintptr_t syscall_trap_of_stub(uintptr_t stub) {
    for (size_t at = 0; at < PLACES; at++)
        if ((uintptr_t)places[at].stub == stub)
            return places[at].behind - 2;
    return 0;
}

/* Whether the stub of a place does what follows now: other code may have come to the address since. */
static bool is_of(const struct place *place, const uint8_t *behind) {
    return syscall_stub_does(place->stub, behind, stub_does(behind));
}

/* A thread that trapped before its instruction was replaced comes here afterwards: what stands there now is ours, and
 * the stub does what stood there then. With the lock, so that nothing is half replaced. */
static bool is_current(const struct place *place, const uint8_t *behind) {
    return is_of(place, behind) || syscall_patch_leads(behind - 2, place->stub);
}

const uint8_t *syscall_trap(uintptr_t behind, long number) {
    size_t at = place_of(behind);
    const uint8_t *code = (const uint8_t *)behind;
    if (places[at].behind && is_of(&places[at], code)) {
        count_trap(at, number);
        return places[at].stub;
    }
    lock_places();
    at = place_of(behind);
    bool known = places[at].behind, room = known || places_taken < PLACES / 2;
    bool wanted = known ? !is_current(&places[at], code) : room;
    const uint8_t *stub =
        wanted ? make_stub(&(struct syscall_site){.instruction = code - 2, .after_bytes = stub_does(code)})
               : NULL;
    if (stub) {
        places_taken += !known;
        places[at].stub = stub;
        places[at].traps = 0;
        places[at].behind = behind;
    }
    unlock_places();
    return wanted ? stub : places[at].behind ? places[at].stub : NULL;
}

#else

void syscall_traps_are_all(void) {
}

void syscall_traps_of_go(const void *start, size_t bytes) {
    (void)start, (void)bytes;
}

void syscall_traps_text(const void *start, size_t bytes) {
    (void)start, (void)bytes;
}

#endif
