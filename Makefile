# make demo   install what is needed and denoise three real samples
# make test   install what is needed and run every check
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONSTRAIN := $(if $(wildcard constraints.txt),-c constraints.txt)
.PHONY: demo test lint clean

demo: $(VENV)/installed
	$(BIN)/napari-credible demo

test: $(VENV)/installed-dev lint
	sh scripts/with-display.sh $(BIN)/python -m pytest tests/gui
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses=8 --ignore=tests/gui

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/installed: pyproject.toml constraints.txt
	sh scripts/system-libraries.sh
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(CONSTRAIN) -e ".[gui]" PySide6-Essentials
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet $(CONSTRAIN) --group dev
	touch $@

clean:
	rm -rf $(VENV) demo-output
