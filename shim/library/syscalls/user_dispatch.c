/* SPDX-License-Identifier: MIT */
/*
 * user_dispatch.c - see user_dispatch.h.
 *
 * The handler only looks the stub up and lets the thread go on in it, so that the call is made outside of the
 * handler: what changes the thread's signal mask, its signal stack or its memory works as the program
 * expects, and nothing of ours is on the signal stack while a call sleeps. A trap costs two to four
 * microseconds, so that an instruction that is used often becomes a jump (syscall_traps.h).
 *
 * SIGSYS must not be blocked where a system call may come from the program's text: the kernel ends a process
 * for it. So it is taken out of every mask that the program sets.
 */
#include "shim/library/syscalls/user_dispatch.h"
#include "shim/library/calls/call.h"
#include "shim/library/guest/guest_thread.h"
#include "shim/library/memory.h"
#include "shim/library/process/address_space.h"
#include "shim/library/process/attach.h"
#include "shim/library/process/signals.h"
#include "shim/library/syscalls/address_gaps.h"
#include "shim/library/syscalls/loader_hook.h"
#include "shim/library/syscalls/syscall_entry.h"
#include "shim/library/syscalls/syscall_sites.h"
#include "shim/library/syscalls/syscall_stub.h"
#include "shim/library/syscalls/syscall_traps.h"
#include "shim/region/instruction.h"
#include "shim/region/kernel_calls.h"
#include "shim/region/libc.h"
#include "shim/region/syscall_concern.h"
#include "shim/region/syscall_site.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <threads.h>
#include <ucontext.h>

bool user_dispatch_on;

static void unblock_signal(void) {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGSYS);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
}

#if defined __x86_64__ && !defined CALLS_BY_LIBC

#define SYS_USER_DISPATCH_CODE 2 /* si_code */

#define SCAN_MAX \
    (8ul << 20) /* of an executable's text, at every start: a larger one is taken to have some \
                     */
#define STACK_BYTES (256 << 10)
#define STACKS_MAX 4 /* a thread: calls that signals interrupted are in the others */
#define SIGNAL_STACK_BYTES (64 << 10)
#define STACKS_BYTES (STACKS_MAX * STACK_BYTES + SIGNAL_STACK_BYTES)

static uintptr_t allowed; /* the lowest address of the libraries that the process began with */
static bool refused;      /* the program has instructions, and the kernel lets nobody have them */

/* Stacks of this thread for calls of ours: what the program calls on may be too small, as a Go routine's is, be it the
 * program's or a library's. They are taken in order and given back in order, but for a handler
 * that jumps out of a call. */
static __thread struct {
    bool on;
    unsigned taken;
    uint8_t *stacks;
} own __attribute__((tls_model("initial-exec")));

static pthread_key_t
    at_end;             /* made early: for one of the first keys pthread_setspecific(3) takes no memory, */
static bool has_at_end; /* ... which a handler may not */

static void give_stacks(void *stacks) {
    const stack_t none = {.ss_flags = SS_DISABLE};
    if (guest_thread_is_made())
        sigaltstack(&none, NULL);
    own.stacks = NULL;
    munmap(stacks, STACKS_BYTES);
}

