# Every command a contributor or the CI needs; `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Property cases of one property in `make check-long`; there are several properties.
PROPTEST_CASES ?= 100000
# Seconds of each target in `make fuzz`.
FUZZ_SECONDS ?= 60
# Rounds of `make bench`.
ROUNDS ?= 5

.PHONY: help
help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Builds the optimised program, without paths of this machine: target/release/kubectl-skills
	hack/release.sh
	hack/paths.sh $${CARGO_TARGET_DIR:-target}/release/kubectl-skills

.PHONY: demo
demo: ## Shows what would become of the sample in docs/examples/quickstart; writes nothing
	@if [ -x $${CARGO_TARGET_DIR:-target}/debug/kubectl-skills ]; then echo 'Building what has changed of the program.'; \
	else echo 'Building the program: some 80 crates the first time, which takes minutes, a line for each; after that seconds.'; fi
	@cargo build --locked --no-default-features --features cli
	@echo '$$ kubectl skills diff -f docs/examples/quickstart/weather.yaml'
	@$${CARGO_TARGET_DIR:-target}/debug/kubectl-skills diff -f docs/examples/quickstart/weather.yaml || [ $$? -eq 1 ]
	@echo 'Nothing was written. Next: docs/start.md'

.PHONY: golden
golden: ## Writes testdata/golden anew; read the diff before you commit it
	UPDATE_GOLDEN=1 cargo test --locked --test it golden

.PHONY: install
install: ## Installs the program into cargo's bin folder, where kubectl finds it as a plugin
	eval "$$(hack/remap.sh)"; eval "$$(hack/stamp.sh)"; cargo install --path . --locked

.PHONY: check
check: ## Format, lints, each feature by itself, the library's purity, documentation: everything short of tests
	cargo fmt --all --check
	cargo clippy --locked --all-targets --all-features -- -D warnings
	hack/purity.sh
	hack/features.sh
	hack/size.py --check
	bench/plots.py --check
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --lib
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --lib --no-default-features
	$(MAKE) --no-print-directory outside
	for script in $$(git ls-files '*.sh' .ci/run); do bash -n "$$script"; done

.PHONY: screenshots
screenshots: ## docs/images: six verbs at 120x40 and 80x24, as SVG (needs python3, and what e2e needs)
	cargo build --locked
	hack/screenshots.py --program "$${CARGO_TARGET_DIR:-target}/debug/kubectl-skills" --cluster

.PHONY: recording
recording: ## docs/images/quickstart.svg: the quickstart as it is typed (needs python3)
	cargo build --locked
	hack/screenshots.py --program "$${CARGO_TARGET_DIR:-target}/debug/kubectl-skills" --recording

.PHONY: screenshots-check
screenshots-check: ## Whether docs/images shows what the program prints, and no word is broken (needs what screenshots needs)
	cargo build --locked
	hack/screenshots.py --program "$${CARGO_TARGET_DIR:-target}/debug/kubectl-skills" --cluster --check
	hack/screenshots.py --program "$${CARGO_TARGET_DIR:-target}/debug/kubectl-skills" --recording --check

.PHONY: deny
deny: ## Licences, sources and banned crates of the dependency tree (builds cargo-deny once)
	command -v cargo-deny >/dev/null || [ -x .cache/cargo-deny/bin/cargo-deny ] || cargo install cargo-deny --locked --root .cache/cargo-deny
	PATH=$$PWD/.cache/cargo-deny/bin:$$PATH cargo deny check bans licenses sources

.PHONY: test
test: ## All tests; ends with how many there were, and how many vectors hold per profile
	hack/test.sh

.PHONY: tools
tools: ## The programs of others that the tests run: Kubernetes, etcd, kustomize, kpt, Helm, ... (needs Go; once, into .cache)
	hack/apiserver/build.sh >/dev/null
	hack/tools.sh $$(hack/tools.sh --ci) >/dev/null

.PHONY: e2e
e2e: ## The tests against real API servers (needs Go, curl and openssl; the first run builds the servers)
	hack/e2e.sh

.PHONY: e2e-registry
e2e-registry: ## push, pull, copy and tags against real registries on loopback, and a proxy that breaks them (needs Go, python3)
	hack/e2e-registry.sh

.PHONY: policy-crds
policy-crds: ## What 'policy --print kyverno' and '--print sigstore' print, given to an API server with the CRDs of both (needs Go and a network)
	cargo build --locked
	hack/policy-crds.sh

.PHONY: report-demo
report-demo: ## The page of report over 200 agents and 60 skills, opened in Chromium: filter, links, console, 390 pixels, dark (needs python3 and Chromium)
	cargo build --locked
	hack/report-demo.py --images docs/images

