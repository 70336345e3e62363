# `make demo` installs ftbench and runs the quickstart suite; `make test` runs the linters and the tests.

PYTHON ?= python3
BIN := .venv/bin
# Three workers for two cores, because tests wait for processes; one file at a time, longest first (the order is set in
# tests/conftest.py).
SHARED := --numprocesses 3 --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test coverage test-thorough soak fuzz setup setup-test benchmarks calibrate example example-page \
	schemas docs provenance clean

demo: setup
	$(BIN)/ftbench run suites/quickstart.toml

test: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not thorough" $(SHARED)

# The same tests with line coverage; slower.
coverage: setup-test
	$(BIN)/python -m pytest -m "not thorough" $(SHARED) --cov --cov-report term

# The tests that `make test` skips: each runs real trials for 30 s or more.
test-thorough: setup-test
	$(BIN)/python -m pytest -m thorough $(SHARED) --ignore tests/end_to_end/test_fuzzing.py

# Send 200 SIGKILLs at random times to runs of 24 trials: about 20 minutes.
soak: setup-test
	$(BIN)/python -m pytest -n0 -s -m thorough tests/faults/test_kills.py

# Read 11,000 mutated suites, runs, bundles and data files: a few minutes; FTBENCH_FUZZ=0.1 reads a tenth of them.
fuzz: setup-test
	$(BIN)/python -m pytest -m thorough --numprocesses 2 --dist load tests/end_to_end/test_fuzzing.py

# Bytecode is written once here, so that commands start fast even where Python may not write it.
setup: .venv/.demo
	$(BIN)/python -m compileall -q ftbench plugins former_names
setup-test: .venv/.test
	$(BIN)/python -m compileall -q ftbench plugins former_names

# Every archive but torch and its CUDA packages, which differ between machines, must have a known hash.
.venv/.demo: pyproject.toml constraints.txt demo-requirements.txt
	$(PYTHON) -m venv .venv
	$(PIP) --no-deps --require-hashes --requirement demo-requirements.txt
	$(PIP) --constraint constraints.txt torch
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

.venv/.test: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --constraint constraints.txt --editable '.[beam,embedded,test]'
	touch $@ .venv/.demo

benchmarks: setup-test
	$(BIN)/python -m pytest tests/benchmarks --benchmarks --no-header -s

# Compare a small version of the quickstart with itself, seed against seed, to estimate how noisy the scores are and
# the false-alarm rate.
calibrate: setup
	$(BIN)/ftbench gate runs/calibration --calibrate --run tests/suites/calibration.toml --repetitions 10

# Run the committed example, every strategy over five seeds, and write its bundle and page: 30 to 45 minutes, two cores.
example: setup-test
	$(BIN)/ftbench run suites/example.toml --no-report
	$(BIN)/ftbench bundle runs/example -o reports/example/example.zip
	$(MAKE) example-page

# Regenerate the example's page from its bundle, and the README's screenshot; needs Debian's chromium.
example-page: setup-test
	$(BIN)/ftbench report reports/example/example.zip -f html -f markdown -o reports/example
	$(BIN)/python -m docs.tools.page_picture reports/example/report.html docs/page.png

# Generate the package's JSON Schemas from the types, the support matrix and the strategies page from the plugins, and
# the layer diagram in CONTRIBUTING.md from the import contract.
schemas docs: setup
	$(BIN)/python -m ftbench.schemas.build ftbench/schemas
	$(BIN)/python -m docs.tools.support_matrix
	$(BIN)/python -m docs.tools.strategies_page
	$(BIN)/python -m docs.tools.rooms

# Rebuild the shipped weights and clips: about half an hour on two cores. Fashion-MNIST comes from Debian's package
# dataset-fashion-mnist.
provenance: setup
	$(PIP) --constraint constraints.txt --editable '.[provenance]'
	cd plugins && ../$(BIN)/python -m ftbench_plugins.vision.provenance.pretraining ftbench_plugins/backbones/weights/tiny-vit
	cd plugins && ../$(BIN)/python -m ftbench_plugins.speech.provenance.commands ftbench_plugins/speech/clips
	cd plugins && ../$(BIN)/python -m ftbench_plugins.speech.provenance.pretraining ftbench_plugins/backbones/weights/tiny-wav2vec2

clean:
	rm -rf .venv runs
