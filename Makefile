# Every chore of this project; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RIG := $(BIN)/python -m tests.rig
STAMP := $(VENV)/.installed
# Most of a test's time goes by in waiting, so two of them share two cores; those that can't stand it come after.
CLUSTER_TESTS = $(BIN)/pytest -n 2 --dist loadfile -m "cluster and not alone" --require-cluster; \
	  $(BIN)/pytest -m "cluster and alone" --require-cluster
# Puts a recipe's line into the project's environment: PATH, KUBECONFIG and IMAGE of the embedded cluster.
ENTER = eval "$$($(RIG) env)"
# Where Go puts the tools that are built for chores; keyed by version, outside of the repository.
CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/dask-kubernetes-helm
HELM_DOCS_VERSION := 1.14.2
HELM_DOCS := $(CACHE)/artifacts/helm-docs-$(HELM_DOCS_VERSION)/helm-docs

.PHONY: help
help: ## list the chores
	@grep -E '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.PHONY: demo
demo: $(STAMP) ## run the main job, on the embedded cluster or with KUBECONFIG=... IMAGE=... on yours
	@tests/demo.sh

.PHONY: test
test: $(STAMP) cluster helm3 registry ## set everything up and run all tests
	@$(ENTER); export PATH="$$($(RIG) tools --helm3 | tail -1):$$PATH"; \
	  $(BIN)/pytest -n auto -m "not cluster and not rig and not kwok"; $(CLUSTER_TESTS); \
	  $(BIN)/pytest -m rig

.PHONY: test-unit
test-unit: $(STAMP) ## tests without a cluster or a helm, under a minute
	@$(BIN)/pytest -n auto

.PHONY: test-chart
test-chart: $(STAMP) helm3 ## tests of what the chart renders, with Helm 3 and 4
	@$(ENTER); export PATH="$$($(RIG) tools --helm3 | tail -1):$$PATH"; $(BIN)/pytest -n auto -m helm

.PHONY: test-cluster
test-cluster: $(STAMP) cluster helm3 registry ## end to end tests on the embedded cluster
	@$(ENTER); export PATH="$$($(RIG) tools --helm3 | tail -1):$$PATH"; $(CLUSTER_TESTS)

.PHONY: test-kwok
test-kwok: $(STAMP) cluster kwok ## tests with a thousand pods on nodes that don't exist; builds KWOK first
	@$(ENTER); $(BIN)/pytest -m kwok

.PHONY: check
check: $(STAMP) $(HELM_DOCS) ## ruff, mypy --strict, import-linter, chart lint, kube-score, checkov, staleness of generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --verbose >/dev/null || $(BIN)/lint-imports --no-cache
	@$(ENTER); for values in values/*.yaml tests/chart/everything.yaml; do \
	  helm lint --strict --quiet chart -f tests/chart/offline.yaml -f $$values; done
	@$(BIN)/python -m tests.chart.schema --check
	@$(BIN)/python -m tests.publishing.annotations --check
	@$(ENTER); $(BIN)/python -m tests.chart.golden --check
	@cp chart/README.md $(VENV)/README.expected; \
	  $(HELM_DOCS) --chart-search-root chart --log-level error; \
	  cmp -s chart/README.md $(VENV)/README.expected || { echo "chart/README.md is stale: run make generate" >&2; exit 1; }
	@$(BIN)/python -m tests.versions
	@$(ENTER); $(BIN)/python -m tests.scrutiny

.PHONY: generate
generate: $(STAMP) $(HELM_DOCS) ## write the generated files anew: schema, annotations, golden renders, chart/README.md
	@$(BIN)/python -m tests.chart.schema
	@$(BIN)/python -m tests.publishing.annotations
	@$(ENTER); $(BIN)/python -m tests.chart.golden
	@$(HELM_DOCS) --chart-search-root chart --log-level error

.PHONY: format
format: $(STAMP) ## format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

.PHONY: install
install: $(STAMP) ## make the virtual environment with all that the chores need

define SIGN_OF_LIFE
import itertools, sys, time
for seconds in itertools.count(8, 8):
    time.sleep(8)
    print(f"    ... making $(VENV) ({seconds} s)", file=sys.stderr, flush=True)
endef
export SIGN_OF_LIFE

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) on PATH: install Python 3.10 or later, or name it with PYTHON=..." >&2; exit 1; }
	@echo "==> making $(VENV) (about a minute the first time)" >&2
	@# A sign of life while it goes on. Bytecode is compiled once, as pip would: where nothing may write it, each import
	@# would compile anew.
	@$(PYTHON) -c "$$SIGN_OF_LIFE" & trap "kill $$!" EXIT; \
	  $(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) can't make virtual environments: install python3-venv." >&2; exit 1; }; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"; \
	  $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --group dev --editable ".[demo]"
	@touch $@

.PHONY: cluster
cluster: $(STAMP) ## bring the embedded cluster up, or heal it
	@$(RIG) up

.PHONY: cluster-down
cluster-down: $(STAMP) ## take the embedded cluster down and leave nothing of it
	@$(RIG) down

.PHONY: cluster-status
cluster-status: $(STAMP) ## tell what of the embedded cluster runs
	@$(RIG) status

.PHONY: helm3
helm3: $(STAMP)
	@$(RIG) tools --helm3 >/dev/null

.PHONY: registry
registry: $(STAMP)
	@$(RIG) tools --registry >/dev/null

.PHONY: kwok
kwok: $(STAMP)
	@$(RIG) tools --kwok >/dev/null

.PHONY: env
env: $(STAMP) ## print the project's environment for a shell to eval
	@$(RIG) env

.PHONY: package
package: $(STAMP) ## build wheel, sdist, packed chart and conda-forge's recipe into dist/, the same from any folder
	@$(ENTER); $(BIN)/python -m tests.publishing.package

.PHONY: sbom
sbom: package ## tell what is in the wheel's environment (CycloneDX), and with IMAGE_ARCHIVE=... in an image
	@$(BIN)/python -m tests.publishing.sbom dist/*.whl $(if $(IMAGE_ARCHIVE),--image $(IMAGE_ARCHIVE))

.PHONY: bench
bench: $(STAMP) cluster ## measure: start to first result, also beside classic, import time, port-forward, idling, nanny, encryption
	@$(ENTER); for name in first_result kubecluster import_time port_forward idle nanny tls; do $(BIN)/python -m bench.$$name; done

.PHONY: bench-elasticity
bench-elasticity: $(STAMP) cluster ## measure growing and shrinking side by side with peers; WRITE=1 writes docs/elasticity.md
	@$(ENTER); $(BIN)/python -m bench.elasticity $(if $(WRITE),--write)

.PHONY: bench-scale
bench-scale: $(STAMP) cluster kwok ## measure scaling up to 5,000 pods, half an hour; WRITE=1 writes docs/scale.md
	@$(ENTER); $(BIN)/python -m bench.scale $(if $(WRITE),--write)

$(HELM_DOCS):
	@echo "==> building helm-docs (about half a minute the first time)" >&2
	@mkdir -p $(@D)
	@GOBIN=$(@D) CGO_ENABLED=0 go install -ldflags "-s -w" github.com/norwoodj/helm-docs/cmd/helm-docs@v$(HELM_DOCS_VERSION)
