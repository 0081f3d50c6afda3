# For people and for CI alike. Each target first installs what it needs (rig/setup.sh).
#
#   make demo          show the main job on this machine; KEEP=1 leaves it running for your own mail
#   make test          all tests, some at once; ARGS="-k notice -x" goes to pytest, ARGS="-n0 --pdb" does one by one,
#                      ARGS=--cov tells which lines and branches ran
#   make unit          the unit tests, the loop while writing: no sendmail, no root; ARGS as above
#   make format        mend what ruff can mend
#   make check         linters, types, the import rules
#   make audit         known vulnerabilities of the packages in locks/; needs the network
#   make bench         the benchmarks
#   make chaos         mail while everything dies and fails; ARGS="--seed 7 --messages 1000" goes to rig.chaos
#   make fuzz          hostile input for everything that reads mail; ARGS="--minutes 60 --only page" goes to rig.fuzz
#   make soak          200,000 messages through one milter: memory, descriptors, threads
#   make catalogues    what notice and page say, for translators: extracted, updated, compiled
#   make lock          new lock files, with the newest versions that pyproject.toml allows
#   make clean         remove all that these targets made

SHELL := /bin/bash
PYTHON := .venv/bin/python
COMPILE := .venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate
# Tests often wait for a server, so one worker more than there are cores; each worker starts servers of its own.
PYTEST = $(PYTHON) -m pytest -n $$(($$(nproc) + 1)) --maxprocesses 8 --dist loadfile

UV := test -x .venv/bin/uv || .venv/bin/pip install --quiet --disable-pip-version-check uv

.PHONY: demo test unit format check audit bench chaos fuzz soak catalogues lock clean

demo:
	@rig/setup.sh demo
	@KEEP="$(KEEP)" $(PYTHON) -m rig.demo

test:
	@rig/setup.sh test
	@$(PYTEST) $(ARGS)

unit:
	@rig/setup.sh test
	@$(PYTEST) tests/unit $(ARGS)

format:
	@rig/setup.sh test
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

check:
	@rig/setup.sh test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/bandit --quiet --configfile pyproject.toml --recursive woomera_milter rig bench

# --strict: a package that the database cannot be asked about is a failure, not a pass.
audit:
	@rig/setup.sh test
	@$(UV)
	.venv/bin/uvx --quiet pip-audit --strict --disable-pip --require-hashes $(addprefix -r ,$(wildcard locks/*.txt))

bench:
	@rig/setup.sh bench
	@$(PYTHON) -m bench
	@$(PYTHON) -m bench.sweep
	@$(PYTHON) -m bench.report

chaos:
	@rig/setup.sh demo
	@$(PYTHON) -m rig.chaos $(ARGS)

fuzz:
	@rig/setup.sh demo
	@$(PYTHON) -m rig.fuzz $(ARGS)

soak:
	@rig/setup.sh demo
	@$(PYTHON) -m rig.soak $(ARGS)

catalogues:
	@rig/setup.sh test
	@$(PYTHON) -m rig.catalogues

lock:
	@rig/setup.sh test
	@$(UV)
	$(COMPILE) pyproject.toml -o locks/runtime.txt
	$(COMPILE) --extra demo pyproject.toml -o locks/demo.txt
	$(COMPILE) --extra dev pyproject.toml -o locks/dev.txt
	$(COMPILE) locks/build.in -o locks/build.txt
	$(COMPILE) locks/ministack.in -o locks/ministack.txt

clean:
	rm -rf .venv .venv-ministack .rig bench/results build dist *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -prune -exec rm -rf {} +
