# `make` lists the targets. On a Debian with make and git, `make run` and `make test` install the packages that are missing;
# `make build` only names them. Everything is built in build/. Only the installation of packages needs root.
#
# FLAVOUR (sanitize, tsan, coverage) builds the same targets with other flags in build/$(FLAVOUR).

# Settings. (The name NGINX is not usable: nginx reads the sockets of a binary upgrade from a variable of that name.)
NGINX_BINARY ?= /usr/sbin/nginx
JOBS    ?= $(shell nproc)
TESTS   ?= $(B)/unit t
PROVE   ?= prove
PORT    ?=
DIR     ?= build/run
DAEMON  ?=
NO_DEPS ?=
# Warnings are errors in `make check` only: a newer compiler has new warnings.
WERROR  ?= $(if $(filter check%,$(MAKECMDGOALS)),-Werror)
TIME    ?= 60
FUZZ    ?= $(sort $(patsubst t/fuzz/%.cc,%,$(wildcard t/fuzz/*.cc)))
MATRIX  ?= full
RELEASES ?= bookworm trixie
PREFIX  ?= /usr

MAKEFLAGS += --no-print-directory
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:

DEPS_BUILD := nginx nginx-dev g++ make pkg-config liblmdb-dev libjansson-dev libutf8proc-dev libxxhash-dev \
              libssl-dev zlib1g-dev libcli11-dev libcurl4-openssl-dev
DEPS_RUN   := $(DEPS_BUILD) curl perl
DEPS_TEST  := $(DEPS_RUN) libio-socket-ssl-perl nghttp2-client openssl lmdb-utils \
              libnginx-mod-http-lua libnginx-mod-http-js
DEPS_ALL   := $(DEPS_TEST) clang clang-format clang-tidy cppcheck libclang-rt-dev gcovr wrk mandoc ccache libpcre2-dev valgrind

# $(call need,PACKAGES): a recipe line that does nothing if all packages are installed. The targets in `installs` install
# missing packages. All others, such as `make build`, fail and name them.
installs := deps run test check conformance sanitize tsan coverage fuzz bench status-cost freeze-store matrix deb test-deb
need = @$(if $(NO_DEPS),:,tools/deps.sh $(if $(filter $(installs),$(MAKECMDGOALS)),install,check) $(1))

## Everyday

help: ## list the targets
	@awk -F ':.*## ' '/^## /{ print "\n" substr($$0, 4) } /^[a-z-]+:.*## /{ printf "  make %-10s %s\n", $$1, $$2 }' \
	    Makefile

deps: ## install all packages that the targets need (apt-get; root or sudo)
	$(call need,$(DEPS_ALL))

build: module scimctl ## build the nginx module and scimctl

run: build | need-run ## start a scratch server and print a token and curl commands; PORT=8080 DIR=build/run DAEMON=1
	@PORT='$(PORT)' DIR='$(DIR)' DAEMON='$(DAEMON)' NGINX_BINARY='$(NGINX_BINARY)' tools/run.sh start

stop: ## stop the server that `make run DIR=…` started
	@DIR='$(DIR)' tools/run.sh stop

test: build units poke faults | need-test ## run the unit tests and the tests on a real nginx; TESTS=t/020-users.t for one
	$(test_env) $(PROVE) -j$(JOBS) -r $(TESTS)

## Before a commit

check: check-format check-layers check-compile check-tidy check-cppcheck ## check format, includes, warnings, clang-tidy, cppcheck

conformance: build units poke faults | need-test ## prove each rule of t/conformance/rules.tsv by its tests; run public suites
	@$(test_env) BUILD=$(B) JOBS=$(JOBS) tools/conformance run; status=$$?; \
	    $(test_env) tools/conformance-suites && exit $$status

conformance-page: ## make docs/conformance.md
	tools/conformance page >docs/conformance.md.new && mv docs/conformance.md.new docs/conformance.md

errors-page: scimctl ## make docs/errors.md
	$(B)/scimctl explain-error --markdown >docs/errors.md.new && mv docs/errors.md.new docs/errors.md

sanitize: ## build and test under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) FLAVOUR=sanitize test

tsan_units := $(addprefix build/tsan/unit/,threads.t lmdb_threads.t import.t)
tsan: ## run the unit tests that have threads under ThreadSanitizer
	@$(MAKE) FLAVOUR=tsan $(tsan_units)
	$(PROVE) $(tsan_units)

coverage: | need-all ## measure line coverage of src/scim, src/store, src/service by the tests; fail below 90 %
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) FLAVOUR=coverage test
	gcovr --root . --object-directory build/coverage --filter 'src/(scim|store|service)/' \
	    --exclude-unreachable-branches --txt build/coverage/summary.txt --html-details build/coverage/index.html \
	    --fail-under-line 90 --print-summary build/coverage; status=$$?; cat build/coverage/summary.txt; exit $$status

fuzz: $(FUZZ:%=build/fuzz/%) ## run the fuzz targets for TIME=60 seconds each; FUZZ=patch for one
	@for f in $(FUZZ); do mkdir -p build/fuzz/corpus/$$f; \
	    seeds=t/fuzz/corpus/$$f; if [ $$f = schema ]; then seeds+=' conf-examples/schemas'; fi; \
	    build/fuzz/$$f -max_total_time=$(TIME) -max_len=16384 -timeout=10 -rss_limit_mb=2048 -dict=t/fuzz/scim.dict \
	        -print_final_stats=1 -artifact_prefix=build/fuzz/$$f- build/fuzz/corpus/$$f $$seeds \
	        >build/fuzz/$$f.log 2>&1 || { tail -n 60 build/fuzz/$$f.log; exit 1; }; \
	    echo "fuzz $$f: $$(sed -n 's/^stat::number_of_executed_units: *//p' build/fuzz/$$f.log) inputs"; done

matrix: scimctl poke faults | need-all ## build and test with several versions of nginx; MATRIX=short for the builds of CI
	JOBS=$(JOBS) tools/matrix.sh $(MATRIX)

bench: build bench-programs | need-all ## run the benchmarks (bench/run); BENCH='arguments'
	bench/run $(BENCH)

stalls: build build/turns.so | need-test ## measure how long expensive requests occupy the event loop (bench/stalls); STALLS='arguments'
	@$(test_env) bench/stalls $(STALLS)

recheck: build build/turns.so | need-test ## measure scim_recheck with 10,000 open WebSockets (bench/recheck)
	@$(test_env) bench/recheck

status-cost: build | need-all ## count the instructions that scim_status costs a GET (bench/status)
	@$(test_env) bench/status

## Delivery

freeze-store: build poke | need-test ## make t/data/store-VERSION, which all later versions must read (HACKING.md)
	@$(test_env) t/tools/freeze-store

install: build ## install module, tools, manuals and examples below DESTDIR; does not enable the module
	install -D -m 644 $(B)/objs/$(MODULE).so '$(DESTDIR)/usr/lib/nginx/modules/$(MODULE).so'
	install -d '$(DESTDIR)/usr/share/nginx/modules-available'
	echo 'load_module modules/$(MODULE).so;' >'$(DESTDIR)/usr/share/nginx/modules-available/mod-http-scim.conf'
	chmod 644 '$(DESTDIR)/usr/share/nginx/modules-available/mod-http-scim.conf'
	install -D -m 755 $(B)/scimctl '$(DESTDIR)$(PREFIX)/sbin/scimctl'
	install -d '$(DESTDIR)$(PREFIX)/share/bash-completion/completions'
	$(B)/scimctl completion >'$(DESTDIR)$(PREFIX)/share/bash-completion/completions/scimctl'
	chmod 644 '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/scimctl'
	install -D -m 755 tools/scim-backup '$(DESTDIR)$(PREFIX)/sbin/scim-backup'
	for dir in . include schemas systemd; do \
	    install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/nginx-scim/examples/$$dir" conf-examples/$$dir/*.*; done
	for page in $(wildcard docs/*.[78]); do \
	    install -D -m 644 $$page '$(DESTDIR)$(PREFIX)/share/man/man'$${page##*.}/$${page##*/}; done

deb: | need-build ## build the Debian packages in build/deb (for the Debian it runs on), and check them if lintian is installed
	JOBS=$(JOBS) tools/deb.sh build build/deb

test-deb: | need-all ## build, install, upgrade and remove the packages in bare Debians (root); RELEASES='bookworm trixie'
	JOBS=$(JOBS) tools/deb.sh test $(RELEASES)

clean: ## remove build/
	rm -rf build

.PHONY: help deps build run stop test check conformance conformance-page errors-page sanitize tsan coverage fuzz matrix bench stalls recheck status-cost freeze-store install deb test-deb clean

# ---------------------------------------------------------------------------------------------------------------------

FLAVOUR ?=
B       := build$(addprefix /,$(FLAVOUR))
MODULE  := ngx_http_scim_module

flags_          := -O2 -g
flags_sanitize  := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
                   -Wno-maybe-uninitialized
flags_tsan      := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
flags_coverage  := -O0 -g --coverage -fprofile-update=atomic

compile = $(CXX) -std=c++17 -Wall -Wextra $(WERROR) -fPIC -pthread -Isrc $(flags_$(FLAVOUR)) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP
LIBS    = -llmdb -ljansson -lutf8proc -lxxhash -lcrypto -lz -pthread

lib_src   := $(wildcard src/scim/*/*.cc src/store/*.cc src/service/*.cc)
ctl_src   := $(wildcard src/scimctl/*.cc)
nginx_src := $(wildcard src/nginx/*.cc)
unit_src  := $(wildcard t/unit/*.cc)

lib_obj := $(lib_src:src/%.cc=$(B)/obj/%.o)
ctl_obj := $(ctl_src:src/%.cc=$(B)/obj/%.o)
units   := $(unit_src:t/unit/%.cc=$(B)/unit/%.t)
benches := $(addprefix $(B)/bench/,load bare_lmdb search leaf_tables substrings)

# Missing packages are installed before anything is compiled, one set after the other, because apt-get has one lock.
need-build:
	$(call need,$(DEPS_BUILD))
need-run: | need-build
	$(call need,$(DEPS_RUN))
need-test: | need-run
	$(call need,$(DEPS_TEST))
need-all: | need-test
	$(call need,$(DEPS_ALL))

module: | need-build
	+@tools/build-module.sh $(B) $(FLAVOUR)

scimctl: $(B)/scimctl
units: $(units) | stale-units
poke: $(B)/poke
bench-programs: $(benches)
faults: $(B)/faults.so $(B)/allocations.so $(B)/turns.so $(B)/memory.so

# Removes unit tests whose source no longer exists, so that prove does not run them.
stale-units:
	@mkdir -p $(B)/unit; rm -f $(filter-out $(units),$(wildcard $(B)/unit/*.t))

# Changes when a source is added or removed, so that archives and programs are linked again.
$(B)/sources.list: FORCE
	@mkdir -p $(@D); echo '$(lib_src) $(ctl_src)' | cmp -s - $@ || echo '$(lib_src) $(ctl_src)' >$@

$(B)/obj/%.o: src/%.cc | need-build
	@mkdir -p $(@D)
	$(compile) -c -o $@ $<

$(B)/libscim.a: $(lib_obj) $(B)/sources.list
	@rm -f $@
	$(AR) rcs $@ $(lib_obj)

$(B)/scimctl: $(ctl_obj) $(B)/libscim.a
	$(CXX) $(flags_$(FLAVOUR)) $(CXXFLAGS) $(LDFLAGS) -o $@ $(ctl_obj) $(B)/libscim.a $(LIBS) -lcurl

$(B)/unit/%.o: t/unit/%.cc | need-build
	@mkdir -p $(@D)
	$(compile) -It -c -o $@ $<

$(B)/unit/%.t: $(B)/unit/%.o $(B)/libscim.a
	$(CXX) $(flags_$(FLAVOUR)) $(CXXFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/bench/%.o: bench/%.cc | need-build
	@mkdir -p $(@D)
	$(compile) -I. -c -o $@ $<

$(benches): %: %.o $(B)/bench/rows.o $(B)/bench/population.o $(B)/libscim.a
	$(CXX) $(flags_$(FLAVOUR)) $(CXXFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# libFuzzer needs clang. The fuzz targets use src/scim, and what is added below. TMPDIR: where the stores of the target gate are.
fuzz_cxx := clang++ -std=c++17 -Wall -Wextra -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
            -fno-sanitize-recover=undefined -Isrc -It -MMD -MP
fuzz_obj := $(patsubst src/%.cc,build/fuzz/obj/%.o,$(wildcard src/scim/*/*.cc))

build/fuzz/obj/%.o: src/%.cc | need-all
	@mkdir -p $(@D)
	$(fuzz_cxx) -fsanitize=fuzzer-no-link -c -o $@ $<

build/fuzz/%: t/fuzz/%.cc $(fuzz_obj)
	$(fuzz_cxx) -fsanitize=fuzzer -MF build/fuzz/obj/$*.d -o $@ $(filter %.cc %.o,$^) -ljansson -lutf8proc -lcrypto $(fuzz_libs)

build/fuzz/gate_values: build/fuzz/obj/service/header_value.o
build/fuzz/cursor: build/fuzz/obj/service/cursor.o
build/fuzz/gate: $(patsubst src/%.cc,build/fuzz/obj/%.o,$(wildcard src/store/*.cc src/service/*.cc))
build/fuzz/gate: fuzz_libs := -llmdb -lxxhash -lz -pthread

# poke modifies a store behind the server's back, for the tests.
$(B)/poke: t/tools/poke.cc $(B)/libscim.a
	$(compile) -MF $(B)/obj/poke.d -o $@ $< $(LDFLAGS) $(B)/libscim.a $(LIBS)

# Preloaded libraries: disk writes and memory allocations that fail when a test asks for it, what one iteration of an event loop
# does at most, and how much memory a process has allocated.
$(B)/faults.so $(B)/allocations.so $(B)/turns.so $(B)/memory.so: $(B)/%.so: t/tools/%.cc | need-build
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -Wall -Wextra $(WERROR) -fPIC -shared -o $@ $< $(LDFLAGS)

-include $(wildcard $(B)/obj/*.d $(B)/obj/*/*.d $(B)/obj/*/*/*.d $(B)/unit/*.d $(B)/bench/*.d build/fuzz/obj/*.d build/fuzz/obj/*/*.d build/fuzz/obj/*/*/*.d)

# The environment of the tests. The module runs in Debian's nginx, into which the sanitizer's runtime is preloaded.
test_env = TEST_NGINX_BINARY=$(NGINX_BINARY) TEST_NGINX_MODULE=$(abspath $(B)/objs/$(MODULE).so) \
           TEST_SCIMCTL=$(abspath $(B)/scimctl) TEST_POKE=$(abspath $(B)/poke) \
           TEST_FAULTS=$(abspath $(B)/faults.so) TEST_ALLOCATIONS=$(abspath $(B)/allocations.so) \
           TEST_TURNS=$(abspath $(B)/turns.so) TEST_MEMORY=$(abspath $(B)/memory.so) $(test_env_$(FLAVOUR))
# nginx is a C program: unless libstdc++ is preloaded too, libasan does not find the function that throws exceptions.
test_env_sanitize = TEST_NGINX_PRELOAD=$(shell $(CXX) -print-file-name=libasan.so):$(shell $(CXX) -print-file-name=libstdc++.so.6) \
           ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
           LSAN_OPTIONS=suppressions=$(abspath tools/lsan.supp):print_suppressions=0

# The parts of `make check`.
check-format: | need-all
	clang-format --dry-run -Werror $(foreach e,cc h,$(wildcard src/*.$e src/*/*.$e src/*/*/*.$e t/*/*.$e bench/*.$e))

check-layers:
	tools/check-layers.sh

# nginx compiles with -W -Wall -Werror, so building the module checks src/nginx.
check-compile: module scimctl units bench-programs

check-tidy: check-compile | need-all
	@$(MAKE) $(tidy_stamps)

check-cppcheck: | need-all
	@mkdir -p build/cppcheck
	cppcheck --quiet --std=c++17 --language=c++ -Isrc -j$(JOBS) --cppcheck-build-dir=build/cppcheck \
	    --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem --suppressions-list=tools/cppcheck.supp \
	    $(lib_src) $(ctl_src) $(nginx_src) $(unit_src)

# clang-tidy runs again only when the object, and thus the source or one of its headers, is newer. nginx's headers are
# system headers, so that their warnings are not reported. The analyzer follows at most 40,000 states of a function: its
# default of 225,000 takes three times as long. It is off for tests, because it takes minutes and finds nothing there;
# exceptions may escape main(), because such a test has failed.
tidy_stamps := $(patsubst %.cc,build/tidy/%.ok,$(lib_src) $(ctl_src) $(nginx_src) $(unit_src))
tidy_nginx  := $(addprefix -isystem /usr/share/nginx/src/src/,core event event/modules os/unix http http/modules http/v2) \
               -isystem build/objs
tidy_tests  := --checks=-clang-analyzer-*,-bugprone-exception-escape,-readability-function-size
define tidy
@mkdir -p $(@D)
@echo clang-tidy $<; clang-tidy --quiet $(1) $< -- -std=c++17 -Isrc -It $(2) \
    -Xclang -analyzer-config -Xclang max-nodes=40000 2>&1 | sed '/warnings\? generated\.$$/d'; \
    exit $${PIPESTATUS[0]}
@touch $@
endef

build/tidy/src/nginx/%.ok: src/nginx/%.cc build/objs/addon/nginx/%.o .clang-tidy
	$(call tidy,,$(tidy_nginx))
build/tidy/src/%.ok: src/%.cc build/obj/%.o .clang-tidy
	$(call tidy)
build/tidy/t/unit/%.ok: t/unit/%.cc build/unit/%.o .clang-tidy
	$(call tidy,$(tidy_tests))

.PHONY: need-build need-run need-test need-all module scimctl units poke faults bench-programs stale-units check-format \
        check-layers check-compile check-tidy check-cppcheck FORCE
FORCE:
