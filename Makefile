# Each target sets itself up: Python 3.11 or later, make and a C compiler are all it needs.
PYTHON := $(shell python3.11 --version >/dev/null 2>&1 && echo python3.11 || echo python3)
PIP := .venv/bin/python -m pip --disable-pip-version-check

export DAGSTER_DISABLE_TELEMETRY = 1
export GX_ANALYTICS_ENABLED = false
export TOKENIZERS_PARALLELISM = false

.PHONY: demo test ui bench lint lock

demo: export HF_HUB_OFFLINE = 1
demo: .venv/.installed
	@echo "demo: builds, poisons, audits, filters and trains on generated pairs, then says where the report is"
	@.venv/bin/antivenom demo

# A process a core, each with whole files, so that what a file sets up is made once; in order, for those that start servers
# and processes of their own come last, when cores are free.
test: export HF_HUB_OFFLINE = 1
test: .venv/.installed
	@echo "test: the default suite, house rules included; for the rest, .venv/bin/pytest -m gpu or -m slow"
	@.venv/bin/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

ui: export DAGSTER_HOME = $(CURDIR)/.dagster_home
ui: export PYTHONWARNINGS = ignore:Function `dev_command` is superseded
ui: .venv/.installed
	@echo "ui: Dagster on http://127.0.0.1:3000, once it says that it serves; Ctrl-C ends it; runs are kept in .dagster_home"
	@mkdir -p .dagster_home
	@test -e .dagster_home/dagster.yaml || cp dagster.template.yaml .dagster_home/dagster.yaml
	@.venv/bin/dagster dev -w workspace.yaml

SCRIPTS = $(wildcard benchmarks/$(or $(BENCH),[!_]*).py)
bench: .venv/.installed
	@echo "bench: $(or $(SCRIPTS),$(error no script benchmarks/$(or $(BENCH),*).py))"
	@for script in $(SCRIPTS); do .venv/bin/python $$script || exit 1; done

lint: .venv/.installed
	@echo "lint: ruff, mypy and the import contracts"
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

# Torch goes first and alone, so that its build (CPU or CUDA) is chosen once; nothing is installed that is not in the lock.
.venv/.installed: requirements.lock pyproject.toml
	@echo "set-up: .venv from requirements.lock; the first time takes some minutes and 3 GB"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv
	@$(PIP) install -qq -c requirements.lock "$$(grep '^torch==' requirements.lock)"
	@$(PIP) install -qq --no-deps -r requirements.lock
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@

# The labels and CUDA packages dropped here belong to one build of torch, which brings its own.
lock:
	@echo "lock: the newest versions that pyproject.toml allows, installed afresh and written to requirements.lock"
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(PIP) install -qq setuptools "$$(grep '^torch==' requirements.lock)"
	@$(PIP) install -qq --no-build-isolation -e '.[dev]'
	@{ echo "# Every version that make installs, written by make lock."; \
	  $(PIP) freeze --all --exclude pip --exclude-editable | sed 's/+.*//' | grep -vE '^(nvidia|cuda|triton)'; \
	} > .venv/requirements.lock && mv .venv/requirements.lock requirements.lock
	@$(PIP) check && touch .venv/.installed
