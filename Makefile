# `make run` sets up everything and rebuilds what changed; `make test` sets up everything and tests.
PYTHON ?= python3
PROFILE ?= quick
# PyTorch's own CPU index, if you have it; empty: the ordinary package index.
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1

.PHONY: run test check deps verify bench report remote help

run: $(VENV)/.installed  ## rebuild what changed, up to the report reports/index.html
	@$(BIN)/trine run --profile $(PROFILE)

test: $(VENV)/.installed  ## the test suite without the long proofs; COVERAGE=1: it fails below the floor in pyproject.toml
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(if $(COVERAGE),--cov --cov-report=term:skip-covered)

check: $(VENV)/.installed  ## lint, types, import rules, generated deps
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tasks.core.deps --check
	@$(BIN)/python -m tasks.core.parameter_docs --check

deps: $(VENV)/.installed  ## write the generated blocks of dvc.yaml, versions.yaml and the table of docs/parameters.md
	@$(BIN)/python -m tasks.core.deps
	@$(BIN)/python -m tasks.core.parameter_docs

verify: $(VENV)/.installed  ## the long proofs; writes reports/verification.json
	@$(BIN)/python -m pytest tests -m slow --verification=reports/verification.json

bench: .venv-bench/.installed  ## speed against the real peers
	@for b in $$(ls bench | sed -n 's/^\([a-z][a-z0-9_]*\)\.py$$/\1/p' | grep -v '^harness$$'); do .venv-bench/bin/python -m bench.$$b || exit 1; done

report: $(VENV)/.installed  ## rebuild the report only as far as needed
	@$(BIN)/trine report

remote: $(VENV)/.installed  ## make remote DIR=/path/or/s3://... : set the DVC remote for push and pull
	@test -n "$(DIR)" || { echo "usage: make remote DIR=/path/to/store"; exit 2; }
	@$(BIN)/dvc remote add --force --default --local store "$(DIR)"
	@echo "remote set for this clone: $(DIR) (dvc push, dvc pull)"

help:  ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing into $(VENV), once: up to $$(grep -c == constraints.txt) packages, 2.6 GB on disk with PyTorch's CPU build; some minutes"
	@$(PYTHON) -m venv $(VENV)
	@echo "  1 of 2: PyTorch"
	@$(BIN)/python -m pip install --quiet --retries 0 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt torch
	@echo "  2 of 2: everything else"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch $@
	@echo "installed"

.venv-bench/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --retries 0 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt torch
	.venv-bench/bin/python -m pip install --quiet -c constraints.txt -e ".[bench]"
	@touch $@