.PHONY: e2e-verify
e2e-verify: ## verify on what the real cosign signs in real registries (needs Go, python3; cosign takes a quarter of an hour to build once)
	hack/e2e-verify.sh

.PHONY: chaos
chaos: ## Two replicas of the controller on a real API server while everything breaks (CHAOS_SEED, CHAOS_SECONDS; needs what e2e needs)
	hack/chaos.sh

.PHONY: deploy
deploy: ## Writes the generated files of deploy/ from the tables in src/
	cargo run --locked --quiet --no-default-features --features internals --example deploy

.PHONY: deploy-check
deploy-check: ## deploy/ through kustomize, Helm 3 and 4 and a real API server (needs Go, python3, curl and openssl)
	hack/deploy-check.sh

.PHONY: e2e-pipelines
e2e-pipelines: ## docs/examples through the real kustomize, kpt, Helm and kubectl (needs Go; the first run builds them)
	hack/e2e-pipelines.sh

# Seconds of `make inject-load`.
INJECT_SECONDS ?= 30

.PHONY: inject-load
inject-load: ## 500 new pods a second at the optimised webhook over 5,000 SkillBindings: times and memory
	INJECT_SECONDS=$(INJECT_SECONDS) cargo test --release --locked --test webhook -- five_hundred --nocapture

.PHONY: dist
dist: ## All files of a release in target/dist, their packaging twice (DIST_TARGETS, DIST_PROFILE; needs Linux, python3 with pip, Go)
	hack/dist.sh --check
	$(MAKE) --no-print-directory dist-verify DIST=$${CARGO_TARGET_DIR:-target}/dist

# The folder that `make dist-verify`, `dist-walk` and `dist-sign` are about.
DIST ?= $(or $(CARGO_TARGET_DIR),target)/dist

.PHONY: dist-verify
dist-verify: ## What is in DIST: contents, SBOMs, krew's validator, the formula, both images started (needs python3, kubectl, Go)
	python3 hack/dist/check.py $(DIST)
	hack/krew/check.sh $(DIST)
	if command -v ruby >/dev/null; then ruby hack/dist/formula-check.rb $(DIST)/kubectl-skills.rb $(DIST); else echo '--  formula: not run, there is no ruby'; fi
	for image in $(DIST)/image $(DIST)/image-fn; do if [ -d "$$image" ]; then python3 hack/image/smoke.py "$$image"; fi; done

.PHONY: dist-check
dist-check: ## Packaging alone, with the debug program for two platforms, twice the same, and as dist-verify (needs what that needs)
	cargo build --locked
	debug=$${CARGO_TARGET_DIR:-target}/debug/kubectl-skills small=$${CARGO_TARGET_DIR:-target}/debug/kubectl-skills.stripped; \
	if command -v strip >/dev/null; then strip -o "$$small" "$$debug"; else cp "$$debug" "$$small"; fi; \
	hack/dist.sh --check --no-images --level 1 --out $${CARGO_TARGET_DIR:-target}/dist-check linux/amd64="$$small" windows/amd64="$$small" >/dev/null
	$(MAKE) --no-print-directory dist-verify DIST=$${CARGO_TARGET_DIR:-target}/dist-check

.PHONY: dist-walk
dist-walk: ## A newcomer with the archive in DIST alone: krew, sample, completion, manual, uninstall (needs kubectl, Go)
	hack/archive-walk.sh $(DIST)/kubectl-skills_*_linux_$$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/').tar.gz | tee $(DIST).walk

.PHONY: dist-sign
dist-sign: ## Signs SHA256SUMS in DIST with cosign (COSIGN_KEY, without login where it is set), and verifies it (cosign takes a quarter of an hour to build once)
	hack/dist/sign.sh $(DIST)

.PHONY: image
image: ## Both container images as OCI layouts, target/image and target/image-fn, without an engine, and started (needs what dist needs)
	hack/image.sh && hack/image.sh --kind fn
	python3 hack/image/smoke.py $${CARGO_TARGET_DIR:-target}/image $${CARGO_TARGET_DIR:-target}/image-fn

# How often `make in-place` kills a run by each signal, and lets somebody edit meanwhile.
IN_PLACE_ROUNDS ?= 100

.PHONY: in-place
in-place: ## render -i, killed and edited meanwhile IN_PLACE_ROUNDS times, and with few descriptors
	IN_PLACE_ROUNDS=$(IN_PLACE_ROUNDS) cargo test --locked --test it in_place_stress

