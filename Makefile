# Two commands for everyone: `make demo` and `make test`. Both set up .venv when it is missing.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo test lint types bench clean

demo: $(VENV)/light
	$(BIN)/likelens demo

test: $(VENV)/dev lint types
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev
	$(BIN)/mypy

bench: $(VENV)/bench
	$(BIN)/python -m bench

$(VENV)/light: pyproject.toml constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/dev: pyproject.toml constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,torch]'
	touch $@ $(VENV)/light

$(VENV)/bench: $(VENV)/dev bench/requirements.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --requirement bench/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) likelens-demo
