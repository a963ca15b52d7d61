# make run      the exercises and the main experiment            make test      the fast tests, some minutes
# make figures  every experiment                                 make test-all  with the slow scientific checks
# make bench    the benchmarks                                   make lint      style and types
# make device   is this machine's accelerator right, how fast is it? Seven minutes; options="--rehearse" tries the script
#
# Each but `device` makes .venv from $(PYTHON) and installs what it needs the first time, and nothing the second time.
# `device` is for borrowed machines: it installs nothing and runs by $(PYTHON) itself.

PYTHON ?= python3
VENV ?= .venv

version := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ifeq ($(version),)
$(error no working Python at PYTHON=$(PYTHON); Python 3.11 or newer is needed)
endif
python := $(VENV)/bin/python
constraints := $(wildcard constraints/python$(version).txt)
# one stamp a Python version and set of packages: another PYTHON, or changed dependencies, install anew
core := $(VENV)/.core-$(version)
tools := $(VENV)/.tools-$(version)
# with PyTorch too, of which pip may take a build for GPUs with several gigabytes
everything := $(VENV)/.everything-$(version)

# what was compiled once is read from here the next time; `make clean` removes it, and what the command line kept
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.cache/programs
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS ?= 0.02
export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES ?= -1
# JAX 0.9 reports an error for each program that it reads, about features of the very processor that compiled it
export TF_CPP_MIN_LOG_LEVEL ?= 3

.DEFAULT_GOAL := run
.PHONY: run test test-all lint format figures docs bench device clean

run: $(core)
	$(python) -m experiments exercises gradient_flow regimes

figures: $(core)
	$(python) -m experiments

# optimising costs more time than these small programs run for; `quick=` compiles them as users do
quick := --xla_backend_optimization_level=0
ifeq ($(version),3.11)
quick += --xla_cpu_use_fusion_emitters=false  # halves compilation in the JAX pinned here; newer ones refuse the word
endif

# XLA takes flags of nothing but a space for the name of a file
flags = $(if $(strip $(quick)),XLA_FLAGS="$(strip $(quick)) $$XLA_FLAGS")
pytest = $(flags) $(python) -m pytest -n 2 --dist loadfile -q

test: $(tools)
	$(pytest) -m "not slow"

test-all: $(everything)
	$(pytest)

lint: $(tools)
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy

format: $(tools)
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

bench: $(core)
	$(python) -m benchmarks

device:
	$(PYTHON) -m benchmarks.device $(options)

docs: $(everything)
	$(python) docs/write_numbers.py

$(core): pyproject.toml $(constraints)
	test -f $@ || $(PYTHON) -m venv --clear $(VENV)
	$(python) -m pip install --quiet --disable-pip-version-check $(constraints:%=--constraint %) --editable .
	touch $@

$(tools): $(core)
	$(python) -m pip install --quiet --disable-pip-version-check $(constraints:%=--constraint %) --editable '.[test]'
	touch $@

$(everything): $(tools)
	$(python) -m pip install --quiet --disable-pip-version-check $(constraints:%=--constraint %) --editable '.[test,torch]'
	touch $@

clean:
	rm -rf $(VENV) .cache "$${XDG_CACHE_HOME:-$$HOME/.cache}/rnn_dynamics" build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