static void take_stacks(void) {
    void *memory = mmap(NULL, STACKS_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        attach_fail("there is no memory for a thread's calls");
    own.stacks = memory;
    if (has_at_end)
        pthread_setspecific(at_end, memory);
}

__attribute__((target("general-regs-only"))) void *syscall_stack_take(void) {
    unsigned number = own.taken++;
    return own.stacks && number < STACKS_MAX ? own.stacks + (number + 1) * STACK_BYTES : NULL;
}

__attribute__((target("general-regs-only"))) void syscall_stack_give(void) {
    own.taken--;
}

static bool turn_on(void) {
    return kernel_call(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, (long)allowed,
                       (long)(ADDRESSES_END - allowed), 0, 0) == 0;
}

void user_dispatch_thread(void) {
    if (!user_dispatch_on)
        return;
    guest_thread_begin();
    own.on = turn_on();
    if (!own.stacks)
        take_stacks();
    stack_t stack;
    if (user_dispatch_signal_stack(&stack))
        sigaltstack(&stack, NULL);
}

void user_dispatch_meet_thread(void) {
    if (user_dispatch_on && !own.on && !address_space_is_parents())
        user_dispatch_thread();
}

void *user_dispatch_next_stack(void) {
    bool on_ours = own.stacks && own.taken > 0 && own.taken < STACKS_MAX;
    return on_ours ? own.stacks + (own.taken + 1) * STACK_BYTES : NULL;
}

unsigned user_dispatch_taken(void) {
    return own.taken;
}

void user_dispatch_take_back(unsigned taken) {
    own.taken = taken;
}

void user_dispatch_borrowed(void) {
    turn_on();
}

void user_dispatch_leaves_stack(void) {
    own.taken = 0;
    if (!own.stacks)
        take_stacks();
}

bool user_dispatch_signal_stack(stack_t *stack) {
    if (!guest_thread_is_made() || !own.stacks)
        return false;
    *stack = (stack_t){.ss_sp = own.stacks + STACKS_MAX * STACK_BYTES, .ss_size = SIGNAL_STACK_BYTES};
    return true;
}

void user_dispatch_forked(void) {
    syscall_traps_forked();
    user_dispatch_thread();
}

/* Lets the thread go on in the stub of the instruction that trapped; or, at a thread's end, on a stack that
 * is not its guest's. */
static void lead_on(ucontext_t *context) {
    greg_t *registers = context->uc_mcontext.gregs;
    if (registers[REG_RAX] == SYS_exit && guest_thread_is_made()) {
        guest_thread_end_at_return(context);
        return;
    }
    const uint8_t *stub = syscall_trap((uintptr_t)registers[REG_RIP], (long)registers[REG_RAX]);
    if (!stub)
        attach_fail("this program has more instructions that make system calls than can be taken over");
    registers[REG_RIP] = (greg_t)(uintptr_t)stub;
}

GUEST_SAFE static void on_signal(int signal, siginfo_t *info, void *context) {
    bool was = guest_enter();
    if (info->si_code == SYS_USER_DISPATCH_CODE)
        lead_on(context);
    else if (info->si_code == SI_TKILL && !own.on)
        user_dispatch_thread(); /* another thread has found that it is wanted */
    else
        signals_enter(signal, info, context);
    guest_leave(was);
}

static bool install_handler(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigfillset(&action.sa_mask);
    signals_take(SIGSYS);
    return LIBC(sigaction)(SIGSYS, &action, NULL) == 0;
}

/* Whether Valgrind translates this program (valgrind.h's client request 0x1001, which is nothing to a
 * processor): the kernel would take Valgrind's own system calls for the program's. */
static bool is_translated(void) {
    volatile unsigned long request[6] = {0x1001};
    unsigned long result = 0;
    __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi; xchgq %%rbx, %%rbx"
                     : "+d"(result)
                     : "a"(&request[0])
                     : "cc", "memory");
    return result != 0;
}

/* Gives whether the kernel lets us. */
static bool start(void) {
    if (user_dispatch_on)
        return true;
    syscall_entry_program_begin();
    if (is_translated() || !turn_on())
        return false;
    own.on = user_dispatch_on = true;
    guest_thread_begin();
    install_handler();
    take_stacks();
    pthread_atfork(NULL, NULL, user_dispatch_forked);
    syscall_sites_complete();
    unblock_signal();
    return true;
}

/* What is in an object: system-call instructions, or a note of Go's, whose programs have some for sure. */
struct object {
    const uint8_t *text;
    size_t bytes;
    uintptr_t lowest, end;
    bool go;
};

static bool has_go_note(const uint8_t *notes, size_t length) {
    while (length >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)notes;
        size_t name = (note->n_namesz + 3) & ~3u, description = (note->n_descsz + 3) & ~3u;
        size_t whole = sizeof *note + name + description;
        if (whole > length)
            return false;
        if (note->n_namesz >= 3 && memcmp(notes + sizeof *note, "Go", 2) == 0)
            return true;
        notes += whole;
        length -= whole;
    }
    return false;
}

static struct object look_at(const struct dl_phdr_info *info) {
    struct object object = {.lowest = UINTPTR_MAX};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        const uint8_t *start = (const uint8_t *)(info->dlpi_addr + segment->p_vaddr);
        if (segment->p_type == PT_NOTE)
            object.go |= has_go_note(start, segment->p_memsz);
        if (segment->p_type != PT_LOAD)
            continue;
        if ((uintptr_t)start < object.lowest)
            object.lowest = (uintptr_t)start;
        object.end = (uintptr_t)start + segment->p_memsz;
        if (segment->p_flags & PF_X)
            object.text = start, object.bytes = segment->p_memsz;
    }
    return object;
}

/* That there are none is certain; that there are some is not, but costs no more than a signal handler. */
static bool may_have_instructions(const struct object *object) {
    return object->go || object->bytes > SCAN_MAX ||
           (object->text && syscall_site_find(object->text, object->text + object->bytes));
}

