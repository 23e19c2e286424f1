# Everything a person does with swarmlet's source. `make help` lists it.

CARGO    ?= cargo
SWARMLET := target/release/swarmlet
MUSL     ?= $(shell uname -m)-unknown-linux-musl
STATIC   := target/$(MUSL)/small/swarmlet
# What `make static` does beyond `cargo build --profile small`, and what each is worth of 2,200 KiB:
# - The standard library is built along, for small size and without the printer of stack traces,
#   which a program without symbols cannot use: 270 KiB. The flags for it (-Z) are for nightly
#   compilers; RUSTC_BOOTSTRAP=1 makes a stable one take them. Panics still say what and where.
# - Nothing unwinds (panic = "abort") and nobody walks the stack, so neither the tables for it are
#   kept (an eighth) nor the code that reads them: whoever asks for a stack finds it empty. 55 KiB.
# - Equal functions are kept once. Addresses to correct at the start are packed.
# - Where a panic happened is told by short paths, the same on every machine: 8 KiB.
# - Runs of instructions that occur often are kept once and called (the outliner of LLVM), where
#   that saves 5 bytes or more: 30 KiB. The lab takes a fifth longer for it, where all that can be
#   saved, 9 KiB more, would cost a third; a tracker answers 3 % fewer datagrams. Not every
#   processor has an outliner.
# - The linker has the ends of texts in common: half a KiB.
# Left out: a program at a fixed address (`-C relocation-model=static`) is 17 KiB less, and easier to
# attack.
SYSROOT    := $(shell rustc --print sysroot 2>/dev/null)
STD_SOURCE := $(SYSROOT)/lib/rustlib/src/rust/library
CARGO_HOME ?= $(HOME)/.cargo
OUTLINE    := $(if $(filter x86_64-% aarch64-% arm% riscv%,$(MUSL)),\
  -C llvm-args=-enable-machine-outliner=always -C llvm-args=-outliner-benefit-threshold=5)
STATIC_FLAGS := -C linker=rust-lld -C link-arg=--icf=all -C link-arg=-O2 -C link-arg=-zpack-relative-relocs \
  -C link-arg=target/no-unwinding.ld $(OUTLINE) \
  --remap-path-prefix=$(STD_SOURCE)/= --remap-path-prefix=$(CARGO_HOME)/registry/src/=
# Each of them answers 0 as if the stack had ended. (And threads of ours name themselves: the way of
# the standard library brings the printf of C, 11 KiB.)
NO_STACK := pthread_setname_np $(addprefix _Unwind_,Backtrace GetIP GetIPInfo GetCFA GetDataRelBase \
  GetTextRelBase GetRegionStart GetLanguageSpecificData SetGR SetIP FindEnclosingFunction)
REBUILD_STD := -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size
ADDR     ?= 127.0.0.1:8000
RUNS     ?= 200
SEED     ?= 1

.PHONY: help build static demo test interop big bench bench-check bench-rpc bench-idle bench-udp faults run-tracker run-peer sim mutants snapshot picture tour lint size rooms clean

help:            ## this list
	@grep -hE '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

build:           ## the program: target/release/swarmlet
	$(CARGO) build --release --locked

static: target/no-unwinding.ld ## the same, small, as one file that needs no library, in half of the memory: target/*-musl/…
	@rustup target list --installed | grep -qx $(MUSL) || rustup target add $(MUSL)
	@[ -d $(STD_SOURCE) ] || rustup component add rust-src || true
	@if RUSTC_BOOTSTRAP=1 $(CARGO) fetch -q --locked --manifest-path $(STD_SOURCE)/Cargo.toml \
	  2>/dev/null; then export RUSTC_BOOTSTRAP=1; set -- $(REBUILD_STD); \
	else echo 'no source of the standard library here (component rust-src): 270 KiB more' >&2; fi; \
	set -x; RUSTFLAGS="$(STATIC_FLAGS)" \
	  $(CARGO) build --profile small --locked --target $(MUSL) "$$@" $(WITH)

target/no-unwinding.ld: Makefile
	@mkdir -p target
	@printf '%s\n' 'SECTIONS { /DISCARD/ : { *(.eh_frame .eh_frame_hdr .gcc_except_table*) } }' \
	  'INSERT AFTER .text;' $(NO_STACK:%='% = sched_yield;') > $@

demo: build      ## a tracker, a sharer and two getters, here and now; shows what happens
	tests/demo.sh $(SWARMLET)

