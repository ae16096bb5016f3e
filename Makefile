PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.txt

.PHONY: demo test sandbox

demo: .venv/for-demo sandbox
	@$(BIN)/tito demo

test: .venv/for-tests sandbox
	@$(BIN)/python -m pytest -n auto --dist loadgroup

sandbox: .venv/for-demo
	@command -v bwrap >/dev/null || $(BIN)/tito prepare

.venv/for-demo: pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "TinyTorch needs Python 3.11 or newer; this is " + sys.version)'
	@echo "Installing into .venv. This takes some minutes ..."
	@$(PYTHON) -m venv .venv
	@$(INSTALL) -e .
	@touch $@

.venv/for-tests: .venv/for-demo
	@echo "Installing what the tests need ..."
	@$(INSTALL) -e '.[test]'
	@touch $@
