# make report : environment, install, the main job -> report/index.html, report/model/index.html
# make test   : environment, install with the test tools, all tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The environments take the versions that the gate was run with; empty takes the newest.
export PIP_CONSTRAINT ?= $(CURDIR)/.ci/constraints.txt

.PHONY: report test lint bench clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.user: pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --editable ".[figures,llm]"
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --editable ".[dev]"
	touch $@ $(VENV)/.user

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) install --quiet --editable ".[bench]"
	touch $@

report: $(VENV)/.user
	$(BIN)/bitlaw report --output report
	$(BIN)/bitlaw llm report --output report/model

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist worksteal

bench: $(VENV)/.bench
	$(BIN)/python -m tests.benchmarks

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) report build *.egg-info