.PHONY: check-long
check-long: ## The library's tests with 100,000 cases of every property (PROPTEST_CASES)
	PROPTEST_CASES=$(PROPTEST_CASES) cargo test --locked --lib

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZ_SECONDS (needs a nightly toolchain)
	hack/fuzz.sh $(FUZZ_SECONDS)

.PHONY: oracle
oracle: ## 335,000 texts read and 156,000 written alongside Go's sigs.k8s.io/yaml (ORACLE_SEED draws others; needs Go)
	oracle=$$(hack/tools.sh go-oracle); cargo run --locked --example oracle -- "$$oracle" $(ORACLE_SEED)

# The folder for `make corpus`, and the profiles' names, the seconds and other options of hack/corpus.py.
DIR ?= docs/examples
CORPUS ?=

.PHONY: corpus
corpus: ## Tries the program on a copy of your manifests: make corpus DIR=../deploy; counts, refusals, differences (needs Go, python3)
	cargo build --locked
	oracle=$$(hack/tools.sh go-oracle); python3 hack/corpus.py --program "$${CARGO_TARGET_DIR:-target}/debug/kubectl-skills" --oracle "$$oracle" $(CORPUS) $(DIR)

.PHONY: corpus-check
corpus-check: ## docs/examples through hack/corpus.py, and four kinds of damage that it has to find (needs Go, python3)
	cargo build --locked
	oracle=$$(hack/tools.sh go-oracle); hack/corpus-check.sh "$${CARGO_TARGET_DIR:-target}/debug/kubectl-skills" "$$oracle"

.PHONY: flood
flood: ## The webhook while one address wants 2,000 idle and 2,000 slow connections (FLOOD=500 for others): times of the reviews of another
	ulimit -n 16384; FLOOD=$${FLOOD:-2000} cargo test --locked --test webhook -- flood --nocapture

.PHONY: completion-check
completion-check: ## Completion driven in bash, zsh and fish in a pseudo-terminal (needs python3; installs zsh and fish by apt where they lack)
	missing=(); for shell in zsh fish; do command -v "$$shell" >/dev/null || missing+=("$$shell"); done; \
	if [ $${#missing[@]} -gt 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$${missing[@]}"; fi
	cargo build --locked
	python3 hack/completion-check.py "$${CARGO_TARGET_DIR:-target}/debug/kubectl-skills"

.PHONY: docs
docs: ## docs/cli.md and docs/verbs from the help of the program
	UPDATE_DOCS=1 cargo test --locked --test it the_pages_are_made_of_the_help

.PHONY: book
book: ## docs/ as a book in target/book, and all links checked (the first run fetches mdBook and lychee)
	hack/book.sh

.PHONY: bench
bench: ## CPU, memory and start-up alongside the same transform written with kyaml; renews docs/benchmarks.json and its plots (needs Go, python3, Linux)
	bench/run.sh --rounds $(ROUNDS)

# AgentRuntimes created at once in `make bench-controller`.
AGENTS ?= 1000 5000

.PHONY: bench-controller
bench-controller: ## Many AgentRuntimes at once on a real API server: time, CPU, memory, writes (needs Go, curl, python3, Linux)
	cargo build --release --locked
	bench/controller.py --program target/release/kubectl-skills --agents $(AGENTS)

.PHONY: bench-lock
bench-lock: build ## `render --locked` of 2,000 agents alongside `render` (needs python3, Linux)
	bench/generate.py .cache/bench
	bench/locked.py --program $${CARGO_TARGET_DIR:-target}/release/kubectl-skills --data .cache/bench

.PHONY: bench-skill-images
bench-skill-images: build ## pack and inspect on a skill of 12,941 files, alongside crane and oras where they are; hostile images: time, memory
	hostile=$$(mktemp -d); trap 'rm -rf "$$hostile"' EXIT; \
	HOSTILE_IMAGES=$$hostile cargo test --locked --test it -- each_is_refused_with_where_and_what; \
	bench/skill_images.py --program $${CARGO_TARGET_DIR:-target}/release/kubectl-skills --hostile "$$hostile" \
	  $$(crane=$$(ls .cache/tools/crane-*/crane 2>/dev/null | head -1); [ -z "$$crane" ] || echo --crane "$$PWD/$$crane")

.PHONY: outside
outside: ## examples/outside, a program of another project, renders a manifest with the library's public names
	cargo run --locked --quiet --manifest-path examples/outside/Cargo.toml --target-dir $${CARGO_TARGET_DIR:-target} \
	  < docs/examples/quickstart/weather.yaml | grep -c 'reference: ghcr.io/acme/skills/forecast:1.4.0' >/dev/null

.PHONY: size
size: ## Lines by folder, the longest files and functions, crates by feature, and which way folders import (needs python3)
	hack/size.py
