# Stagepost. `make test` is everything that must hold before a change lands.

NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)
TESTARGS ?=

.PHONY: run demo test fmt lint tls unit fuzz doc clean

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

lint: tls
	cargo clippy --workspace --all-targets --quiet -- -D warnings

# One TLS stack per function (docs/adr/0002).
tls:
	@! cargo tree --edges normal $(foreach f,$(wildcard functions/*),--package stagepost-$(notdir $(f))) \
		| grep -E 'aws-lc|openssl(-sys)? v|native-tls' || { echo "a function has a second TLS stack" >&2; exit 1; }

# nextest runs each test in its own process and fails a flaky one; without it cargo's own runner does.
unit:
ifeq ($(NEXTEST),yes)
	cargo nextest run --workspace $(TESTARGS)
else
	cargo test --workspace --quiet $(TESTARGS)
endif

## Three minutes of good and bad input against a running host, held against its own document
fuzz:
	infra/fuzz/run.sh

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

clean:
	cargo clean
	rm -rf .stagepost
