PYTHON ?= python

.PHONY: help build test golden lint specs types docs sanitize annotate bench check

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

build:  ## install with all development tools, kernels compiled in place
	$(PYTHON) -m pip install -e '.[dev]'

test:  ## run the tests
	$(PYTHON) -m pytest

golden:  ## rewrite the expected texts of the tests
	$(PYTHON) -m pytest --update-golden

lint:  ## check style
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

specs:  ## check that specs and the library are in canonical form
	$(PYTHON) -m cimspec fmt --check specs cimspec/library

types:  ## check types, strictly
	$(PYTHON) -m mypy

docs:  ## check that the documentation is up to date, and shows what commands print
	$(PYTHON) -m cimspec.docs.reference --check
	$(PYTHON) -m pytest tests/test_readme.py tests/docs

sanitize:  ## run the kernels under gcc's sanitizers, in a copy of the tree
	PYTHON=$(PYTHON) .ci/sanitize

annotate:  ## write Cython's annotated sources to build/
	$(PYTHON) -m cython -3 -a kernels/*.pyx -o build/

bench:  ## the figures of the README: three seeds of the quickstart
	$(PYTHON) benchmarks/quickstart.py

check: lint specs types test  ## all that must pass before a change lands
