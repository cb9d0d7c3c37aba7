# `make help` lists the targets. `make demo` and `make test` set up what they need in .venv; nothing is
# installed outside this folder. A comment that begins with ## is a target's line in the help: what it
# does, and about how long it takes on two cores once everything is built.

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
OLD_VENV := .venv-0.10.5
MIDDLE_VENV := .venv-0.12.3
NOX := .venv-nox
# The script, not `python -m pytest`: that one would import the sources, which have no extension.
PYTEST = $(BIN)/pytest -q -n 2 --dist loadfile
UV := $(VENV)/bin/uv
BIN := $(VENV)/bin
PYTHON_SOURCES := sky_rs_patch pytest_skyrs tests tools conftest.py noxfile.py
SOURCES := $(shell git ls-files -co --exclude-standard rust ':!rust/fuzz' sky_rs_patch sky_rs_patch.data pytest_skyrs pyproject.toml)

.PHONY: help check single-core rust-lint python-lint demo demo-check need-cargo test build lint rust-test
.PHONY: python-test plugin-test
.PHONY: old-test newest-test sdist-test upstream fuzz fuzz-core guards faults leaks memory-checks matrix
.PHONY: instructions upstream-all planted bench bench-peers bench-core server-bench clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' \
		| expand -t 20

# From another folder: `python -m` would find the sources here, which have no extension.
demo: demo-check build  ## a real API server served by Rust, then planted errors and their verdicts (1 min)
	cd $(VENV) && bin/python -m sky_rs_patch demo
	cd $(VENV) && bin/python -m pytest --skyrs-selftest -q -p no:cacheprovider -c /dev/null --rootdir=. \
		--confcutdir=.

# Before minutes are spent on a build: a server that runs here already has SkyPilot's port.
demo-check:
	@$(PYTHON) -c "import sys; from sky_rs_patch._cli import queue_port; sys.exit(queue_port.check())"

test: lint rust-test python-test plugin-test single-core  ## everything that must pass (23 min)

# Each of these keeps one core busy, the first as long as the others together; instruction counts
# don't depend on the load.
single-core:
	$(MAKE) -j2 upstream old-test newest-test sdist-test instructions

# What a change breaks most often, quickly.
QUICK = $(addprefix tests/shim/test_,proxy.py register.py switch.py status.py) \
	$(addprefix tests/guards/test_,bytecode.py pins.py guards_code.py) \
	tests/fingerprints/test_fingerprints.py tests/routes/test_properties_text.py \
	$(addprefix tests/plugin/test_,canonical.py compare.py known.py normalise.py options.py report.py verdicts.py)
check: lint rust-test  ## for daily work: lints, core, fast tests (3 min)
	$(PYTEST) $(QUICK)

# Environments

# Without cargo, maturin's build would fetch a toolchain of its own: 724 MB, and nothing says so.
need-cargo:
	@command -v cargo >/dev/null || { echo "make: no cargo on the PATH: install Rust 1.88 or newer" \
		"(https://rustup.rs); without it a build downloads 724 MB of toolchain" >&2; exit 2; }

$(VENV)/.tools: Makefile | need-cargo
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	touch $@

$(VENV)/.requirements: $(VENV)/.tools requirements/test.txt
	$(UV) pip install -q --compile-bytecode --python $(BIN)/python -r requirements/test.txt
	touch $@

