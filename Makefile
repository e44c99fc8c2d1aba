# A fresh machine needs Python 3.11 or newer, git and make, nothing else. `make` alone says what there is.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
# The first Python that is new enough; PYTHON=… chooses another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PYTEST ?= -q -n auto

WORKFLOWS := $(wildcard .github/workflows/*.yml examples/workflows/*.yml examples/*/.github/workflows/*.yml)

.PHONY: help demo test test-tools check check-workflows format setup tools lock schemas image clean

help:
	@echo "make demo        show what a change of the example does, a bump, a promotion, a rollback, and a cluster that follows"
	@echo "                 Git (its control plane is downloaded once, or built in eight minutes; DEMO=--no-cluster leaves it out)"
	@echo "make test        run the tests (the first time it downloads a Kubernetes control plane, or builds it: Go, eight minutes)"
	@echo "make check       format, lint, types, layers, workflows"
	@echo "make test-tools  bring what the tests and checks are judged by: Helm 3, kustomize, actionlint, Go's YAML (built with Go,"
	@echo "                 three minutes, once), GitHub's own schemas (npm), a Kubernetes control plane (once)"
	@echo "make image       build the container image (Docker)"
	@echo "make format      format, and fix what can be fixed"
	@echo "make lock        write requirements/*.txt anew (brings uv)"
	@echo "make schemas     write docs/schemas/*.json anew"
	@echo "make clean       remove what make has built here"

demo: tools
	@$(BIN)/python -m examples.demo $(DEMO)

test: tools
	@test -n "$$GITOPS_BOT_TEST_KUBECONFIG" || $(BIN)/python -m tests.controlplane.programs >/dev/null || \
		echo "the control plane could not be brought: tests of the agent are skipped"
	@PATH="$$(tests/tools/build.sh --if-built):$$PATH" $(BIN)/python -m pytest $(PYTEST)

test-tools: setup
	@tests/tools/build.sh
	@tests/tools/build.sh actionlint
	@tests/tools/build.sh goyaml
	@tests/tools/judges.sh
	@$(BIN)/python -m tests.controlplane.programs

check: setup check-workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-workflows: setup
	$(BIN)/zizmor --offline --quiet --config .github/zizmor.yml $(wildcard action.yml) $(WORKFLOWS)
	@tool="$$(tests/tools/build.sh actionlint --if-go)"; \
	if [ -z "$$tool" ]; then echo "actionlint was left out: it is built with Go 1.26, which make test-tools brings"; exit; fi; \
	echo "actionlint $(WORKFLOWS)"; "$$tool/actionlint" -shellcheck= -pyflakes= $(WORKFLOWS)

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: $(STAMPS)/python

tools: $(STAMPS)/python
	@$(BIN)/gitops-bot tools install

$(STAMPS)/python: requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found." \
		"Install one (apt-get install python3 python3-venv, brew install python) or say make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments." \
		"Install its venv package (on Debian and Ubuntu: apt-get install python3-venv)."; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version) (once; about half a minute)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@mkdir -p $(STAMPS) && touch $@

lock: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
		pyproject.toml -o requirements/runtime.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
		pyproject.toml --group dev -o requirements/dev.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
		pyproject.toml --extra agent --extra schemas --constraint requirements/runtime.txt -o requirements/image.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
		--group build -o requirements/build.txt
	echo "mlflow>=3.1" | $(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal \
		--python-version 3.11 - -o requirements/mlflow.txt

schemas: setup
	$(BIN)/python -m tests.schemas

image:
	docker build --tag gitops-bot .

clean:
	rm -rf $(VENV) $(STAMPS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
