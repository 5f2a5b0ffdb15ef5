# Each target does everything it needs by itself: `make demo` and `make test` run on a fresh machine that has
# Python >= 3.11 and a C compiler. PYTHON chooses the interpreter: make test PYTHON=python3.12
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SOURCES := setup.py pyproject.toml $(wildcard pyneural/kernels/*.pyx pyneural/kernels/*.pxd pyneural/kernels/*.h pyneural/kernels/*.c)

.PHONY: demo test lint bench guard parity reference wheel-test sanitize clean help

help:
	@echo "make demo        build, install, train the tagger on the demo corpus"
	@echo "make test        build, install, run the whole test suite"
	@echo "make lint        style and types"
	@echo "make parity      compare every output and gradient with PyTorch's"
	@echo "make reference   the test suite on the NumPy twins of the kernels"
	@echo "make bench       time training steps beside PyTorch's, JAX's and DyNet's: results.json, results.png"
	@echo "make guard       count the instructions of training steps, beside those recorded (needs valgrind)"
	@echo "make sanitize    run the kernels' tests with bounds and overflow checked"
	@echo "make wheel-test  build a wheel and try it in an empty environment"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pyneural needs Python 3.11 or later, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# A stamp is renewed when what is compiled or declared changes.
$(VENV)/installed: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/installed-%: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet -e '.[$*]'
	@touch $@

demo: $(VENV)/installed
	$(BIN)/pyneural demo

# In two processes; `pytest` alone is the same in one.
test: $(VENV)/installed-test
	$(BIN)/python -m pytest -q -n 2

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The same suite on the NumPy twins: all that computes by way of the kernels, but the kernels' own tests (they have the
# twins beside them anyway) and what stands far above. In two processes, with a thread of NumPy's each.
reference: $(VENV)/installed-test
	PYNEURAL_KERNELS=reference OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --ignore=pyneural/test/kernels \
		--ignore=pyneural/test/estimators --ignore=pyneural/test/test_tutorials.py --ignore=pyneural/estimators

# PyTorch is heavy and stays out of the other environments.
parity:
	$(MAKE) $(VENV)-parity/installed-parity VENV=$(VENV)-parity
	$(VENV)-parity/bin/python -m pytest -q pyneural/test/parity

# The peers too have an environment of their own. make bench ARGS=--quick
bench:
	$(MAKE) $(VENV)-bench/installed-bench VENV=$(VENV)-bench
	$(VENV)-bench/bin/python -m benchmarks $(ARGS)

# What a noisy machine can't hide: slower code fails. make guard ARGS=--update records the counts.
guard: $(VENV)/installed
	$(BIN)/python -m benchmarks.instructions --check $(ARGS)

wheel-test: $(VENV)/installed-wheel
	rm -rf dist $(VENV)-wheel
	$(BIN)/python -m build --quiet
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip install --quiet dist/*.whl
	cd $(VENV)-wheel && bin/pyneural demo --out model --epochs 2
	cd $(VENV)-wheel && echo 'The ferry to Lisbon was late.' | bin/pyneural predict model
	cd $(VENV)-wheel && bin/python -m pyneural.samples.crf_tagger --epochs 2

# The kernels with bounds and overflow checked. Objects of the other flags must not be reused, either way.
sanitize:
	rm -rf build $(VENV)-sanitize
	$(PYTHON) -m venv $(VENV)-sanitize
	PYNEURAL_DEBUG=1 $(VENV)-sanitize/bin/python -m pip install --quiet '.[kernels-test]'
	rm -rf build
	cd $(VENV)-sanitize && ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" \
		bin/python -m pytest -q -p no:cacheprovider --pyargs pyneural.test.kernels pyneural.test.test_crf

clean:
	rm -rf build dist $(VENV) $(VENV)-* pyneural.egg-info pyneural/kernels/*.so
