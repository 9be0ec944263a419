# `make demo` deploys the sample service, `make test` runs all tests. Each target sets up what it needs.
# `make down` removes everything again.
.DEFAULT_GOAL := help
.PHONY: help venv up demo status down compose-secrets compose-pin compose-up compose-down lint test test-unit test-fuzz test-integration test-e2e test-wheel test-compose test-clients test-real bench-build bench-live bench-live-compose bench-parse bench-nightly bench-guests bench-api faults pictures schema lock
SHELL := /bin/bash
PY := .venv/bin/python

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

venv: ## make the Python environment in the cache folder and link it as .venv
	@sandbox/venv.sh

up: venv ## start the sandbox: engine, registry, Artifactory, cluster, gateway, Airflow
	@$(PY) -m sandbox up

demo: up ## deploy the sample service and print its live URL
	@url=$$($(PY) -m sandbox deploy --zip include/examples/services/quote-service --manifest include/examples/quote-service.json) \
	  && echo "GET $$url/echo" && curl --fail --silent --show-error "$$url/echo" && echo "$$url/"

status: venv ## show each part, its address and whether it answers
	@$(PY) -m sandbox status

down: venv ## remove the sandbox: every process, container, mount, bridge and firewall rule
	@$(PY) -m sandbox down

compose-secrets: ## make missing secrets of docker-compose.yaml in compose/secrets
	@compose/make-secrets.sh

compose-pin: ## pin the images of docker-compose.yaml: write their digests into .env
	@compose/pin-images.sh

compose-up: up ## start the stack of docker-compose.yaml beside the sandbox: Celery workers, TLS builders
	@$(PY) -m sandbox up --only compose

compose-down: venv ## remove only that stack; `make down` removes it as well
	@$(PY) -m sandbox down --only compose

lint: venv ## run ruff, mypy and the import contracts
	@.venv/bin/ruff format --check -q . && .venv/bin/ruff check -q . && .venv/bin/mypy && PYTHONPATH=plugins .venv/bin/lint-imports
	@.venv/bin/proselint check --config .proselint.json *.md docs/*.md

test: lint test-unit test-fuzz test-integration test-e2e ## run lint and all tests
	@$(MAKE) --no-print-directory -j 2 --output-sync=line test-wheel compose-up
	@$(MAKE) --no-print-directory test-compose

test-unit: venv ## unit tests, without the sandbox (under 20 s)
	@.venv/bin/pytest -q -n 2 tests/unit

test-fuzz: venv ## bounded fuzzing of what is foreign, and the worst text for each regular expression
	@.venv/bin/pytest -q -n 2 tests/fuzz

test-integration: up ## hooks and operators against the real engine, registry, cluster and gateway
	@.venv/bin/pytest -q -n 4 --dist loadfile --no-loadscope-reorder tests/integration

test-e2e: up ## full deployments through the real Airflow
	@.venv/bin/pytest -q -n 2 --dist loadfile -m "not alone" tests/e2e
	@.venv/bin/pytest -q -m alone tests/e2e

test-wheel: up ## the wheel in an empty environment: Airflow finds it, and a deployment goes live
	@.venv/bin/pytest -q tests/wheel

test-compose: compose-up ## full deployments through the compose stack, on both workers
	@.venv/bin/pytest -q tests/compose

test-clients: up ## az, oras, crane and BuildKit's frontend against the sandbox; installs them first (not in CI)
	@.venv/bin/pytest -q tests/clients

test-real: venv ## one deployment to your own Artifactory, registry and cluster (docs/install.md)
	@PYTHONPATH=plugins:. $(PY) -m tests.real

bench-build: up ## time build and push against a shell script; writes .bench/build.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.build

bench-live: up ## time from trigger to live URL against a shell script; writes .bench/live.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.live

bench-live-compose: compose-up ## bench-live through the compose stack, while the sandbox's Airflow is paused
	@eval "$$($(PY) -m sandbox env)" && AIRFLOW_PASSWORD=$$COMPOSE_AIRFLOW_PASSWORD PYTHONPATH=plugins:. \
	  $(PY) -m tests.benchmarks.live --airflow $$COMPOSE_AIRFLOW_URL --case "PostgreSQL, CeleryExecutor"

bench-parse: venv ## time to parse our DAG files against an empty file; writes .bench/parse.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.parse

bench-nightly: up ## cost of a nightly run, and the delay of deployments beside it; writes .bench/nightly.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.nightly

bench-guests: up ## delay of another DAG beside 200 runs with the largest conf; writes .bench/guests.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.guests

bench-api: venv ## the HTTP API and the pages on PostgreSQL with 1,000 services and 20,000 runs; writes .bench/api.json
	@PYTHONPATH=plugins:. $(PY) -m tests.benchmarks.api

faults: compose-up ## inject faults under load and write docs/faults.md (35 to 50 minutes)
	@mkdir -p docs && rm -f docs/faults.md && .venv/bin/pytest -q tests/faults --table docs/faults.md

pictures: up ## take the pictures of docs/pages.md; two minutes
	@PYTHONPATH=plugins:. $(PY) -m tests.pictures

schema: venv ## generate include/manifest.schema.json, docs/manifest.md and docs/api-reference.md from the models
	@PYTHONPATH=plugins $(PY) -m manifest_engine.domain.manifest.schema > include/manifest.schema.json
	@PYTHONPATH=plugins $(PY) -m manifest_engine.domain.manifest.reference > docs/manifest.md
	@PYTHONPATH=plugins $(PY) -m manifest_engine.api.openapi.reference > docs/api-reference.md

lock: venv ## write compose/requirements.lock: all packages of the image, with hashes
	@.venv/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 \
	  --constraint constraints.txt requirements.txt compose/requirements.txt --output-file compose/requirements.lock