/* The same, nearly for certain: of a library, which has constants like them more often than instructions. */
static bool library_has_instructions(const struct object *object) {
    struct syscall_site site;
    if (object->go || !object->text || object->bytes > SYSCALL_SITE_TEXT_MAX)
        return object->go;
    const uint8_t *end = object->text + object->bytes, *at = object->text;
    for (; (at = syscall_site_find(at, end)); at++) {
        syscall_site_describe(&site, at, object->text, end);
        bool concerns = site.number < 0 || syscall_concern(site.number) != NEVER;
        if (concerns && syscall_site_is_reached(at, object->text, end))
            return true;
    }
    return false;
}

struct search {
    const struct object *object;
    bool found;
};

static void note_instruction(const uint8_t *instruction, unsigned length, void *context) {
    struct search *search = context;
    struct syscall_site site;
    const uint8_t *text = search->object->text;
    if (!instruction_is_syscall(instruction, length))
        return;
    syscall_site_describe(&site, instruction, text, text + search->object->bytes);
    search->found |= site.number < 0 || syscall_concern(site.number) != NEVER;
}

/* Whether there are some for certain, of calls that may concern us: that takes its time. */
static bool has_instructions(const struct object *object) {
    struct search search = {.object = object, .found = object->go};
    if (!search.found && object->text)
        instruction_walk(object->text, object->bytes, note_instruction, &search);
    return search.found;
}

struct view {
    struct object program;
    unsigned count;
    bool found; /* in an object that was loaded later */
    bool go;    /* there is a library in Go */
};

static uintptr_t allowed_end; /* the end of the highest of them */

static void note_library(struct view *view, const struct object *object) {
    view->go |= object->go;
    if (object->text && object->lowest < allowed)
        allowed = object->lowest;
    if (object->end > allowed_end)
        allowed_end = object->end;
}

static int look_at_start(struct dl_phdr_info *info, size_t size, void *context) {
    struct view *view = context;
    struct object object = look_at(info);
    (void)size;
    if (view->count++ == 0)
        view->program = object;
    else if (!strstr(info->dlpi_name, "linux-vdso")) /* which some kernels put above the stack */
        note_library(view, &object);
    return 0;
}

/* Libraries that the program is linked to, which may make its first socket themselves; the others' turn comes with that
 * (syscall_sites_complete). Searching all would take a tenth of the time that programs take to begin. */
static int take_at_start(struct dl_phdr_info *info, size_t size, void *context) {
    struct view *view = context;
    struct object object = look_at(info);
    (void)size;
    if (view->count++ > 0 && (object.go || object.bytes <= SYSCALL_SITE_SMALL_TEXT_MAX))
        syscall_sites_take(info, true);
    return 0;
}

static unsigned known; /* how many objects there were after the last change: what is new is behind them */

static int meet_library(struct dl_phdr_info *info, size_t size, void *context) {
    struct view *view = context;
    (void)size;
    if (view->count++ < known)
        return 0;
    struct object object = look_at(info);
    if (object.lowest >= allowed)
        syscall_sites_take(info, true);
    else if (object.go)
        syscall_traps_of_go(object.text, object.bytes);
    view->found |=
        object.go || (object.lowest < allowed && !user_dispatch_on && library_has_instructions(&object));
    return 0;
}

/* Has every other thread turn it on: each is interrupted once. */
static void tell_threads(void) {
    DIR *folder = opendir("/proc/self/task");
    pid_t process = getpid();
    long self = kernel_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        long thread = strtol(entry->d_name, NULL, 10);
        if (thread > 0 && thread != self)
            kernel_call(SYS_tgkill, process, thread, SIGSYS, 0, 0, 0);
    }
    if (folder)
        closedir(folder);
}

static void on_libraries_changed(void) {
    struct view view = {.count = 0};
    dl_iterate_phdr(meet_library, &view);
    known = view.count;
    if (view.found && !user_dispatch_on && !address_space_by_caller() && start())
        tell_threads();
}

void user_dispatch_tell(void) {
    static const char text[] =
        "this kernel lets nobody take over system calls by instructions of the program's own "
        "(Syscall User Dispatch): sockets that they make are the kernel's";
    if (refused && attach_config.strict)
        attach_fail("%s", text);
    if (refused)
        attach_say("%s", text);
}

/* What dlopen(3) loads has to lie below the libraries that the process began with, since the kernel raises no signal
 * above. The dynamic linker has left gaps among them, where it had its cache, in which a small library would come to lie.
 * Gives the next library's function. */
__attribute__((used, visibility("hidden"))) void *dlopen_begin(void) {
    static bool done;
    void *(*next)(const char *, int) = LIBC(dlopen);
    call_begin();
    if (!done && allowed_end)
        address_gaps_reserve(allowed, allowed_end);
    done |= allowed_end != 0;
    return *(void **)&next;
}

