# One front door for every task; each target works from a fresh clone by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
CLIENTS := tests/clients/matrix/requirements
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export UV_NO_PROGRESS = 1

UI_SOURCES := $(shell find ui -path ui/node_modules -prune -o -type f -print 2>/dev/null)

.PHONY: help install run demo-eval test clients lint types format bench soak outages fuzz lock screenshots clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 22

$(STAMPS)/env: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Voxgate needs Python 3.11 or later; this is %s. Try: make PYTHON=python3.12 run" % sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/ui: $(STAMPS)/env $(UI_SOURCES) hatch_build.py
	$(BIN)/python hatch_build.py --web
	@mkdir -p $(STAMPS) && touch $@

# With the C compiler, where there is one.
$(STAMPS)/native: $(STAMPS)/env src/voxgate/gateway/_splice.c $(wildcard src/voxgate/gateway/_*.h) hatch_build.py
	$(BIN)/python hatch_build.py --native
	@mkdir -p $(STAMPS) && touch $@

install: $(STAMPS)/env $(STAMPS)/native $(STAMPS)/ui ## environment in .venv, web app built

run: install ## start Voxgate and print its URL and admin key (ARGS="--port 9000" adds flags)
	$(BIN)/voxgate serve $(ARGS)

demo-eval: install ## from calls to tests, without a key: record, change, replay, compare, listen (ARGS="--output r.html")
	$(BIN)/python examples/evals/demo.py $(ARGS)

# Five at a time: most tests wait for something most of the time.
test: install ## the whole test suite (ARGS="-k relay" adds flags)
	$(BIN)/python -m pytest -n 5 --dist loadfile --no-loadscope-reorder $(ARGS)

clients: install ## the real clients through Voxgate, into docs/clients.md (ARGS="--only browser" picks some)
	$(BIN)/python -m tests.clients.matrix $(ARGS)

lint: install ## linters, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python hatch_build.py --lint

format: $(STAMPS)/env ## let ruff format and sort
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Of the control plane's OpenAPI document; a test fails where they are stale.
types: $(STAMPS)/env ## the web app's types (ui/src/api/schema.ts) from the API
	$(BIN)/python -m tests.api.typescript

fuzz: install ## wrong keys, requests, messages and frames at a whole gateway (ARGS="--minutes 10 --seed 7")
	$(BIN)/python -m tests.fuzz $(ARGS)

lock: ## compile requirements/*.txt again from pyproject.toml
	$(PYTHON) -m venv $(STAMPS)/lock && $(STAMPS)/lock/bin/pip install --quiet uv
	$(STAMPS)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra local --extra parquet --extra postgres --extra queue --extra s3 --group build --group test --group lint pyproject.toml -o requirements/dev.txt
	$(STAMPS)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra local --extra parquet --extra postgres --extra queue --extra s3 pyproject.toml -o requirements/run.txt
	cd $(CLIENTS) && for each in *.in; do $(CURDIR)/$(STAMPS)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $$each -o $${each%.in}.txt; done

bench: install ## the relay beside its peers, side by side, into docs/performance.md (needs nginx, haproxy, node)
	$(BIN)/python -m bench $(ARGS)

soak: install ## an hour of calls with random faults, and one call of an hour, into docs/soak.md (ARGS="--minutes 2 --calls 30" shortens it, ARGS="--kills 1000" kills)
	$(BIN)/python -m bench.soak $(ARGS)

outages: install ## database, object store and disk away for a minute each, under calls (OUTAGE=60)
	VOXGATE_OUTAGE_SECONDS=$(or $(OUTAGE),60) $(BIN)/python -m pytest -q --timeout 900 tests/faults/test_stores.py tests/faults/test_full_disk.py -k "away_cost or full_disk_costs"

screenshots: install ## take the pictures of docs/images again
	VOXGATE_SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/python -m pytest -q tests/e2e/test_playground.py tests/e2e/test_playground_ways.py tests/e2e/test_manage.py tests/e2e/test_sessions_page.py tests/e2e/test_session_page.py tests/e2e/test_requests_page.py tests/e2e/test_evaluations.py
	$(BIN)/python -m tests.e2e.real_trace
	$(BIN)/python -m tests.e2e.report_pictures

clean: ## remove everything that the other targets made (not the data)
	rm -rf $(VENV) $(STAMPS) .clients ui/node_modules src/voxgate/webapp src/voxgate/gateway/_splice.*.so dist
