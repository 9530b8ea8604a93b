# Everything a user or a CI job types. `make demo` and `make test` set up what they need by themselves.
#
#   PYTHON=/path/to/python   which Python to use (3.12 or newer; without it .ci/find-python looks for one)
#   VENV=folder              where the environment stands
#   REQUIRE="tmux tshark"    for test: a test skipped for want of one of these is a failure
#   WORKERS=2                for check, test, sweep: how many processes share the tests (without it: one per core)
#   FORMS="rand document"    for hostile: only forms whose name holds one of these words
#   WAY=offline OCTETS=61440 for hostile: one way of looking at them only, and how large they may get
#   MINUTES=60               for soak: how long
#   SECONDS=1200 SEED=1      for fuzz: how long, and what makes its inputs others; TARGETS="codec HAR": only these

PYTHON ?=
VENV ?= .venv
REQUIRE ?=
WORKERS ?= auto
MINUTES ?= 60
SECONDS ?= 60
SEED ?= 1

BIN = $(VENV)/bin
PY = $(BIN)/python
FLOW = flows/trial.flow
# modules that write the generated files with --write, and with --check compare them with what they would write
GENERATORS = tests.samples.generate tests.docs.generate

# A file of tests stays in one process, with the proxies and other fixtures that its tests share.
# The files begin in the order of tests/conftest.py, the longest first, and not by the number of their tests.
PYTEST = REQUIRE='$(REQUIRE)' $(PY) -m pytest --quiet --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
# the tests that are worth running on every save: those of the codec, the documents, the rules and the engine
QUICK = catalogue document engine input keys mikey traffic test_digest.py test_wire.py
SLOW = catalogue/test_composed_faults.py catalogue/test_written_otherwise.py document/test_hostile.py engine/test_growth.py

# The tests start many Pythons: none of them should compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo check test sweep lint types contracts generated docs screenshots pytest bench hostile fuzz soak generate wheel lock clean environment dev-environment

help:
	@echo 'make demo      real mitmdump on a recorded trial: the findings scroll by, a summary ends it'
	@echo 'make check     the part of make test that is worth running on every save'
	@echo 'make test      everything that CI checks: lint, types, contracts, generated, docs, pytest'
	@echo 'make sweep     what make test does with one of a kind, with all: every fault through the real mitmdump'
	@echo 'make bench     the benchmarks of tests/bench, side by side; the figures go to build/bench.json'
	@echo 'make hostile   the hostile forms: how their cost grows, and what is above the bounds (FORMS=, WAY=, OCTETS=)'
	@echo 'make fuzz      changed inputs for everything that reads any (SECONDS=, SEED=, TARGETS=)'
	@echo 'make soak      real mitmdump for an hour: memory, lost report lines, latency, open files (MINUTES=)'
	@echo 'make generate  write the sample flows and the generated pages again'
	@echo 'make docs      build the pages for users into build/docs, and check their links'
	@echo 'make screenshots  photograph the view and the page for the README (needs tmux, chromium, chromedriver)'
	@echo 'make wheel     build the wheel into dist/'
	@echo 'make lock      choose the versions in constraints.txt again (needs uv)'
	@echo 'make clean     remove the environment and whatever else was made here'

demo: environment
	$(BIN)/mitmdump -nr $(FLOW) -s addons/ltkm.py
	@echo 'The same morning as packets, with keys pushed over UDP: $(BIN)/ltkm-inspect check flows/trial.pcapng'

check: lint types contracts
	@$(PYTEST) $(addprefix --ignore=tests/,$(SLOW)) $(addprefix tests/,$(QUICK))

sweep: dev-environment
	@$(PYTEST) -m "sweep or hypothesis" --hypothesis-profile sweep

# pytest comes last, so that its list of skipped tests ends the output; of what comes before, each takes one core
test: dev-environment
	@$(MAKE) --no-print-directory --jobs 2 lint types contracts generated docs
	@$(MAKE) --no-print-directory pytest

lint: dev-environment
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check

types: dev-environment
	@$(PY) -m mypy

contracts: dev-environment
	@$(BIN)/lint-imports --no-logo

generated: dev-environment
	@for module in $(GENERATORS); do $(PY) -m $$module --check || exit 1; done

docs: dev-environment
	@$(PY) -m mkdocs build --strict

screenshots: dev-environment
	@$(PY) -m tests.screenshots

pytest: dev-environment
	@$(PYTEST)

bench: dev-environment
	@$(PY) -m tests.bench

hostile: dev-environment
	@$(PY) -m tests.hostile $(if $(WAY),--way $(WAY)) $(if $(OCTETS),--octets $(OCTETS)) $(FORMS)

fuzz: dev-environment
	@$(PY) -m tests.fuzz --seconds $(SECONDS) --seed '$(SEED)' $(TARGETS)

soak: dev-environment
	@$(PY) -m tests.soak --minutes $(MINUTES)

generate: dev-environment
	@for module in $(GENERATORS); do $(PY) -m $$module --write || exit 1; done

wheel: dev-environment
	@$(PY) -m build --wheel --no-isolation

# One world for pip and uv: every platform and Python in one file by markers, no hashes, no hosts.
lock:
	@uv --version >/dev/null || { echo 'make lock needs uv: pip install uv' >&2; exit 1; }
	@python=$$(PYTHON='$(PYTHON)' sh .ci/find-python) && UV_PYTHON_DOWNLOADS=never uv pip compile --quiet \
		--python "$$python" --python-version 3.12 --universal --extra dev --upgrade --no-annotate \
		--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
		--output-file constraints.txt pyproject.toml

clean:
	[ ! -f '$(VENV)/pyvenv.cfg' ] || rm -rf '$(VENV)'
	rm -rf .venv-3.* build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find addons ltkm_inspect tests -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	@PYTHON='$(PYTHON)' sh .ci/environment '$(VENV)'

dev-environment:
	@PYTHON='$(PYTHON)' sh .ci/environment '$(VENV)' dev
