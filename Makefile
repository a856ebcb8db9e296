# The commands of the project; each does its own installing. `make demo` and `make test` are the two to know.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test check bench simulate soak faults kill clean

install: .venv/.installed

.venv/.installed: pyproject.toml requirements.lock
	@echo "Installing into .venv; the first time takes a minute or two."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: install
	$(BIN)/stategate demo $(if $(KEEP),--keep)

test: install
	$(BIN)/pytest -q

check: install
	$(BIN)/ruff format --check gateway tests config
	$(BIN)/ruff check gateway tests config
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml
	$(BIN)/pytest -q -n auto -m "not slow"

bench: install
	$(BIN)/python -m tests.benchmarks

simulate: install
	$(BIN)/python -m tests.simulation --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

soak: install
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),15)

# Every file call of the daemon fails once in each way, and the power goes a thousand times: an hour
# or two.
faults: install
	FAULTS=$(or $(FAULTS),every) POWER_CUTS=$(or $(POWER_CUTS),1000) $(BIN)/pytest -q tests/faults

# SIGKILL at random under full load, for each source and sink.
kill: install
	$(BIN)/python -m tests.kills --seconds $(or $(SECONDS),120) $(if $(SEED),--seed $(SEED))

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
