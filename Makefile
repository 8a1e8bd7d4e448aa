# Latentbrush. `make run` and `make test` are all that is needed on a fresh Debian or Ubuntu with git, make, curl and Go.

GO ?= go
# The window's packages: the threads of the interface are kept apart by fyne.Do, which spares Fyne's own checks.
TAGS := migrated_fynedo,no_emoji
BUILD := build
PROGRAM := $(BUILD)/latentbrush
GOFUMPT := mvdan.cc/gofumpt@v0.12.0
ARGS ?=

.PHONY: run build setup test bench package fmt clean help

help: ## what can be made
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: build ## set up, build, open the window (ARGS="sample -seed 7 …" runs a command instead)
	./$(PROGRAM) $(ARGS)

build: setup ## set up and build the program into build/
	@mkdir -p $(BUILD)
	$(GO) build -tags $(TAGS) -o $(PROGRAM) ./app

setup: ## bring the system packages and ONNX Runtime, where missing
	@.ci/setup run

test: ## everything that CI runs
	@.ci/setup test
	@.ci/test

bench: build ## measure speed and memory: a table, and the same rows in bench.json
	./$(PROGRAM) bench -o bench.json $(ARGS)

package: setup ## a folder and an archive to give away: program, ONNX Runtime, licence
	@.ci/package

fmt: ## put all Go files into gofumpt's form
	$(GO) run $(GOFUMPT) -l -w .

clean: ## remove what was built here
	rm -rf $(BUILD) bench.json
