# What a person types. Every target that needs the environment makes it first; `make help` lists them.
# Values given as make variables reach the recipes through the environment, never through the text of a command.

.DEFAULT_GOAL := help
.PHONY: help setup setup-conda run-local logs-local test test-v test-servers test-servers-short check bench screenshots chaos security db-list demo serve predict-health predict-text \
	predict-positive predict-negative start stop lock clean

config ?= config/default.yaml
override config := $(value config)
override args := $(value args)
override examples := $(value examples)
override exp := $(value exp)
override text := $(value text)
override rounds := $(value rounds)
override seed := $(value seed)
export config args examples exp text rounds seed

BIN := .venv/bin
PYTHON_IN_VENV := $(BIN)/python
# A file of tests stays in one process; more than four take more memory than they save time. The longest come first.
SIDE_BY_SIDE := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# What differs most from server to server: sign-ins, tasks, the audit log, claims. `make test-servers` runs all.
OF_EACH_AREA := tests/api/test_auth_sessions.py tests/api/test_task.py tests/api/test_audit.py tests/tasks/test_fairness.py

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

setup: ## create or repair the environment in .venv
	@scripts/setup.sh venv

setup-conda: ## the same as a conda environment; CUDA, MPS or CPU is detected
	@scripts/setup.sh conda

run-local: setup ## the main job: validate, train, evaluate, prove, record [config=FILE] [args="--set lora.r=16 ..."]
	@$(PYTHON_IN_VENV) scripts/run_local.py

logs-local: setup ## the latest run's log
	@$(PYTHON_IN_VENV) scripts/show_log.py

test: setup ## all tests
	@$(BIN)/pytest -q $(SIDE_BY_SIDE)

test-v: setup ## all tests, one line each
	@$(BIN)/pytest -v $(SIDE_BY_SIDE)

test-servers: setup ## the tests of API and tasks once more, on PostgreSQL and a Redis with an address
	@FINETUNE_TEST_SERVERS=1 $(BIN)/pytest -q $(SIDE_BY_SIDE) tests/api tests/tasks

test-servers-short: setup ## of these a few files, in about a minute
	@FINETUNE_TEST_SERVERS=1 $(BIN)/pytest -q $(SIDE_BY_SIDE) $(OF_EACH_AREA)

check: setup ## what CI runs: format, lint, types, import contracts, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/bandit -q -r app -c pyproject.toml
	@$(MAKE) --no-print-directory test

bench: setup ## side-by-side measurements against what one would use instead
	@for script in benchmarks/*.py; do echo "== $$script" && $(PYTHON_IN_VENV) "$$script" || exit; done

screenshots: setup ## the READMEs' pictures of the interface, taken anew; some minutes, needs Chromium
	@$(PYTHON_IN_VENV) scripts/screenshots.py

security: setup ## the tests of security in their long form, and Bandit; slow [examples=10]
	@FINETUNE_SCHEMA_EXAMPLES="$${examples:-10}" $(BIN)/pytest -q tests/security
	@$(BIN)/bandit -q -r app -c pyproject.toml

chaos: setup ## the long campaign of faults on real processes; about an hour [rounds=15 seed=1]
	@CHAOS_ROUNDS="$$rounds" CHAOS_SEED="$$seed" $(BIN)/pytest -s tests/chaos/long_form.py

db-list: setup ## experiments, as a table
	@$(BIN)/finetune experiments list

serve: setup ## inference service on :8002 [exp=NAME; the latest run without]
	@$(BIN)/finetune serve $${exp:+--run "$$exp"}

predict-health: setup ## is the inference service up?
	@$(PYTHON_IN_VENV) scripts/ask_service.py health

predict-text: setup ## classify text='...'
	@$(PYTHON_IN_VENV) scripts/ask_service.py predict "$$text"

predict-positive: setup ## classify a sentence of praise
	@$(PYTHON_IN_VENV) scripts/ask_service.py predict "I loved every minute of it, and I would come back tomorrow."

predict-negative: setup ## classify a complaint
	@$(PYTHON_IN_VENV) scripts/ask_service.py predict "A complete waste of money; it broke on the first day."

start: setup ## the whole platform on this machine: UI on :8501, API on :8000, a worker, the queue's server; Ctrl-C stops it
	@exec $(BIN)/finetune start

stop: setup ## stop what `make start` runs on this RESULTS_DIR; trainings save first
	@$(BIN)/finetune stop

lock: setup ## pin the newest versions that pyproject.toml allows in requirements.lock
	@scripts/lock.sh

demo: setup ## the platform with an administrator, example data and one finished run, in a browser [args="--no-browser"]
	@$(PYTHON_IN_VENV) scripts/demo.py $$args

clean: ## remove caches and build output; results and .venv stay
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	@find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