test: lint       ## everything that proves it works; no network beyond this machine
	$(CARGO) test --locked
	$(CARGO) build --release --locked
	$(CARGO) check --locked --no-default-features --all-targets
	$(CARGO) test --locked --no-default-features --test bare

lint:            ## formatting, clippy and documentation, without a warning
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --quiet

interop: build   ## real other clients and trackers against ours, both ways (installs them)
	SWARMLET=$(SWARMLET) python3 tests/interop/run.py

big: build       ## 1 GiB over loopback between our two ends: time and memory
	SWARMLET=$(SWARMLET) python3 tests/interop/big.py

bench bench-check: RUNS = 5
bench: build static ## beside other peers, trackers and bare loops (installs them); ROOM=… RUNS=… SIZE=… WITH_CRATES=1
	tests/interop/install.sh bench$(if $(WITH_CRATES),-crates)
	$(CARGO) build --release --locked --example limits
	$(CARGO) build --release --locked --no-default-features --target-dir target/bare
	SWARMLET=$(SWARMLET) STATIC=$(STATIC) PORTABLE=target/bare/release/swarmlet RUNS=$(RUNS) python3 tests/bench/run.py $(BENCH) $(ROOM)

bench-check: BENCH = --check
bench-check: bench ## the same; fails where a promised ratio is missed, and prints which

bench-udp: build ## announces over UDP a second, ours and opentracker's side by side
	SWARMLET=$(SWARMLET) python3 tests/bench/udp.py

bench-rpc: build ## how soon remote control answers while 4 GiB are verified
	SWARMLET=$(SWARMLET) python3 tests/bench/rpc.py

bench-idle: static ## what two hundred torrents cost that nobody wants: memory, wake-ups
	SWARMLET=$(STATIC) python3 tests/bench/idle.py

faults: build    ## the program killed, unplugged, lied to, on full and failing disks (as root: more)
	SWARMLET=$(SWARMLET) python3 tests/faults/run.py $(ROWS)

run-tracker: build ## a tracker at ADDR (127.0.0.1:8000)
	$(SWARMLET) tracker --http $(ADDR)

run-peer: build  ## a peer for the torrents in DIR (demo/peer, with one to begin with)
	@[ -n "$(DIR)$(TORRENTS)" ] || tests/sample.sh $(SWARMLET) $(ADDR)
	$(SWARMLET) peer --dir $(or $(DIR),demo/peer) $(TORRENTS)

sim:             ## long hunt in the lab: RUNS=… swarms drawn by lot from SEED=… on, on all cores
	RUNS=$(RUNS) SEED=$(SEED) $(CARGO) test --locked --test stories hunt -- \
	  --ignored --nocapture

snapshot:        ## the tables of how swarms behave (fixtures/sim), made anew
	SNAPSHOT=write $(CARGO) test --locked --test stories snapshot
	@git diff --stat -- fixtures/sim

mutants:         ## faults planted on purpose, each of which a story must find (part of `make test`)
	$(CARGO) test --locked --test mutants

picture: build   ## the picture in the README, drawn anew
	@mkdir -p fixtures/lab
	$(SWARMLET) lab free-riders --svg fixtures/lab/free-riders.svg

tour:            ## the reader's tour: which file to read next, and how long it is
	@grep -oE '`[a-z_]+/[a-z_]+\.rs`' src/lib.rs | tr -d '`' | while read -r f; do \
	  [ -f src/$$f ] && printf '%5d  src/%s\n' $$(wc -l < src/$$f) $$f; done; true

size: build static ## bytes of the program: as it is, static, static with no more than it needs; its crates
	@$(MAKE) -s static WITH="--no-default-features --target-dir target/bare"
	@stat -c '%9s  %n' $(SWARMLET) $(STATIC) $(STATIC:target/%=target/bare/%)
	@printf '%9d  crates in it\n' $$($(CARGO) tree --locked --edges normal,no-proc-macro --prefix none \
	  | cut -d' ' -f1 | sort -u | grep -vcx swarmlet)

rooms:           ## what each room costs: lines of source, KiB of the program
	@CARGO_PROFILE_SMALL_STRIP=none $(MAKE) -s static \
	  STATIC_FLAGS="$(STATIC_FLAGS) -C symbol-mangling-version=v0" WITH="--target-dir target/rooms"
	@python3 tests/rooms.py $(STATIC:target/%=target/rooms/%)

clean:           ## removes what was built
	$(CARGO) clean
	rm -rf demo
