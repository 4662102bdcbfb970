# make demo    the main job, from nothing to a dict, with no service needed
# make test    lint, types and tests (make tests: only these; ARGS=… are pytest's arguments); as root, it
#              installs the programs that are missing, otherwise it prints the command that does
# make test-fast   the tests that need only Python and git, in about a minute
# make test-lowest   files, keys, sources and services with the oldest packages that pyproject.toml allows
# make bench   side by side with sops; prints the table that docs/benchmark.md quotes
# make fuzz    documents that no test has seen, both ways with sops; then mutated files under limits of
#              memory and time (ARGS='--minutes 30' for each); then games against a stranger who has no key
# make mutants   small faults put into the modules that make decisions: how many do the tests find?
#                (ARGS='--sample 0 merge/values.py' for all of one module)
# make windows   tests on the real Windows CPython, under Wine (Debian; 1.7 GB below ~/.cache/encconf-ci)
#                (ARGS='io cli/test_editor.py' for some of them)
# make testkit   the test kit of the SOPS format, with encconf and other programs: docs/testkit.md
# make functional SOPS=PATH   sops's own functional tests, from a checkout of its sources (needs cargo)
# make reference   docs/python/reference.md, from the docstrings; docs/reference/, from the tables of the
#              command line; the diagram of docs/architecture.md, from the imports
# make docs   the site, into site/ (to read it: python3 -m http.server -d site)
# make lint-workflows   the workflows and the action of .github/, with zizmor, actionlint and the schemas of GitHub
# make release-check   build twice, compare, and check what a release needs; the result is in dist/
# make pictures   those of README.md, from real runs (access.png needs chromium)
# make man    the man pages and completion scripts, into build/share
# make clean   the virtual environment and caches

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two more than two cores, since many tests only wait: for a program, a server, a delay, the end of a lock.
TESTS := $(BIN)/python -m pytest -q -n 4 --dist worksteal
LOWEST := build/lowest
FAST := build/fast
LACKS := --disable-error-code attr-defined --disable-error-code no-any-return --no-warn-unused-ignores

# Images for containers often set it.  Every Python of the tests would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test programs tests test-fast test-lowest lint types types-here types-darwin types-win32 bench fuzz mutants windows testkit functional reference docs man pictures lint-workflows release-check clean

demo:
	@PYTHON="$(PYTHON)" bash .ci/install basics
	@PYTHON="$(PYTHON)" bash fixtures/demo/run.sh

# Programs first: two calls of apt-get at once would stop each other.
test: programs
	@$(MAKE) --no-print-directory lint types
	$(TESTS) $(ARGS)

programs:
	@PYTHON="$(PYTHON)" bash .ci/install

tests: $(STAMP)
	$(TESTS) $(ARGS)

# An environment with few packages, so that it takes seconds on a fresh machine, too.
test-fast: $(FAST)/.installed
	$(FAST)/bin/python tests/fast.py $(ARGS)

$(FAST)/.installed: pyproject.toml
	@PYTHON="$(PYTHON)" bash .ci/install basics
	$(PYTHON) -m venv $(FAST)
	$(FAST)/bin/python -m pip install --quiet --upgrade pip
	$(FAST)/bin/python -m pip install --quiet --no-compile --editable . --group formats
	@touch $@

# Post-quantum keys need a newer cryptography than the rest (an error says so), and conjur-api a newer boto3.
# Tests of such keys have post_quantum in their names.
# Google's packages ask for a newer requests than Vault's and CyberArk's extras.
# The warnings that old packages print are not ours.
test-lowest: programs
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet uv
	echo 'requests==2.31.0' >$(LOWEST)/older.txt
	$(LOWEST)/bin/uv pip compile --quiet --resolution lowest-direct --override $(LOWEST)/older.txt --extra all -o $(LOWEST)/all.txt pyproject.toml
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --override $(LOWEST)/older.txt -r $(LOWEST)/all.txt -e . --group formats --group doubles python-decouple django-environ environs
	$(LOWEST)/bin/python tests/lowest.py
	$(LOWEST)/bin/python -m pytest -q -n 3 -W ignore -o filterwarnings= -k "not post_quantum and not conjur_s_own_client" $(ARGS) \
		--ignore tests/keys/test_agepq.py tests/cli/test_usage.py tests/cli/test_completion.py \
		tests/engine tests/formats tests/rules tests/identities tests/keys tests/keyservice tests/providers tests/publish tests/settings tests/sources

lint: $(STAMP)
	$(BIN)/ruff check

# The second and third check what runs on other systems.  A name that a system lacks is no error there:
# tests/test_platforms.py shows that such calls are not made.
types: types-here types-darwin types-win32

types-here: $(STAMP)
	$(BIN)/mypy

types-darwin types-win32: types-%: $(STAMP)
	$(BIN)/mypy --platform $* --cache-dir .mypy_cache/$* $(LACKS)

bench: $(STAMP)
	$(BIN)/python bench/compare.py
	$(BIN)/python bench/formats.py
	$(BIN)/python bench/history.py

lint-workflows: $(STAMP)
	$(BIN)/zizmor --offline --no-progress --quiet .github action.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@if [ "$(ACTIONLINT)" = no ]; then :; \
	elif command -v actionlint >/dev/null; then actionlint; \
	elif command -v go >/dev/null; then go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12; \
	else echo "Not checked with actionlint: it is not installed, and neither is Go to build it." >&2; fi

release-check: $(STAMP)
	$(BIN)/python .ci/release.py

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

man: $(STAMP)
	$(BIN)/python docs/make/manual.py

pictures: $(STAMP)
	$(BIN)/python docs/make/pictures.py

reference: $(STAMP)
	$(BIN)/python docs/make/python_reference.py
	$(BIN)/python docs/make/reference.py
	$(BIN)/python docs/make/diagram.py

fuzz: $(STAMP)
	@failed=0; \
	$(BIN)/python -m pytest -q -m hypothesis --hypothesis-profile=new || failed=1; \
	$(BIN)/python tests/fuzz.py $(ARGS) || failed=1; \
	$(BIN)/python tests/game.py --checks $(ARGS) || failed=1; \
	$(BIN)/python tests/game.py --games 1000000 --minutes 5 $(ARGS) || failed=1; exit $$failed

windows: $(STAMP)
	$(BIN)/python tests/wine.py $(ARGS)

mutants: $(STAMP)
	$(BIN)/python tests/mutants.py $(ARGS)

testkit: $(STAMP)
	$(BIN)/python tests/testkit.py $(ARGS)

functional: $(STAMP)
	$(BIN)/python tests/functional/run.py $(SOPS) $(ARGS)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "encconf needs Python 3.11 or newer; say which with: make PYTHON=python3.12 …")'
	@PYTHON="$(PYTHON)" bash .ci/install basics
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile --editable . --group dev
	@touch $@

clean:
	rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
