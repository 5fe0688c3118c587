# Needs Python 3.10 or newer, nothing else: each target makes the virtual environment it runs in.
# PYTHON names the interpreter to make them with: `make test PYTHON=python3.13`.

PYTHON ?= python3

# The program's own dependencies, for the demo; and everything a developer needs.
RUN := .venv-run
DEV := .venv
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes

# The image, docs/image.md. For a release IMAGE is where it is pulled from: REGISTRY/NAME.
DOCKER ?= docker
IMAGE ?= rancheros-ec2-metadata
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' rancheros_ec2_metadata/__init__.py)
BASE_IMAGE ?= python:3.13-alpine
DIST ?= dist
PYZ := $(DIST)/ec2-docker-labels-$(VERSION).pyz
BUILD := build $(BUILD_FLAGS) --build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg VERSION=$(VERSION)

.PHONY: help demo test check-systemd lint bench fuzz lock clean image release-image preload pyz

help:
	@echo 'make demo   play a boot on this machine: no AWS, no RancherOS'
	@echo 'make test   all tests, with coverage; as root and with Docker also those on real parts'
	@echo 'make check-systemd  boot machines with systemd and Docker, as root on Debian; a tree of 450 MB stays in /var/tmp'
	@echo 'make lint   formatting, rules, types'
	@echo 'make bench  how long a run takes, and how a fleet fares'
	@echo 'make lock   take the newest dependencies into the lock files'
	@echo 'make clean  remove what the other targets made'
	@echo 'make image          the image, for this machine: $(IMAGE):$(VERSION)'
	@echo 'make preload        the image as a file for /var/lib/rancher/preload/system-docker'
	@echo 'make pyz            the program as one file for any Python: $(PYZ)'
	@echo 'make release-image  build for amd64 and arm64, and push to IMAGE=registry/name'

demo: $(RUN)/made
	@$(RUN)/bin/python -m rancheros_ec2_metadata demo

# Four at once on two cores: much of the time is waiting. PYTEST_ARGS=-n0 for one by one.
test: $(DEV)/made
	$(DEV)/bin/coverage erase
	$(DEV)/bin/coverage run -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)
	$(DEV)/bin/coverage combine --quiet
	$(DEV)/bin/coverage report

# The whole story; CHECKS=tests/systemd for all boots.
CHECKS ?= tests/systemd/test_story.py
check-systemd: pyz
	$(DEV)/bin/pytest -m systemd_host $(CHECKS) $(PYTEST_ARGS)

lint: $(DEV)/made
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/hadolint Dockerfile
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run examples/*/*.sh examples/*/*/*.sh; else echo 'no shellcheck here: scripts not looked at'; fi

bench: $(DEV)/made
	PYTHONPATH=tests $(DEV)/bin/python -m benchmarks.boot $(BENCH_ARGS)
	$(DEV)/bin/python -m benchmarks.fleet

# Lives of made-up machines; `make fuzz SEED=x RUNS=20000` for longer, and others.
SEED ?= 1
RUNS ?= 2000
fuzz: $(DEV)/made
	cd tests && ../$(DEV)/bin/python -m fuzz $(SEED) $(RUNS)

image:
	$(DOCKER) $(BUILD) --tag $(IMAGE):$(VERSION) .

preload: image
	mkdir -p $(DIST)
	$(DOCKER) save --output $(DIST)/rancheros-ec2-metadata-$(VERSION).tar $(IMAGE):$(VERSION)
	gzip --force --no-name $(DIST)/rancheros-ec2-metadata-$(VERSION).tar

# RancherOS's system-docker is 17.06 or older: schema 2 and gzip, no OCI types, no attestations.
# The builder must be one for several platforms: see docs/image.md.
release-image:
	$(DOCKER) buildx $(BUILD) --platform linux/amd64,linux/arm64 --provenance=false --sbom=false \
		--output type=image,name=$(IMAGE):$(VERSION),push=true,oci-mediatypes=false,compression=gzip,force-compression=true .

# One file for every machine with Python: docs/one-file.md. The shared libraries of wheels are for one Python
# and one architecture; beside each lies the same in Python. What tells of the build's machine is left out.
STAGE := $(DIST)/pyz
pyz: $(DEV)/made
	rm -rf $(STAGE)
	$(DEV)/bin/python $(PIP_INSTALL) --no-compile --only-binary :all: --target $(STAGE)/site --requirement requirements.lock
	cp -R rancheros_ec2_metadata LICENSE $(STAGE)/site
	cp docker/needs_python.py $(STAGE)
	$(DEV)/bin/python docker/prune_botocore.py $(STAGE)/site
	find $(STAGE) -name '*.so' -delete
	rm -rf $(STAGE)/site/bin $(STAGE)/site/*/tests $(STAGE)/site/*.dist-info/RECORD $(STAGE)/site/*.dist-info/WHEEL
	chmod -R u=rwX,go=rX $(STAGE)
	$(DEV)/bin/shiv --site-packages $(STAGE)/site --preamble $(STAGE)/needs_python.py --reproducible \
		--entry-point rancheros_ec2_metadata.__main__:console --output-file $(PYZ)
	rm -rf $(STAGE)

# Resolved for the Python of DEV: make that the oldest supported one, `make clean lock PYTHON=python3.10`.
COMPILE := CUSTOM_COMPILE_COMMAND='make lock' $(DEV)/bin/pip-compile --quiet --upgrade \
	--generate-hashes --allow-unsafe --strip-extras --no-emit-options
REQUIREMENTS := $(DEV)/bin/python -c 'import sys, tomli; \
	p = tomli.load(sys.stdin.buffer); groups = p["dependency-groups"]; \
	print(*p["project"]["dependencies"], *(line for g in sys.argv[1:] for line in groups[g]), sep="\n")'

lock: $(DEV)/made
	$(REQUIREMENTS) <pyproject.toml | $(COMPILE) --output-file requirements.lock -
	$(REQUIREMENTS) dev <pyproject.toml | $(COMPILE) --constraint requirements.lock \
		--output-file requirements-dev.lock -

clean:
	rm -rf $(RUN) $(DEV) $(DIST) .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN)/made: requirements.lock
	@$(call venv,$(RUN))
	$(RUN)/bin/python $(PIP_INSTALL) --requirement requirements.lock
	@touch $@

$(DEV)/made: requirements-dev.lock pyproject.toml
	@$(call venv,$(DEV))
	$(DEV)/bin/python $(PIP_INSTALL) --requirement requirements-dev.lock
	$(DEV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Make the virtual environment $(1), or say what is missing.
define venv
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	echo '$(PYTHON) must be Python 3.10 or newer: install it, or name one with PYTHON=…' >&2; exit 1; }; \
$(PYTHON) -m venv $(1) || { \
	echo '$(PYTHON) cannot make a virtual environment: on Debian and Ubuntu, apt-get install python3-venv' >&2; exit 1; }
endef
