# Every command of the project; `make help` lists them.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
ROOMS := adapters core gateway

.DEFAULT_GOAL := help
.PHONY: help install run test lint format golden bench clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Make .venv, with everything that running, testing and linting need

$(VENV)/installed: setup.cfg pyproject.toml requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint requirements.txt --editable '.[embedded,tracing,dev]'
	@touch $@

run: install ## Serve the demo on 127.0.0.1:8000, or PORT=; everything it needs is started
	@exec $(BIN)/crm-gateway run --port $(PORT)

test: install ## Run the whole test suite
	$(BIN)/python -m pytest $(ARGS)

lint: install ## Check formatting, types, import contracts and dead code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture $(ROOMS) deploy/vulture.py --min-confidence 60

format: install ## Format the code and sort its imports
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

golden: install ## Rewrite the golden documents; review the difference
	$(BIN)/python -m pytest -k golden --golden-rewrite $(ARGS)

bench: install ## Measure the speed against yardsticks, as SPEC section 8 says
	$(BIN)/python deploy/bench/run.py $(ARGS)

clean: ## Remove .venv, caches and the embedded data that belongs to this .venv
	@test ! -x $(BIN)/python || $(BIN)/python -c 'from gateway import embedded; print(embedded.discard() or "No embedded data removed.")'
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
