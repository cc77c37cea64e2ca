# Stagepost. `make test` is everything that must hold before a change lands.

NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)
TESTARGS ?=

.PHONY: run demo test fmt lint unit doc clean

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

lint:
	cargo clippy --workspace --all-targets --quiet -- -D warnings

# nextest runs each test in its own process and fails a flaky one; without it cargo's own runner does.
unit:
ifeq ($(NEXTEST),yes)
	cargo nextest run --workspace $(TESTARGS)
else
	cargo test --workspace --quiet $(TESTARGS)
endif

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

clean:
	cargo clean
	rm -rf .stagepost
