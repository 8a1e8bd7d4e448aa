# Latentbrush. `make run` and `make test` are all that is needed on a fresh Debian or Ubuntu with git, make, curl and Go.

GO ?= go
# The window's packages: the threads of the interface are kept apart by fyne.Do, which spares Fyne's own checks.
TAGS := migrated_fynedo,no_emoji
BUILD := build
PROGRAM := $(BUILD)/latentbrush
GOFUMPT := mvdan.cc/gofumpt@v0.12.0
ARGS ?=

.PHONY: run build setup test bench soak package fmt clean help

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

soak: build ## the long checks: ten thousand random actions in the window, twenty kills of the program
	FYNE_CACHE=1s LATENTBRUSH_MONKEY=10000 $(GO) test -tags $(TAGS) -count=1 -timeout 1h -v -run TestMonkey ./app/gui/window
	LATENTBRUSH_KILLS=20 LATENTBRUSH_PROGRAM=$(CURDIR)/$(PROGRAM) xvfb-run -a -s "-screen 0 1440x900x24" \
		$(GO) test -tags $(TAGS) -count=1 -timeout 1h -v -run TestKillLosesNothing ./app/gui/screentest

package: setup ## a folder and an archive to give away: program, ONNX Runtime, licence
	@.ci/package

fmt: ## put all Go files into gofumpt's form
	$(GO) run $(GOFUMPT) -l -w .

clean: ## remove what was built here
	rm -rf $(BUILD) bench.json
