# Two commands do it all: `make demo` deploys the sample service for real, `make test` runs all tests.
# Each sets up what it needs; `make down` takes everything away again.
.DEFAULT_GOAL := help
.PHONY: help venv up demo status down compose-secrets compose-pin compose-up compose-down lint test test-unit test-integration test-e2e test-wheel test-compose bench-build bench-live bench-live-compose bench-parse bench-nightly bench-guests faults schema
SHELL := /bin/bash
PY := .venv/bin/python

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

venv: ## the Python environment, kept outside the checkout under a key of what it is made of
	@sandbox/venv.sh

up: venv ## the whole sandbox: engine, registry, Artifactory, cluster, gateway, Airflow
	@$(PY) -m sandbox up

demo: up ## deploy the sample service for real and print the URL that answers
	@url=$$($(PY) -m sandbox deploy --zip include/examples/services/quote-service --manifest include/examples/quote-service.json) \
	  && echo "GET $$url/echo" && curl --fail --silent --show-error "$$url/echo" && echo "$$url/"

status: venv ## each part, where it listens and whether it answers
	@$(PY) -m sandbox status

down: venv ## stop all of it: no process, container, mount, bridge or firewall rule is left
	@$(PY) -m sandbox down

compose-secrets: ## make the secrets of docker-compose.yaml in compose/secrets; what is there is kept
	@compose/make-secrets.sh

compose-pin: ## pin the images of docker-compose.yaml: write the digests of their tags into .env
	@compose/pin-images.sh

compose-up: up ## besides the sandbox the stack of docker-compose.yaml: Celery workers and TLS builders
	@$(PY) -m sandbox up --only compose

compose-down: venv ## take that stack away alone; `make down` does so, too
	@$(PY) -m sandbox down --only compose

lint: venv ## ruff, mypy, import contracts
	@.venv/bin/ruff format --check -q . && .venv/bin/ruff check -q . && .venv/bin/mypy && PYTHONPATH=plugins .venv/bin/lint-imports

test: lint test-unit test-integration test-e2e test-wheel test-compose ## everything, on the real parts

test-unit: venv ## rules and edges without the sandbox (under 20 s)
	@.venv/bin/pytest -q -n 2 tests/unit

test-integration: up ## each piece against the real engine, registry, cluster and gateway
	@.venv/bin/pytest -q -n 4 --dist loadfile --no-loadscope-reorder tests/integration

test-e2e: up ## whole deployments through the real Airflow
	@.venv/bin/pytest -q -n 2 --dist loadfile -m "not alone" tests/e2e
	@.venv/bin/pytest -q -m alone tests/e2e

test-wheel: up ## the wheel in an empty environment: Airflow knows it, and a deployment goes live
	@.venv/bin/pytest -q tests/wheel

test-compose: compose-up ## whole deployments through the compose stack, on both of its workers
	@.venv/bin/pytest -q tests/compose

bench-build: up ## build and push against a script by hand: a table, and .bench/build.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.build

bench-live: up ## from the click to the URL, against a script by hand: a table, and .bench/live.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.live

bench-live-compose: compose-up ## the same through the compose stack, while the sandbox's Airflow stands still
	@eval "$$($(PY) -m sandbox env)" && AIRFLOW_PASSWORD=$$COMPOSE_AIRFLOW_PASSWORD PYTHONPATH=plugins:. \
	  $(PY) -m tests.benchmarks.live --airflow $$COMPOSE_AIRFLOW_URL --case "PostgreSQL, CeleryExecutor"

bench-parse: venv ## what parsing our DAG files costs, against an empty one: a table, and .bench/parse.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.parse

bench-nightly: up ## what a night costs, and whether people's deployments wait: .bench/nightly.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.nightly

bench-guests: up ## how long another DAG waits beside 200 runs with the largest conf: .bench/guests.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.guests

faults: compose-up ## break things on purpose under load, and write docs/faults.md (25 to 35 minutes)
	@mkdir -p docs && rm -f docs/faults.md && .venv/bin/pytest -q tests/faults --table docs/faults.md

schema: venv ## write include/manifest.schema.json and docs/manifest.md anew from the model
	@PYTHONPATH=plugins $(PY) -m manifest_engine.domain.manifest.schema > include/manifest.schema.json
	@PYTHONPATH=plugins $(PY) -m manifest_engine.domain.manifest.reference > docs/manifest.md
