# Stagepost. `make test` is everything that must hold before a change lands.

NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)
TESTARGS ?=

# What the functions are built for: arm64, or x86_64. Tell `make deploy` the same.
ARCH ?= arm64
# Where a deployment is: SAM itself does not look at AWS_REGION.
REGION ?= $(AWS_REGION)
# `quick` builds in a third of the time, for trying; it is larger and slower.
PROFILE ?= release
TOOLS := target/tools
FUNCTIONS := $(notdir $(wildcard functions/*))
# A rehearsal's own: an AWS stand-in, and functions that may call this machine.
E2E := target/e2e
E2E_TOOLS := target/e2e-tools
# What `make cold` builds to compare, beside target/lambda: for this machine, whatever is deployed.
COLD := target/cold
COLD_BUILD = cargo lambda build --profile $(PROFILE) $(if $(filter aarch64 arm64,$(shell uname -m)),--arm64,--x86-64)
REHEARSED := api console fulfillment-runner job-runner tracker-runner webhook-runner
empty :=
comma := ,

.PHONY: run demo test fmt lint tls public unit browser fuzz bench cold cold-build heat cost build e2e e2e-build template deploy doc clean

## Serve everything on http://127.0.0.1:8787 from one process
run:
	cargo run --quiet

## The main job in a minute on one screen
demo:
	cargo run --quiet -- demo

## Format, lints, every test
test: fmt lint unit

fmt:
	cargo fmt --all --check

lint: tls public
	cargo clippy --workspace --all-targets --features stagepost-tests/e2e --quiet -- -D warnings

# One TLS stack per function (docs/adr/0002).
tls:
	@! cargo tree --edges normal $(foreach f,$(wildcard functions/*),--package stagepost-$(notdir $(f))) \
		| grep -E 'aws-lc|openssl(-sys)? v|native-tls' || { echo "a function has a second TLS stack" >&2; exit 1; }

# No function of a deployment may call this machine (docs/adr/0020).
public:
	@! cargo tree --edges normal,features $(foreach f,$(FUNCTIONS),--package stagepost-$(f)) \
		| grep 'feature "rehearsal"' || { echo "a function is built for a rehearsal" >&2; exit 1; }

# The pages are tried in a browser, and against axe's rules of accessibility.
browser: $(TOOLS)/axe.min.js
	@command -v chromedriver >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium chromium-driver; } || \
	  { echo "chromium and chromedriver are needed: as root, apt-get install chromium chromium-driver" >&2; exit 1; }

$(TOOLS)/axe.min.js:
	@command -v npm >/dev/null || { apt-get update -qq && apt-get install -y -qq npm; } || \
	  { echo "npm is needed to fetch axe-core" >&2; exit 1; }
	mkdir -p $(TOOLS)/axe
	cd $(TOOLS)/axe && npm pack --silent axe-core@4.11.4 && tar xzf axe-core-4.11.4.tgz package/axe.min.js
	mv $(TOOLS)/axe/package/axe.min.js $@
	rm -r $(TOOLS)/axe

# nextest runs each test in its own process and fails a flaky one; without it cargo's own runner does.
unit: browser
ifeq ($(NEXTEST),yes)
	cargo nextest run --workspace $(TESTARGS)
else
	cargo test --workspace --quiet $(TESTARGS)
endif

## Three minutes of good and bad input against a running host, held against its own document
fuzz:
	infra/fuzz/run.sh

## Ten thousand stage entries while receivers fail and the host is killed at random, then `cold`; prints figures
bench:
	cargo run --release --quiet --package stagepost-bench -- storm
	cargo run --release --quiet --package stagepost-bench -- hole
	$(MAKE) --no-print-directory cold

# The functions, a bare one on each TLS stack with the functions' own versions, and one on Node.js if npm is there.
cold-build: $(TOOLS)/installed
	mkdir -p $(COLD)
	cp Cargo.lock infra/bench/cold/bare/Cargo.lock
	export PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH"; set -e; \
	$(COLD_BUILD) --lambda-dir $(CURDIR)/$(COLD)/functions $(foreach f,$(FUNCTIONS),--package stagepost-$(f)); \
	cd infra/bench/cold/bare; export CARGO_TARGET_DIR=$(CURDIR)/$(COLD)/build; \
	$(COLD_BUILD) --lambda-dir $(CURDIR)/$(COLD)/bare; \
	$(COLD_BUILD) --lambda-dir $(CURDIR)/$(COLD)/bare-aws-lc --no-default-features --features aws-lc; \
	AWS_LC_SYS_NO_JITTER_ENTROPY=1 \
	$(COLD_BUILD) --lambda-dir $(CURDIR)/$(COLD)/bare-aws-lc-no-jitter --no-default-features --features aws-lc
	@command -v npm >/dev/null || { echo "no npm: nothing to compare with on Node.js" >&2; exit 0; } && \
	cd infra/bench/cold/node && npm ci --silent --no-audit --no-fund && npm run --silent build

## Size, cold start and memory of each function beside a bare one and one on Node.js (docs/cold-start.md)
cold: cold-build
	python3 infra/bench/cold/measure.py --functions $(COLD)/functions --built $(COLD) --note "profile $(PROFILE)"

## Which key of the table is hot first, and what shards move it (docs/scale.md); starts nothing
heat:
	cargo run --quiet --package stagepost-bench -- heat

## What orders and an idle deployment cost, by the list prices that docs/cost.md names
cost:
	python3 infra/bench/cost.py

# cargo-lambda, SAM and cfn-lint from PyPI, in the versions that this was tried with.
$(TOOLS)/installed: infra/deploy/requirements.txt
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/pip --quiet --disable-pip-version-check install -r $<
	touch $@

## The functions' binaries for AWS, in target/lambda
build: $(TOOLS)/installed
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" cargo lambda build --profile $(PROFILE) \
		$(if $(filter arm64,$(ARCH)),--arm64,--x86-64) $(foreach f,$(FUNCTIONS),--package stagepost-$(f))

$(E2E_TOOLS)/installed: infra/e2e/requirements.txt
	python3 -m venv $(E2E_TOOLS)
	$(E2E_TOOLS)/bin/pip --quiet --disable-pip-version-check install -r $<
	touch $@

# Beside target/lambda, never in it: `make deploy` cannot take these (docs/adr/0020).
e2e-build: $(TOOLS)/installed
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" cargo lambda build --profile quick --lambda-dir $(E2E)/target/lambda \
		$(if $(filter aarch64 arm64,$(shell uname -m)),--arm64,--x86-64) $(foreach f,$(FUNCTIONS),--package stagepost-$(f)) \
		--features $(subst $(empty) $(empty),$(comma),$(REHEARSED:%=stagepost-%/rehearsal))

## The template deployed to a stand-in of AWS on this machine, and the main job through it
e2e: e2e-build $(E2E_TOOLS)/installed
	cargo build --quiet
	cargo test --quiet --no-run --package stagepost-tests --features e2e --test main_flow --test deployed
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" $(E2E_TOOLS)/bin/python infra/e2e/run.py $(E2E) \
		cargo test --quiet --package stagepost-tests --features e2e --test main_flow --test deployed \
		-- --test-threads=1 $(TESTARGS)

## The template, held against CloudFormation's and SAM's own rules
template: $(TOOLS)/installed
	SAM_CLI_TELEMETRY=0 $(TOOLS)/bin/sam validate --lint --region us-east-1
	$(TOOLS)/bin/cfn-lint template.yaml

# Without STACK and samconfig.toml it asks for every parameter, offers the template's defaults, and sends them all.
## What `make build` built, to AWS: STACK=… REGION=… to a stack that is there, nothing asked; else docs/deploy.md
deploy: $(TOOLS)/installed
ifdef STACK
	$(TOOLS)/bin/sam deploy --stack-name $(STACK) $(if $(REGION),--region $(REGION)) --resolve-s3 \
		--capabilities CAPABILITY_IAM --no-confirm-changeset --no-fail-on-empty-changeset \
		--parameter-overrides Architecture=$(ARCH) $(PARAMETERS)
else
	$(TOOLS)/bin/sam deploy --capabilities CAPABILITY_IAM \
		$(if $(wildcard samconfig.toml),,--guided --stack-name stagepost $(if $(REGION),--region $(REGION))) \
		--parameter-overrides Architecture=$(ARCH) $(PARAMETERS)
endif

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

clean:
	cargo clean
	rm -rf .stagepost
