# Short verbs for the people who build Bochner. Each target says what it does, can be repeated at no cost and works
# from a fresh clone. `make help` lists them.
#
#   PRESET      preset of CMakePresets.json that `build` and `check` use (release)
#   GOLDEN_DIR  folder with an index.json of golden cases (../shared/golden)
#   PROBLEMS    what `bench` measures: problems or groups of utils/bench.py --list, or all (the usual ones)
#   PYTHONS     interpreters with PyTorch that `bench-torch` compares with (those that utils/bench-torch.py --help says)
#   FILTER      regular expression of lit tests that `test` runs (all)
#   PREFIX      where `install` puts things (/usr/local)
#   JOBS        parallel compile jobs (number of processors)

PRESET ?= release
GOLDEN_DIR ?= ../shared/golden
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

# Bump allocators poison memory that they share with LLVM's libraries, which are not instrumented and do not unpoison it.
export ASAN_OPTIONS ?= allow_user_poisoning=0

BUILD := build/$(PRESET)
PYTHON := build/venv/bin/python

.DEFAULT_GOAL := build
.PHONY: help setup configure build check check-gpu-full test demo golden bench bench-torch bench-frameworks format docs status asan install clean

help:
	@echo 'make setup     install what is missing (Debian 12), prepare build/venv'
	@echo 'make build     compile into $(BUILD) (the default)'
	@echo 'make check     build and run every test; the last line counts them'
	@echo 'make test      build and run the lit tests whose name matches FILTER'
	@echo 'make check-gpu-full  every map, option and golden case on the simulated GPU, and the gates of its kernels (1 h)'
	@echo 'make demo      compile, check and time the six maps of the paper'
	@echo 'make golden    run the golden cases of GOLDEN_DIR=$(GOLDEN_DIR)'
	@echo 'make bench     time the kernels over maps and lengths, write build/bench.json'
	@echo 'make bench-torch  compare forward and backward pass with PyTorch, write build/bench-torch.json'
	@echo 'make bench-frameworks  time steps through PyTorch and JAX, write build/bench-frameworks.json'
	@echo 'make asan      build with sanitizers into build/asan and run every test'
	@echo 'make format    reformat the C++ sources with clang-format 22'
	@echo 'make docs      regenerate docs/generated from TableGen files and docstrings'
	@echo 'make status    run the matrix of README.md and write its table'
	@echo 'make install   install under PREFIX=$(PREFIX)'
	@echo 'make clean     remove build/'

setup:
	@utils/setup.sh
	@utils/setup-frameworks.sh

# Configuring again is CMake's own business once build.ninja exists.
$(BUILD)/build.ninja: CMakePresets.json | setup
	@echo '== configure $(BUILD)'
	@cmake --preset $(PRESET)

configure: setup $(BUILD)/build.ninja

build: configure
	@echo '== build $(BUILD)'
	@cmake --build --preset $(PRESET) --parallel $(JOBS)

check: build
	@$(PYTHON) utils/check.py --build-dir $(BUILD) --golden-dir $(GOLDEN_DIR)

check-gpu-full: build
	@$(PYTHON) utils/gpu-gates.py --bin $(BUILD)/bin
	@$(PYTHON) utils/gpu-mutations.py --bin $(BUILD)/bin
	@PATH=$(CURDIR)/$(BUILD)/bin:$$PATH $(PYTHON) test/Integration/Inputs/check-gpu-kernels.py $(BUILD)/test/gpu-full all
	@$(PYTHON) test/golden/run.py --bin $(BUILD)/bin --routes sim-f32 --quiet $(GOLDEN_DIR)

test: build
	@$(PYTHON) utils/check.py --build-dir $(BUILD) --suite lit $(if $(FILTER),--filter '$(FILTER)')

demo: build
	@$(PYTHON) utils/demo.py --bin $(BUILD)/bin --dump-dir build/demo

golden: build
	@$(PYTHON) test/golden/run.py --bin $(BUILD)/bin $(GOLDEN_DIR)

bench: build
	@$(PYTHON) utils/bench.py --bin $(BUILD)/bin --json build/bench.json $(if $(PROBLEMS),--problems '$(PROBLEMS)')

bench-torch: build
	@$(PYTHON) utils/bench-torch.py --bin $(BUILD)/bin $(PYTHONS:%=--python %)

bench-frameworks: build
	@$(PYTHON) utils/bench-frameworks.py

asan:
	@$(MAKE) --no-print-directory check PRESET=asan

format: setup
	@utils/check-format.sh --fix

docs: build
	@$(PYTHON) utils/gen-docs.py

status: build
	@$(PYTHON) utils/status-table.py --bin $(BUILD)/bin --update

install: build
	@echo '== install under $(PREFIX)'
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	@echo '== remove build/'
	@rm -rf build
