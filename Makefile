# Every command a person needs.  `make help` lists them.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
ARGS ?=
SECONDS ?= 60

.PHONY: help setup check test test-compiled demo bench coverage-matrix corpus-matrix corpus-cuts fuzz test-kernels docs dashboards image cluster-test cluster-up cluster-down clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## install the system packages and make .venv (needs root once)
	@./scripts/setup

check: ## lint, types, layers, unit, property and golden tests; no root, some minutes
	@./scripts/check

test: setup ## everything, kernel tests included (needs root)
	@./scripts/test

test-compiled: setup ## the core's tests once more, on the compiled core that the container image has
	@./scripts/test-compiled $(ARGS)

demo: setup ## the main job, end to end, on this machine (needs root); ARGS=--json for machines
	@./scripts/setup-demo
	@.venv/bin/podtab demo $(ARGS)

bench: setup ## measure: one JSON object on standard output, a table on standard error (needs root)
	@./scripts/bench $(ARGS)

coverage-matrix: setup ## real clients of every TLS stack against the books, and docs/coverage.md made anew (needs root); ARGS names rows
	@./scripts/coverage-matrix $(ARGS)

corpus-matrix: ## every recorded exchange in every framing, compared with what it should give
	@$(PYTHON) -m tests.dialects.matrix

corpus-cuts: ## every recorded stream cut at every tenth: evidence and errors
	@$(PYTHON) -m tests.dialects.cut_report

fuzz: ## every parser under a coverage-guided fuzzer, for SECONDS in all (60); ARGS names targets
	@./scripts/fuzz $(SECONDS) $(ARGS)

test-kernels: setup ## the kernel tests on Debian's 5.10, 6.1 and 6.12, arm64 too, in emulated machines, and docs/kernels.md (needs root, half an hour); ARGS=--guest=6.1-arm64
	@./scripts/test-kernels $(ARGS)

docs: ## make the generated pages anew from the code
	@$(PYTHON) -m agent.sinks.metrics_reference > docs/metrics.md
	@$(PYTHON) -m agent.config_reference > docs/configuration.md
	@$(PYTHON) -m agent.config_reference --schema charts/podtab/values.schema.json
	@$(PYTHON) -m charts.values_reference

dashboards: ## make Grafana's dashboards anew from charts/dashboards
	@$(PYTHON) -m charts.dashboards

image: ## build the container image and print its size
	@./scripts/image $(ARGS)

cluster-test: setup ## install the chart on a whole real Kubernetes node, built and run here, and check it against the books (needs root, Go)
	@./scripts/cluster-test $(ARGS)

cluster-up: setup ## leave that cluster standing, to play with
	@./scripts/cluster-test up

cluster-down: setup ## remove every trace of it
	@./scripts/cluster-test down
