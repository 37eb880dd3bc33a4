# `make serve` and `make test` are all that a newcomer needs; `make help` lists the rest.

SHELL := /bin/bash
PYTHON ?= python3
ARGS ?=

# ONNX Runtime for CUDA where an NVIDIA driver is seen, else for the CPU.
LOCK := $(if $(wildcard /proc/driver/nvidia/version /dev/dxg),gpu,cpu)

# What tests need beside Python packages: a browser, the images that lenet5 is measured on, and certificates.
DEBIAN_PACKAGES := chromium dataset-fashion-mnist prometheus openssl
# What builds images without an engine, and a base for them.
IMAGE_PACKAGES := buildah mmdebstrap
# What loads the service in a benchmark.
BENCH_PACKAGES := wrk

PIP_FLAGS := --quiet --disable-pip-version-check --no-input

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: serve
serve: .venv-serve/$(LOCK).stamp ## set up what serving needs, and serve the shipped models on 127.0.0.1:8000 (ARGS="--port 8123")
	exec .venv-serve/bin/striate serve $(ARGS)

.PHONY: test
test: setup ## set up, and run every check: format, lint, types, layers, tests
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest $(ARGS)

.PHONY: image-test
image-test: .venv/dev.stamp image-packages ## as root, without Docker: build the image for the CPU, run it and test it (ARGS="--base IMAGE")
	.venv/bin/pytest tests/container $(ARGS)

.PHONY: image-test-cuda
image-test-cuda: .venv/dev.stamp image-packages ## the same for the image with CUDA: 20 GB of disk for a while, no GPU
	.venv/bin/pytest tests/container --target cuda $(ARGS)

.PHONY: setup
setup: packages .venv/dev.stamp ## set up what development needs, PyTorch included

.PHONY: packages
packages: ## install the Debian packages that tests need, where this is run as root
	$(call debian,$(DEBIAN_PACKAGES),so that some tests are skipped,packages)

.PHONY: image-packages
image-packages: ## install the Debian packages that build images, where this is run as root
	$(call debian,$(IMAGE_PACKAGES),without which no image can be built here,image-packages)

.PHONY: bench-packages
bench-packages: ## install the Debian packages that benchmarks need, where this is run as root
	$(call debian,$(BENCH_PACKAGES),without which the service cannot be loaded,bench-packages)

define debian
@if dpkg --status $(1) > /dev/null 2>&1; then :; \
elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends $(1); \
else echo "not installed, $(2): $(1) (sudo make $(3))"; fi
endef

.PHONY: format
format: .venv/dev.stamp ## format the code, and mend what the linter can
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.PHONY: ray-test
ray-test: .venv-ray/ray.stamp ## test the service on a cluster of two Ray nodes, both on this machine (three minutes)
	.venv-ray/bin/pytest tests/ray -W default -rP --show-capture=stdout $(ARGS)

.PHONY: ray-bench
ray-bench: .venv-ray/ray.stamp bench-packages ## measure what workers and Ray Serve cost over one process (ARGS="--help")
	.venv-ray/bin/python -m benchmarks.layers $(ARGS)

.PHONY: bench
bench: .venv/dev.stamp bench-packages ## measure the service under load against its bounds, in one run (ARGS="--help")
	.venv/bin/python -m benchmarks $(ARGS)

.PHONY: soak
soak: .venv/dev.stamp ## load the service for 20 minutes, and look at every answer (ARGS="--minutes 2")
	.venv/bin/python -m benchmarks.soak $(ARGS)

.PHONY: chaos
chaos: .venv/dev.stamp ## break the service on purpose: kill, stop, fill the disk, take its models away
	.venv/bin/pytest tests/chaos -v -m "" $(ARGS)

.PHONY: verify
verify: setup ## prove every published model, and every architecture with random weights, against PyTorch
	.venv/bin/striate export verify --all $(ARGS)

.PHONY: screenshots
screenshots: setup ## take the pictures of docs/page.md again
	.venv/bin/pytest tests/page/test_access.py --pictures docs/pictures

.PHONY: settings
settings: .venv/dev.stamp ## write the page of all settings again
	.venv/bin/striate settings > docs/settings.md

.PHONY: fuzz
fuzz: .venv/dev.stamp ## feed the service damaged images and requests (ARGS="--minutes 10 --seed 7")
	.venv/bin/python -m tests.fuzz $(ARGS)

.PHONY: audit
audit: .venv-audit/stamp ## look for known vulnerabilities in every locked dependency
	$(call look_up,cpu)
	$(call look_up,gpu)
	$(call look_up,dev)

# pip-audit takes one that it could not look up for a good one.
define look_up
@echo "locks/$(1).txt"
@found=$$(.venv-audit/bin/pip-audit --requirement locks/$(1).txt --require-hashes --disable-pip --progress-spinner off 2>&1); \
status=$$?; echo "$$found"; [ $$status = 0 ] && ! grep --quiet "could not be audited" <<< "$$found" \
|| { echo "locks/$(1).txt: $$(grep --count "could not be audited" <<< "$$found") packages were not looked up, so that nothing is known of them"; \
echo "(make audit asks PyPI: run it where that can be reached); what is vulnerable is listed above, if anything is"; exit 1; }
endef

.PHONY: sbom
sbom: .venv-audit/stamp .venv-serve/$(LOCK).stamp ## write what is installed for serving, with licences, to dist/sbom.json (CycloneDX)
	@mkdir -p dist
	.venv-audit/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json .venv-serve

.PHONY: lock
lock: .venv/dev.stamp ## resolve the dependencies again, within the ranges of pyproject.toml
	$(call compile,cpu,--extra cpu --group build)
	$(call compile,gpu,--extra gpu --group build --constraint locks/cpu.txt)
	$(call compile,dev,--extra cpu --extra export --group dev --constraint locks/cpu.txt)
	$(call compile,ray,--extra cpu --group ray --constraint locks/cpu.txt)

define compile
.venv/bin/uv pip compile pyproject.toml $(2) --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" --output-file locks/$(1).txt

endef

# They look at the dependencies, and are none themselves.
.venv-audit/stamp:
	@rm -rf .venv-audit
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/pip install $(PIP_FLAGS) pip-audit==2.10.1 cyclonedx-bom==7.5.0
	@touch $@

.venv-serve/%.stamp: locks/%.txt
	$(call install,.venv-serve,$*)

.venv-ray/ray.stamp: locks/ray.txt
	$(call install,.venv-ray,ray)

.venv/dev.stamp: locks/dev.txt
	$(call install,.venv,dev)

# The locks are whole, so nothing is left to resolve: pip before 23.3 looks past the lock for the newest `name[extra]`.
define install
	@echo "setting up $(1) from locks/$(2).txt: once, a minute or a few"
	@rm -rf $(1)
	@$(PYTHON) -c 'import sys; sys.exit("Striate needs Python 3.11 or newer; this is " + sys.version) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(1)
	@$(1)/bin/pip install $(PIP_FLAGS) --no-deps --require-hashes --requirement locks/$(2).txt
	@$(1)/bin/pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	@touch $(1)/$(2).stamp
endef
