# Everything sets itself up: a fresh clone needs make, Python 3.11 or later, and pip reaching PyPI.

PYTHON ?= python3
PYTEST_ARGS ?=
# Tests mostly wait for processes they have started; a file's tests share what is slow to make.
PARALLEL ?= -n 3 --dist loadfile
SOAK_ARGS ?=
IDLE_ARGS ?=
BENCH_ARGS ?= --markdown docs/performance.md
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# Errors only: where an index is configured in an odd way, pip warns with every line.
PIP_INSTALL = -m pip install --quiet --quiet

VENV = .venv
VENV_STAMP = $(VENV)/.installed

# The demo has an environment of its own: the package installed as users install it, beside Flower.
# It is written for this Flower; the next one needs releases of certifi that not every index has.
DEMO_VENV = .cache/demo-venv
DEMO_STAMP = $(DEMO_VENV)/.installed
DEMO_FLOWER = flwr[simulation]>=1.41,<1.42

# The benchmarks run what users install, with the extra [fast] beside their peers, and without it.
BENCH_VENV = .cache/bench-venv
BENCH_PLAIN_VENV = .cache/bench-plain-venv
BENCH_STAMP = $(BENCH_VENV)/.installed

# Directories too: their time changes when a file in them is deleted.
SOURCES = pyproject.toml hatch_build.py README.md $(shell find telemetry_spool uploader startup systemd launchd \
	-not -name '*.pyc' -not -name __pycache__)

# $(call new_venv,DIRECTORY): make a virtual environment, unless a working one is there.
define new_venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "error: Python 3.11 or later is needed and '$(PYTHON)' is not:" \
		"try 'make $(MAKECMDGOALS) PYTHON=python3.12'" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "error: '$(PYTHON)' has no venv module: install it" \
		"(Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
@$(1)/bin/python $(PIP_INSTALL) --upgrade 'pip>=25.1'
endef

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format bench bench-idle soak clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(DEMO_STAMP) ## Three real Flower simulations offline, then the uploader
	@$(DEMO_VENV)/bin/python -m demo.demo

test: lint ## Check style and types, then run the tests (PYTEST_ARGS=... is passed on)
	@$(VENV)/bin/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

lint: $(VENV_STAMP) ## Check style and types
	@$(VENV)/bin/python -m ruff check
	@$(VENV)/bin/python -m ruff format --check
	@$(VENV)/bin/python -m mypy

format: $(VENV_STAMP) ## Format the code and fix what can be fixed
	@$(VENV)/bin/python -m ruff check --fix
	@$(VENV)/bin/python -m ruff format

bench: $(BENCH_STAMP) ## Measure side by side with others: 30 minutes (BENCH_ARGS=--quick: one)
	@$(BENCH_VENV)/bin/python -m benchmarks $(BENCH_ARGS)

bench-idle: $(VENV_STAMP) ## Measure the idle daemon: 20 minutes (IDLE_ARGS="--minutes 1")
	@$(VENV)/bin/python -m benchmarks.idle $(IDLE_ARGS)

soak: $(VENV_STAMP) ## A million events through kills and faults (SOAK_ARGS=... is passed on): hours
	@$(VENV)/bin/python -m tests.faults.soak $(SOAK_ARGS)

$(BENCH_STAMP): Makefile benchmarks/requirements.txt $(SOURCES)
	@echo "Setting up $(BENCH_VENV) ..."
	$(call new_venv,$(BENCH_PLAIN_VENV))
	@$(BENCH_PLAIN_VENV)/bin/python $(PIP_INSTALL) .
	$(call new_venv,$(BENCH_VENV))
	@$(BENCH_VENV)/bin/python $(PIP_INSTALL) '.[fast]' -r benchmarks/requirements.txt
	@touch $@

clean: ## Remove the environments, caches and build results
	rm -rf $(VENV) .cache build dist .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV_STAMP): pyproject.toml hatch_build.py uploader/lines.c startup $(wildcard startup/*)
	@echo "Setting up $(VENV) for development ..."
	$(call new_venv,$(VENV))
	@$(VENV)/bin/python $(PIP_INSTALL) --editable . --group dev
	@touch $@

$(DEMO_STAMP): Makefile $(SOURCES)
	@echo "Setting up $(DEMO_VENV) with Flower and this package (the first time takes minutes) ..."
	$(call new_venv,$(DEMO_VENV))
	@$(DEMO_VENV)/bin/python $(PIP_INSTALL) '$(DEMO_FLOWER)' .
	@touch $@