/* It looks at who has called it (RUNPATH, $ORIGIN, name spaces), so that it must seem to be called by that. */
__asm__(".text\n"
        ".globl dlopen\n"
        ".type dlopen, @function\n"
        "dlopen:\n"
        "    .cfi_startproc\n"
        "    pushq %rdi\n"
        "    .cfi_def_cfa_offset 16\n"
        "    pushq %rsi\n"
        "    .cfi_def_cfa_offset 24\n"
        "    subq $8, %rsp\n"
        "    .cfi_def_cfa_offset 32\n"
        "    call dlopen_begin\n"
        "    addq $8, %rsp\n"
        "    .cfi_def_cfa_offset 24\n"
        "    popq %rsi\n"
        "    .cfi_def_cfa_offset 16\n"
        "    popq %rdi\n"
        "    .cfi_def_cfa_offset 8\n"
        "    jmp *%rax\n"
        "    .cfi_endproc\n"
        ".size dlopen, . - dlopen\n");

void user_dispatch_begin(void) {
    struct view view = {.count = 0};
    allowed = ADDRESSES_END;
    dl_iterate_phdr(look_at_start, &view);
    allowed &= ~4095ul;
    if (!view.program.text || (uintptr_t)view.program.text >= allowed)
        return; /* it was not the kernel that loaded the program */
    known = view.count;
    has_at_end = pthread_key_create(&at_end, give_stacks) == 0;
    if (view.program.go)
        syscall_traps_are_all();
    bool wanted = view.go || may_have_instructions(&view.program);
    refused = wanted && !start() && (view.go || has_instructions(&view.program));
    view.count = 0;
    dl_iterate_phdr(take_at_start, &view);
    loader_hook_begin(on_libraries_changed);
}

bool user_dispatch_guest(void) {
    if (!allowed)
        return false;
    has_at_end = has_at_end || pthread_key_create(&at_end, give_stacks) == 0;
    syscall_traps_are_all();
    guest_threads_begin();
    return start();
}

uintptr_t user_dispatch_end(void) {
    return allowed;
}

static int look_later(struct dl_phdr_info *info, size_t size, void *context) {
    struct view *view = context;
    struct object object = look_at(info);
    (void)size;
    if (view->count++ > 0 && object.lowest < allowed)
        view->found |= may_have_instructions(&object);
    return view->found;
}

void user_dispatch_complete(void) {
    struct view view = {.count = 0};
    if (user_dispatch_on || !allowed)
        return;
    dl_iterate_phdr(look_later, &view);
    if (view.found && start())
        tell_threads();
}

#else

void *syscall_stack_take(void) {
    return NULL;
}

void syscall_stack_give(void) {
}

void user_dispatch_begin(void) {
}

void user_dispatch_complete(void) {
}

void user_dispatch_tell(void) {
}

void user_dispatch_thread(void) {
}

void user_dispatch_meet_thread(void) {
}

bool user_dispatch_guest(void) {
    return false;
}

uintptr_t user_dispatch_end(void) {
    return 0;
}

#endif

/* A new thread turns it on before it does anything of the program's. Its attributes may have a mask of
 * signals. */
struct start {
    void *(*function)(void *);
    thrd_start_t c11_function; /* or this one */
    void *argument;
};

static struct start begin_thread(void *context) {
    struct start start = *(struct start *)context;
    memory_give(context);
    user_dispatch_thread();
    unblock_signal();
    return start;
}

static void *begin_posix(void *context) {
    struct start start = begin_thread(context);
    return start.function(start.argument);
}

static int begin_c11(void *context) {
    struct start start = begin_thread(context);
    return start.c11_function(start.argument);
}

/* NULL: the thread needs nothing of us. */
static struct start *to_start(const struct start *wanted) {
    struct start *start = user_dispatch_on ? memory_take(sizeof *start) : NULL;
    if (start)
        *start = *wanted;
    return start;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                          void *argument) {
    call_begin(); /* this may be the constructor of a library in Go */
    struct start *start = to_start(&(struct start){.function = function, .argument = argument});
    int error = start ? LIBC(pthread_create)(thread, attributes, begin_posix, start)
                      : LIBC(pthread_create)(thread, attributes, function, argument);
    if (error)
        memory_give(start);
    return error;
}

EXPORT int thrd_create(thrd_t *thread, thrd_start_t function, void *argument) {
    call_begin();
    struct start *start = to_start(&(struct start){.c11_function = function, .argument = argument});
    int result =
        start ? LIBC(thrd_create)(thread, begin_c11, start) : LIBC(thrd_create)(thread, function, argument);
    if (result != thrd_success)
        memory_give(start);
    return result;
}