# The wheel is what users get, so that is what is tested: nothing runs from the source tree.
$(VENV)/.built: $(VENV)/.requirements $(SOURCES)
	rm -rf dist && mkdir dist
	$(BIN)/maturin build --release --locked -q -i $(BIN)/python -o dist
	$(UV) pip install -q --compile-bytecode --python $(BIN)/python --reinstall --no-deps dist/*.whl
	touch $@

# Beside the others, and out of their sight: only the tests that name them load these plugins.
$(VENV)/.other-plugins: $(VENV)/.requirements requirements/plugins.txt
	rm -rf $(VENV)/other-plugins
	$(UV) pip install -q --no-deps --target $(VENV)/other-plugins --python $(BIN)/python \
		-r requirements/plugins.txt
	touch $@

build: $(VENV)/.built  ## the environment .venv with SkyPilot and the wheel (2 min the first time)

.venv-%/.built: $(VENV)/.built requirements/skypilot-%.txt
	$(UV) venv -q --allow-existing --python $(BIN)/python .venv-$*
	$(UV) pip install -q --compile-bytecode --python .venv-$*/bin/python -r requirements/skypilot-$*.txt
	$(UV) pip install -q --compile-bytecode --python .venv-$*/bin/python --reinstall --no-deps dist/*.whl
	touch $@

$(NOX)/.requirements: $(VENV)/.tools requirements/matrix/nox.txt
	$(UV) venv -q --allow-existing --python $(BIN)/python $(NOX)
	$(UV) pip install -q --python $(NOX)/bin/python -r requirements/matrix/nox.txt
	touch $@

# The same with assertions, overflow checks and panics on purpose: for tests alone.
CHECKS_VENV := .venv-checks
$(CHECKS_VENV)/.built: $(VENV)/.built requirements/test.txt
	$(UV) venv -q --allow-existing --python $(BIN)/python $(CHECKS_VENV)
	$(UV) pip install -q --compile-bytecode --python $(CHECKS_VENV)/bin/python -r requirements/test.txt
	rm -rf .work/checks
	$(BIN)/maturin build --locked -q -i $(BIN)/python --features fault-injection -o .work/checks
	$(UV) pip install -q --compile-bytecode --python $(CHECKS_VENV)/bin/python --reinstall --no-deps .work/checks/*.whl
	touch $@

# Checks

lint: $(VENV)/.built  ## formats, clippy, ruff, mypy, stubs, layers, own text (40 s)
	$(MAKE) -j2 rust-lint python-lint

rust-lint:
	cd rust && cargo fmt --check
	cd rust/fuzz && cargo fmt --check
	cd rust && PYO3_PYTHON=$(CURDIR)/$(BIN)/python cargo clippy --locked -q --all-targets -- -D warnings

python-lint:
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(BIN)/mypy --python-executable $(BIN)/python sky_rs_patch pytest_skyrs
	cd $(VENV) && bin/python -m mypy.stubtest sky_rs_patch._native
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/check/foreign_text.py
	$(BIN)/python tools/release/routes_table.py --check
	$(BIN)/python tools/release/start_table.py --check

rust-test: $(VENV)/.tools  ## tests of the core crate (1 min)
	cd rust && cargo test --locked -q -p sky-rs-core

# In two sessions: the first one deletes and reloads SkyPilot's modules under its own feet.
python-test: $(VENV)/.built  ## tests of the shim, and each route against its original (9 min)
	$(PYTEST) tests --ignore=tests/routes --ignore=tests/mutants --ignore=tests/plugin
	$(PYTEST) tests/routes tests/mutants

# Panics on purpose within every native function.
faults: $(CHECKS_VENV)/.built  ## panics within every native function, on a build of its own (4 min)
	$(CHECKS_VENV)/bin/pytest -q -p no:cacheprovider tests/faults/checked

# Every route 100,000 times: no memory, no descriptor stays.
leaks: $(VENV)/.built  ## every route 100,000 times: no memory, no descriptor stays (5 min)
	$(BIN)/python tools/check/leaks.py --calls 100000

# The extension with assertions: the tests with CPython's own checks of memory, then under valgrind.
MEMORY_TESTS = $(addprefix tests/shim/test_,proxy.py register.py switch.py status.py finder.py fork.py) \
	tests/guards/test_guards.py tests/guards/test_guards_yaml.py \
	$(addprefix tests/faults/,test_faults_signals.py test_faults_threads.py checked) \
	$(addprefix tests/routes/test_properties_,text.py files.py schema.py) \
	$(addprefix tests/routes/test_properties_yaml_,load.py keys.py dump.py)
memory-checks: $(CHECKS_VENV)/.built  ## debug allocator, then valgrind (2 h)
	PYTHONMALLOC=debug $(CHECKS_VENV)/bin/python -X dev $(CHECKS_VENV)/bin/pytest -q \
		-p no:cacheprovider $(MEMORY_TESTS)
	cd .work && ../$(CHECKS_VENV)/bin/python ../tools/check/memory_calls.py

# The plugin; 'slow' tests are for `make plugin-test SELECT=`.
SELECT = -m 'not slow'
plugin-test: $(VENV)/.built $(VENV)/.other-plugins  ## tests of the pytest plugin; SELECT= for the slow ones, too (4 min)
	$(PYTEST) $(SELECT) tests/plugin

# Random calls of every route on Rust and on its original, for so many minutes; then the core alone,
# for as long. The seed and the number of a call that differs are printed with it.
MINUTES = 5
SEED = 1
fuzz: $(VENV)/.built  ## MINUTES=5 SEED=1: random calls of all routes, then of the core
	cd tests && ../$(BIN)/python -m fuzz --minutes $(MINUTES) --seed $(SEED)
	$(MAKE) fuzz-core

# Wants cargo-fuzz (`cargo install cargo-fuzz`); says so where it isn't.
fuzz-core:  ## the core's fuzz targets alone; wants cargo-fuzz
	$(PYTHON) tools/check/fuzz_core.py --minutes $(MINUTES) --seed $(SEED)

# The same tests of the shim on an older SkyPilot, which has is_process_alive.
old-test: $(OLD_VENV)/.built  ## the routes on SkyPilot 0.10.5 (1 min)
	$(OLD_VENV)/bin/pytest -q -p no:cacheprovider tests/shim/test_routes_exist.py

# What `pip install` gives today, in an environment made anew and without a lock: each route is called
# once, and must answer as its original does. `make matrix ONLY=newest` runs all tests on it.
NEWEST := .work/newest
newest-test: $(VENV)/.built  ## every route on the newest of everything that SkyPilot needs (1 min)
	$(UV) venv -q --clear --python $(BIN)/python $(NEWEST)
	$(UV) pip install -q --refresh --compile-bytecode --python $(NEWEST)/bin/python dist/*.whl skypilot==0.14.1
	cd $(NEWEST) && SKY_RS_ENABLE=release_memory bin/python -m sky_rs_patch status --check --exercise

# Everything that every original reads, replaced in every way, before the first call and after one.
guards: $(VENV)/.built  ## everything that every original reads, replaced in every way (30 min)
	mkdir -p .work
	$(BIN)/python tests/support/guard_cases.py --json .work/guards.json

# Instructions of hot and first calls, under callgrind, against tools/bench/instructions.json.
instructions: $(VENV)/.built  ## instruction counts of hot and first calls, under valgrind (2 min)
	$(BIN)/python tools/bench/instructions.py

# SkyPilot's own tests: plainly, and on both backends.
upstream: $(VENV)/.built  ## SkyPilot's own tests, plainly and on both backends (5 min)
	$(BIN)/python tools/check/upstream.py --work .work/upstream

# Three SkyPilots, three double runs in a row of each, in one process and with two workers.
WORKERS = -- -n 2 --dist loadgroup -s
upstream-all: $(VENV)/.built $(OLD_VENV)/.built $(MIDDLE_VENV)/.built  ## the same for three SkyPilots, three times (2 h)
	$(BIN)/python tools/check/upstream.py --work .work/upstream --runs 3
	$(BIN)/python tools/check/upstream.py --work .work/upstream --runs 3 $(WORKERS)
	for release in 0.10.5 0.12.3; do \
		run="$(BIN)/python tools/check/upstream.py --work .work/upstream --runs 3"; \
		run="$$run --release $$release --python .venv-$$release/bin/python"; \
		$$run && $$run $(WORKERS) || exit; \
	done

# SkyPilots, CPythons, wrapts and pytests, in environments under .work/matrix: what a release runs.
# Hours; ONLY="py3.9 nightly" runs the cells with one of these in their names.
ONLY =
MATRIX = PATH="$(CURDIR)/$(NOX)/bin:$$PATH" $(NOX)/bin/python tools/release/matrix.py
matrix: $(NOX)/.requirements  ## all SkyPilots, CPythons, wrapts and pytests; ONLY="py3.9 nightly" for some (hours)
	$(MATRIX) $(ONLY)

# The table of docs/double-run.md: what a wrong candidate is caught by.
planted: $(VENV)/.built  ## ten wrong candidates on the real SkyPilot, and what the double run calls them (3 min)
	$(BIN)/python tools/check/planted.py

# The sdist holds all that a build needs but the crates, which the build above has fetched.
sdist-test: $(VENV)/.built  ## the sdist builds offline, to the same wheel (2 min)
	rm -rf .work/sdist && mkdir -p .work/sdist
	$(BIN)/maturin sdist -o .work/sdist
	cd .work/sdist && tar xzf *.tar.gz
	cd .work/sdist/sky_rs_patch-* && CARGO_NET_OFFLINE=true CARGO_TARGET_DIR=$(CURDIR)/rust/target \
		$(CURDIR)/$(BIN)/maturin build --release --locked -q -i $(CURDIR)/$(BIN)/python -o ../out
	$(BIN)/python tools/check/same_wheel.py dist/*.whl .work/sdist/out/*.whl

# Every route against its original and its bounds, end to end; from another folder, as the demo.
bench: $(VENV)/.built  ## each route against its original, end to end (10 min)
	mkdir -p .work/bench
	cd $(VENV) && bin/python -m sky_rs_patch bench --end-to-end \
		--json ../.work/bench/bench.json --html ../.work/bench/bench.html

# The same originals compiled by Cython and mypyc, in an environment of their own.
bench-peers: $(VENV)/.built requirements/bench.txt  ## the originals compiled by Cython and mypyc beside the routes (10 min)
	$(UV) venv -q --allow-existing --python $(BIN)/python .venv-bench
	$(UV) pip install -q --compile-bytecode --python .venv-bench/bin/python -r requirements/bench.txt
	$(UV) pip install -q --compile-bytecode --python .venv-bench/bin/python --reinstall --no-deps dist/*.whl
	mkdir -p .work/bench
	cd $(VENV) && ../.venv-bench/bin/python ../tools/bench/bench_peers.py --json ../.work/bench/peers.json

# The algorithms by themselves.
bench-core: $(VENV)/.tools  ## the algorithms alone, by criterion (5 min)
	cd rust/core/benches && CARGO_TARGET_DIR=$(CURDIR)/rust/target cargo bench --locked

# A real API server: requests a second, CPU seconds and memory. Wants a quiet machine: half an hour.
server-bench: $(VENV)/.built  ## a real API server without and with the shim (30 min; wants a quiet machine)
	mkdir -p .work
	$(BIN)/python tools/bench/server_bench.py --rounds 5 --json .work/server-bench.json
	$(BIN)/python tools/bench/server_bench.py --memory 10000 --json .work/server-memory.json

clean:  ## remove everything that these targets made
	rm -rf $(VENV) $(NOX) $(CHECKS_VENV) .venv-bench $(OLD_VENV) $(MIDDLE_VENV) .work dist rust/target
