# make demo   the main job on faces the project draws itself; ends by naming the report to open
# make test   lint, types, layers, and the tests
# make lint   ruff, mypy, import-linter
# Each makes .venv when it is missing. Another Python: make PYTHON=python3.12 test

PYTHON ?= python3
BIN := .venv/bin
DEVICE_PYTHON ?= python3.8

.DEFAULT_GOAL := help
.PHONY: help demo test lint format device-test

help:
	@sed -n 's/^# //p' Makefile

.venv/.installed: pyproject.toml
	@echo "Making .venv and installing PyTorch and the rest (once; a few minutes) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "error: training needs Python 3.10 or newer; use make PYTHON=python3.11")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	@mkdir -p .venv/typing && ln -sfn ../../scripts .venv/typing/emotions_cli
	@touch $@

demo: .venv/.installed
	@$(BIN)/emotions demo

test: lint
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What a device installs: no torch, Python 3.8 and up.
device-test:
	@$(DEVICE_PYTHON) -m venv .venv-device
	@.venv-device/bin/python -m pip install --quiet --disable-pip-version-check . pytest hypothesis onnx
	@cd tests && ../.venv-device/bin/python -m pytest -p no:cacheprovider -c ../pyproject.toml --rootdir .. test_galleries_*.py test_scripts_*.py test_cli.py test_bad_input.py test_eval_device_benchmark.py test_eval_device_film.py test_eval_gallery_sizes.py test_eval_jetson.py test_eval_tegrastats.py test_eval_timing.py
