# `make demo` sets up and runs the main job; `make test` sets up and runs the linters and the tests.

PYTHON ?= python3
BIN := .venv/bin
# Two workers, a file at a time, in the order of tests/conftest.py: the longest first.
SHARED := --numprocesses 2 --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test coverage test-thorough soak fuzz setup setup-test benchmarks calibrate example example-page schemas docs provenance clean

demo: setup
	$(BIN)/ftbench run suites/quickstart.toml

test: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not thorough" $(SHARED)

# The same tests, and which lines they run: that takes a while longer.
coverage: setup-test
	$(BIN)/python -m pytest -m "not thorough" $(SHARED) --cov --cov-report term

# Half a minute and more of real trials each, beside what `make test` runs.
test-thorough: setup-test
	$(BIN)/python -m pytest -m thorough $(SHARED) --ignore tests/end_to_end/test_fuzzing.py

# Two hundred SIGKILLs at random times over runs of 24 trials: about twenty minutes.
soak: setup-test
	$(BIN)/python -m pytest -n0 -s -m thorough tests/faults/test_kills.py

# Eleven thousand changed suites, runs, bundles and data files: some minutes; FTBENCH_FUZZ=0.1 takes a tenth.
fuzz: setup-test
	$(BIN)/python -m pytest -m thorough --numprocesses 2 --dist load tests/end_to_end/test_fuzzing.py

setup: .venv/.demo
setup-test: .venv/.test

.venv/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[embedded]'
	touch $@

.venv/.test: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[beam,embedded,test]'
	touch $@ .venv/.demo

benchmarks: setup-test
	$(BIN)/python -m pytest tests/benchmarks --benchmarks --no-header -s

# The quickstart at a small scale held against itself, seed against seed: how noisy its scores are, how often that is an alarm.
calibrate: setup
	$(BIN)/ftbench gate runs/calibration --calibrate --run tests/suites/calibration.toml --repetitions 10

# The committed example: every strategy over five seeds, its bundle and its page: half an hour on two cores.
example: setup-test
	$(BIN)/ftbench run suites/example.toml --no-report
	$(BIN)/ftbench bundle runs/example -o reports/example/example.zip
	$(MAKE) example-page

# Its page anew from its bundle, and the README's picture, which takes Debian's chromium.
example-page: setup-test
	$(BIN)/ftbench report reports/example/example.zip -f html -f markdown -o reports/example
	$(BIN)/python -m docs.tools.page_picture reports/example/report.html docs/page.png

# The JSON Schemas in the package, from the types; the README's support matrix and the page of strategies, from the plugins.
schemas docs: setup
	$(BIN)/python -m ftbench.schemas.build ftbench/schemas
	$(BIN)/python -m docs.tools.support_matrix
	$(BIN)/python -m docs.tools.strategies_page
	$(BIN)/python -m docs.tools.rooms

# The shipped weights and clips, made again: about half an hour on two cores. Fashion-MNIST is Debian's dataset-fashion-mnist.
provenance: setup
	$(PIP) --editable '.[provenance]'
	cd plugins && ../$(BIN)/python -m ftbench_vision.provenance.pretraining ftbench_backbones/weights/tiny-vit
	cd plugins && ../$(BIN)/python -m ftbench_speech.provenance.commands ftbench_speech/clips
	cd plugins && ../$(BIN)/python -m ftbench_speech.provenance.pretraining ftbench_backbones/weights/tiny-wav2vec2

clean:
	rm -rf .venv runs
