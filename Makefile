# SPDX-License-Identifier: MIT
# barewire: make, make check, make bench, make demo, make install, make deb, make dist, make clean.
#   make quick                       a part of make check that takes four minutes
#   make simulate SEEDS=N            two stacks on bad links, N times; a failing seed says how to replay it
#   make model SEEDS=N               the library and the keeper under a scheduler, N times
#   make fuzz SECONDS=N              libFuzzer on what comes from elsewhere, so long each target
#   make check SAN=asan|tsan|ubsan   the unit tests under a sanitizer
#   make SAN=lock                    whatever leaves the library with the stack's lock held ends the process (tests/lock)
#   make CC=clang
#   make analyze                     gcc -fanalyzer; what else analyzes the sources is a part of make check
#   make bench QUICK=1 BENCH=--html   six rows in three minutes; options of tests/bench/run
#   make arm64                       builds all for arm64, and runs the unit tests on an emulator (scripts/setup arm64)

CC = gcc
, := ,
PREFIX ?= /usr/local
# Of the stack as a library.
LIBDIR ?= $(PREFIX)/lib
BUILD := build$(if $(SAN),-$(SAN))
SANITIZE_asan := -fsanitize=address -fno-omit-frame-pointer
SANITIZE_ubsan := -fsanitize=undefined -fno-sanitize-recover=undefined
SANITIZE_tsan := -fsanitize=thread
SANITIZE_lock := -DLOCK_ASSERTED -fno-omit-frame-pointer
SANITIZE := $(SANITIZE_$(SAN))

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes
# What is built for users has small frames; a test may have a whole packet in one.
FRAMES = $(if $(SANITIZE)$(filter tests/%,$<),,-Wframe-larger-than=16384)
# As Debian's hardening=+all has it; a sanitizer has checks of its own.
FORTIFY := $(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDENING := $(if $(SANITIZE),,-fstack-protector-strong -Wformat -Werror=format-security $(FORTIFY))
# The library defines what libc's headers then have as inline functions, which clang does not take.
UNFORTIFIED := $(if $(findstring clang,$(CC)),-U_FORTIFY_SOURCE)
HARD_LINK := -Wl,-z,relro -Wl,-z,now
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) $(HARDENING) $(SANITIZE) -I. -MMD -MP
# The library runs on whatever stack a program's thread or signal handler has: of a path's length, and little else.
SHIM_FRAMES = $(if $(SANITIZE),,$(if $(filter shim/% nic/%,$<),-Wframe-larger-than=4864))
SHIM_CFLAGS = $(if $(SAN),-DPOOL_POISON) $(UNFORTIFIED) -fPIC -fvisibility=hidden -ftls-model=initial-exec -Wno-missing-prototypes $(SHIM_FRAMES)

# Where a file lies is where it runs: stack and nic know nothing of the rest, shim/region is in both binaries, shim/library in the
# library alone, shim/keeper in the keeper, shim/command in the command. A program's threads move frames by what is in nic/direct. Which word was
# meant by a mistyped one is told wherever options are read.
sources = $(sort $(shell find $(1) -name '*.c'))
STACK := $(call sources,stack)
NIC := $(call sources,nic)
DIGEST := $(BUILD)/digest.c
LIBRARY := $(filter-out stack/router/%,$(DIGEST) $(call sources,shim/library shim/region nic/direct stack)) nic/nearest.c
# The command reads and checks options, and looks at the program: it has nothing of a stack, so that it starts quickly.
COMMAND := $(call sources,shim/command) shim/region/config.c shim/region/elf.c $(addprefix nic/,impair.c interface.c nearest.c tso.c units.c) \
    $(addprefix stack/,sysctl.c ip/ip_address.c tcp/tcp_congestion_name.c)
KEEPER := $(DIGEST) $(call sources,shim/keeper shim/region nic stack)
FUZZ_NAMES := frames ip6 router dhcp options filter config settings capture netlink door dns topology
FUZZ_TARGETS := $(FUZZ_NAMES:%=$(BUILD)/tests/fuzz_%)
UNIT := $(sort $(shell find tests/unit -name 'test_*.c'))
UNIT_SCENES := $(filter-out tests/unit/test_% tests/unit/failing.c,$(wildcard tests/unit/*.c))
UNIT_TESTS := $(patsubst %.c,$(BUILD)/tests/%,$(notdir $(UNIT)))

LIBRARY_LIBS = -ldl
# A sanitizer has an allocator of its own, and the model's scheduler its own locks; of two architectures only one's jemalloc can be
# installed.
JEMALLOC = $(if $(SAN)$(SEAM)$(EMULATOR),,-l:libjemalloc_pic.a -lm)
KEEPER_LIBS = $(shell pkg-config --libs libpcap libcap-ng) -lvdeplug -lpthread -ldl $(JEMALLOC)
CMOCKA_LIBS = $(shell pkg-config --libs cmocka) -lm

.PRECIOUS: $(BUILD)/plain/%.o
.PHONY: all check quick unit simulate fuzz integration bench demo install deb dist clean format
all: $(BUILD)/libbarewire.so $(BUILD)/barewire-keeper $(BUILD)/barewire-load $(BUILD)/barewire

LINK = @mkdir -p $(@D); echo "  LD  $@"; $(CC) $(ALL_CFLAGS) $(WRAPS) -o $@ $^

objects = $(patsubst %.c,$(BUILD)/$(1)/%.o,$(2))

$(BUILD)/plain/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC  $<"
	@$(CC) $(ALL_CFLAGS) $(FRAMES) -fPIE -c $< -o $@

$(BUILD)/shared/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC  $< (shared)"
	@$(CC) $(ALL_CFLAGS) $(FRAMES) $(SHIM_CFLAGS) $(UNSANITIZED) -c $< -o $@

# What sanitizers' runtimes come to before they are ready; and what writes to libc's instructions, whose shadow can't be written.
$(addprefix $(BUILD)/shared/shim/,region/kernel_calls.o library/memory.o library/user_memory.o $(addprefix library/syscalls/,syscall_sites.o syscall_patch.o syscall_stub.o syscall_traps.o user_dispatch.o)): UNSANITIZED := -fno-sanitize=all

$(BUILD)/plain/shim/keeper/tools/report/html.o: $(wildcard shim/keeper/tools/report/page/*)

$(DIGEST): $(sort $(shell find stack shim nic -name '*.[ch]'))
	@mkdir -p $(@D)
	@echo '#include "shim/region/region.h"' >$@
	@echo "uint32_t build_digest(void) { return $$(cat $^ | cksum | cut -d' ' -f1)u; }" >>$@

# With SAN=lock all of it, as one object that is called and calls through a check.
GUARD := tests/lock/guard tests/lock/allowed
guarded = $(if $(filter lock,$(SAN)),$(BUILD)/$(1).o,$(2))
$(BUILD)/library.o: $(call objects,shared,$(LIBRARY)) shim/library/libbarewire.map $(GUARD)
	@echo "  LD  $@"
	@tests/lock/guard $@ $(filter %.map,$^) $(filter %.o,$^)

$(BUILD)/keeper.o: $(call objects,shared,$(KEEPER)) $(GUARD)
	@echo "  LD  $@"
	@tests/lock/guard $@ none $(filter %.o,$^)

$(BUILD)/libbarewire.so: $(call guarded,library,$(call objects,shared,$(LIBRARY))) shim/library/libbarewire.map
	@echo "  LD  $@"
	@$(CC) $(ALL_CFLAGS) -shared -o $@ $(filter %.o,$^) -Wl,--version-script=shim/library/libbarewire.map \
	    -Wl,-z,defs $(HARD_LINK) -Wl,-Bsymbolic-functions $(LIBRARY_LIBS) $(SEAM)

# Under a sanitizer the keeper is made of the library's kind of objects, whose free objects of pools say so by their content.
$(BUILD)/barewire-keeper: $(call guarded,keeper,$(call objects,$(if $(SAN),shared,plain),$(KEEPER)))
	$(LINK) -pie $(HARD_LINK) $(KEEPER_LIBS)

$(BUILD)/barewire-load: $(call objects,plain,$(call sources,shim/loader))
	$(LINK) -pie $(HARD_LINK) -ldl

# scripts/barewire is a link to that of build/, also for tests of what a sanitizer instruments.
ifneq ($(BUILD),build)
.PHONY: build/barewire
all: $(if $(SAN),build/barewire)
build/barewire:
	@$(MAKE) --no-print-directory SAN= BUILD=build $@
endif

$(BUILD)/barewire: $(call objects,plain,$(COMMAND))
	$(LINK) -pie $(HARD_LINK)

$(if $(SEAM),$(BUILD)/libbarewire.so $(BUILD)/barewire-keeper): $(SEAM)

# A short transmit ring is full now and then.
MODEL_DEFINES := -DPOOL_POISON -DPOOL_RUNS_OUT -DCLOCK_OF_LIBC -DCALLS_BY_LIBC -DFRAME_QUEUE_MAX=64u
MODEL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DFRAME_QUEUE_MAX=64u $(WARNINGS) $(CFLAGS) -I.
$(BUILD)/tests/model_seam.so: tests/model/seam.c tests/model/schedule.c tests/model/world.h
	@mkdir -p $(@D)
	@echo "  CC  $@"
	@$(CC) $(MODEL_CFLAGS) -fPIC -fvisibility=hidden -shared -Wl,-soname,model_seam.so -o $@ $(filter %.c,$^)

$(BUILD)/tests/model: tests/model/model.c tests/model/schedule.c tests/model/world.h $(STACK) $(shell find stack shim/region -name '*.h')
	@mkdir -p $(@D)
	@echo "  CC  $@"
	@$(CC) $(MODEL_CFLAGS) -o $@ $(filter %.c,$^)

$(BUILD)/tests/model_program: tests/model/program.c tests/model/hard.c tests/model/program.h tests/model/world.h
	@mkdir -p $(@D)
	@echo "  CC  $@"
	@$(CC) $(MODEL_CFLAGS) -o $@ $(filter %.c,$^) -lpthread

# A test is made of its own file, of what tests/unit has for all of them, and of what these need of everything else.
PARTS := $(DIGEST) $(call sources,stack nic shim/region shim/keeper shim/library/names shim/library/netinfo) shim/library/user_memory.c shim/command/settings.c
$(BUILD)/parts.a: $(call objects,plain,$(PARTS))
	@rm -f $@
	@ar qcs $@ $^

define unit_test
$(BUILD)/tests/$(basename $(notdir $(1))): $(call objects,plain,$(1) $(UNIT_SCENES)) $(BUILD)/parts.a
	$$(LINK) $$(CMOCKA_LIBS)
endef
$(foreach test,$(UNIT),$(eval $(call unit_test,$(test))))

$(BUILD)/tests/simulate: $(call objects,plain,$(call sources,tests/simulation)) $(BUILD)/parts.a
	$(LINK)

# Programs in which memory can be made to run out: tests/unit/failing.h.
$(BUILD)/tests/test_failures $(BUILD)/tests/simulate: WRAPS := -Wl,--wrap=pool_take,--wrap=pool_take_zeroed,--wrap=arena_take_block
$(BUILD)/tests/test_failures $(BUILD)/tests/simulate: $(BUILD)/plain/tests/unit/failing.o

PACKETDRILL_OBJECT := $(wildcard tests/packetdrill/*.c) shim/library/calls/cmsg.c shim/library/calls/cmsg_read.c $(STACK)
$(BUILD)/tests/packetdrill.so: $(call objects,shared,$(PACKETDRILL_OBJECT))
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CC) $(ALL_CFLAGS) -shared -o $@ $^ -Wl,-z,defs -lpthread -ldl

# A target is made of its own file, and of what that needs of everything else.
$(BUILD)/tests/fuzz_%: $(call objects,plain,tests/fuzz/fuzz_%.c tests/fuzz/target.c tests/fuzz/region.c) $(BUILD)/parts.a
	$(LINK) $(FUZZER) -lresolv -ldl

# What the kernel would do, which a target does itself.
$(BUILD)/tests/fuzz_dns: WRAPS := $(addprefix -Wl$(,)--wrap=,socket connect close send recv poll)
$(BUILD)/tests/fuzz_netlink: WRAPS := -Wl,--wrap=netlink_ask_kernel
$(BUILD)/tests/fuzz_door: WRAPS := -Wl,--wrap=pool_take,--wrap=pool_take_zeroed,--wrap=arena_take_block
$(BUILD)/tests/fuzz_door: $(BUILD)/plain/tests/unit/failing.o

$(BUILD)/tests/bad_link: $(call objects,plain,tests/bench/bad_link.c $(NIC))
	$(LINK) $(KEEPER_LIBS)

CONFORMANCE := $(wildcard tests/conformance/*.c tests/conformance/*.h)
CONFORMANCE_TESTS := $(BUILD)/tests/conformance $(BUILD)/tests/conformance-raw $(BUILD)/tests/conformance-libc $(BUILD)/tests/conformance-static
$(CONFORMANCE_TESTS): $(CONFORMANCE) tests/raw_call.h
	@mkdir -p $(@D)
	@echo "  CC  $@"
	@$(CC) -std=gnu17 -D_GNU_SOURCE -I. -O1 -g -Wall -Werror -Wno-unused-result -Wno-stringop-overflow $(DOOR) -o $@ $(filter-out $(NO_DOOR),$(filter %.c,$^)) -lpthread

# The same cases by other ways to the same calls.
$(BUILD)/tests/conformance $(BUILD)/tests/conformance-static: NO_DOOR = tests/conformance/doors.c
$(BUILD)/tests/conformance-static: DOOR = -static
$(BUILD)/tests/conformance-raw: DOOR = -DDOOR_RAW
$(BUILD)/tests/conformance-libc: DOOR = -DDOOR_LIBC

$(BUILD)/tests/stack: $(call objects,plain,tests/bench/stack.c $(STACK))
	$(LINK)

# The stack as a library, which the example is linked to as a program elsewhere would be.
STACK_LIBRARY := $(BUILD)/libbarewire-stack.a
$(STACK_LIBRARY): $(call objects,plain,$(STACK))
	@rm -f $@
	@echo "  AR  $@"
	@ar qcsD $@ $^

$(BUILD)/tests/echo: $(call objects,plain,tests/example/echo.c $(STACK))
	$(LINK)

# libFuzzer is clang's; its objects have a folder of their own.
SECONDS ?= 60
fuzz: $(UNIT_TESTS)
	@$(MAKE) --no-print-directory CC=clang BUILD=build-fuzz FUZZER=-fsanitize=fuzzer CFLAGS="-O1 -g" \
	    SANITIZE="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DWITH_LIBFUZZER" \
	    $(FUZZ_NAMES:%=build-fuzz/tests/fuzz_%)
	FUZZ_FOLDER=build-fuzz/tests UNIT_TESTS="$(UNIT_TESTS)" tests/fuzz/run $(SECONDS)

SEEDS ?= 2000
FIRST ?= 1

# The shim's own protocol, see tests/model: the library and the keeper call the model between any two basic blocks.
MODEL_PARTS := build-model/libbarewire.so build-model/barewire-keeper build-model/tests/model build-model/tests/model_program
.PHONY: model model-parts model-faults
model-parts:
	@$(MAKE) --no-print-directory BUILD=build-model CFLAGS="-O1 -g" SAN= SEAM=build-model/tests/model_seam.so \
	    SANITIZE="-fsanitize-coverage=trace-pc $(MODEL_DEFINES)" $(MODEL_PARTS)

# See tests/lock: the library and the keeper end where they leave what is theirs with the stack's lock held.
.PHONY: lock-parts
lock-parts: build/tests/conformance
	@$(MAKE) --no-print-directory SAN=lock BUILD=build-lock all

model: model-parts
	build-model/tests/model $(FIRST) $(SEEDS)

# Known faults, put back in a copy: each must be found.
model-faults:
	tests/model/faults

simulate: $(BUILD)/tests/simulate
	$< $(FIRST) $(SEEDS)

# What gcc's own analyzer says: it takes minutes, and warns falsely of a few NULL pointers; tests/analyze names what is switched off.
.PHONY: analyze
analyze:
	tests/analyze gcc

unit: $(UNIT_TESTS)
	@set -e; for test in $^; do echo "== $$test"; $(EMULATOR) $$test; done

# There the library takes calls over by libc's names alone, which doctor says.
.PHONY: arm64
arm64:
	@$(MAKE) --no-print-directory CC=aarch64-linux-gnu-gcc BUILD=build-arm64 EMULATOR=qemu-aarch64 all unit

check: $(if $(SAN),,all model-parts lock-parts $(BUILD)/tests/packetdrill.so $(BUILD)/tests/echo $(CONFORMANCE_TESTS)) $(UNIT_TESTS) $(BUILD)/tests/simulate $(FUZZ_TARGETS)
	FUZZ_FOLDER=$(BUILD)/tests UNIT_TESTS="$(UNIT_TESTS)" tests/run $(BUILD)/tests/simulate $(if $(SAN),,build-model/tests/model tests/analyze tests/includes tests/modules tests/format tests/programs) $(UNIT_TESTS) tests/unit/run-offload tests/fuzz/run $(if $(SAN),,tests/packetdrill/run --alone tests/lock/run tests/conformance/run tests/integration/run tests/integration/run-pcap tests/integration/run-old-kernel)

quick: all $(BUILD)/tests/echo $(UNIT_TESTS) $(BUILD)/tests/simulate $(BUILD)/tests/conformance
	$(BUILD)/tests/simulate 1 200
	UNIT_TESTS="$(filter-out %/test_goodput,$(UNIT_TESTS))" QUICK=1 tests/run $(filter-out %/test_goodput,$(UNIT_TESTS)) tests/unit/run-offload --alone tests/conformance/run tests/integration/run

bench: all $(BUILD)/tests/stack $(BUILD)/tests/bad_link
	tests/bench/run $(BENCH)

demo: all
	scripts/demo

install: all $(STACK_LIBRARY)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/barewire
	install -m 755 $(BUILD)/barewire $(DESTDIR)$(PREFIX)/bin/barewire
	install -m 755 $(BUILD)/barewire-keeper $(DESTDIR)$(PREFIX)/lib/barewire/barewire-keeper
	install -m 755 $(BUILD)/barewire-load $(DESTDIR)$(PREFIX)/lib/barewire/barewire-load
	install -m 644 $(BUILD)/libbarewire.so $(DESTDIR)$(PREFIX)/lib/barewire/libbarewire.so
	install -m 755 scripts/lab $(DESTDIR)$(PREFIX)/lib/barewire/lab
	find stack -name '*.h' | while read -r header; do \
	    install -D -m 644 "$$header" "$(DESTDIR)$(PREFIX)/include/barewire/$$header" || exit; done
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 $(STACK_LIBRARY) $(DESTDIR)$(LIBDIR)/libbarewire-stack.a
	version=$$(sed -n 's/^.define VERSION "\(.*\)"/\1/p' shim/command/help.c) && \
	    sed "s|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$$version|" scripts/barewire-stack.pc >$(DESTDIR)$(LIBDIR)/pkgconfig/barewire-stack.pc
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/barewire/topologies tests/topologies/*.toml
	for page in barewire.1 barewire.conf.5 barewire-keeper.8; do \
	    install -D -m 644 scripts/$$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page || exit; done
	install -D -m 644 scripts/barewire.py $(DESTDIR)$(PREFIX)/lib/python3/dist-packages/barewire.py
	install -D -m 644 scripts/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/barewire
	install -D -m 644 scripts/completion.zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_barewire
	install -D -m 644 scripts/completion.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/barewire.fish

deb: all
	scripts/package build

dist: $(BUILD)/barewire
	scripts/dist $(BUILD)

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-asan build-tsan build-ubsan build-lock build-fuzz build-model build-arm64

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
