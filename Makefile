# SPDX-License-Identifier: MIT
# One non-recursive Makefile. Flavours never mix: build/ is the plain one, build/asan and
# build/tsan are made by the targets of those names. Packagers set the ?= variables.
CC ?= cc
CXX ?= c++
CFLAGS ?= -O2 -g
CXXFLAGS ?= $(CFLAGS)
CPPFLAGS ?=
LDFLAGS ?=
PREFIX ?= /usr/local
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
BUILD ?= build
WERROR ?=
SAN ?=
FIRMWARE ?=
WEB ?= auto

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo unknown)
LIBS := libmicrohttpd sqlite3 jansson libcrypto zlib libsystemd inih avahi-client

OTAD_CPPFLAGS := -D_GNU_SOURCE -Iinclude -Iserver -Iclient/include -I$(BUILD)/gen
OTAD_CFLAGS = -std=c11 -pthread -fPIE -fstack-protector-strong \
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wvla -Wundef -Wwrite-strings \
  -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Wimplicit-fallthrough \
  -Wnull-dereference -Wno-overlength-strings $(if $(WERROR),-Werror)
OTAD_LDFLAGS = -pthread -pie -Wl,-z,relro,-z,now
ifneq ($(SAN),)
OTAD_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OTAD_LDFLAGS += -fsanitize=$(SAN)
else
OTAD_CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
LIB_CFLAGS = $(shell pkg-config --cflags $(LIBS))
LIB_LIBS = $(shell pkg-config --libs $(LIBS))
CHECK_LIBS = $(shell pkg-config --libs check libcurl libssl)

Q := $(if $(V),,@)

SERVER_SRC := $(filter-out server/main.c,$(wildcard server/*.c server/*/*.c))
CLIENT_SRC := $(wildcard client/src/*.c)
CLIENT_POSIX_SRC := $(wildcard client/ports/posix/*.c)
SUPPORT_SRC := $(filter-out tests/support/%_main.c tests/support/%_preload.c,$(wildcard tests/support/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
API_TESTS := $(patsubst tests/api/%.c,$(BUILD)/tests/api/%,$(wildcard tests/api/test_*.c))
CRASH_TESTS := $(patsubst tests/crash/%.c,$(BUILD)/tests/crash/%,$(wildcard tests/crash/test_*.c))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_REPLAY := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(FUZZ_SRC))
TOOLS_MAIN := $(patsubst tests/support/%_main.c,$(BUILD)/tests/%,$(wildcard tests/support/*_main.c))
PRELOADS := $(patsubst tests/support/%_preload.c,$(BUILD)/tests/%.so,$(wildcard tests/support/*_preload.c))
BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/*.c))
EXAMPLES := $(patsubst client/examples/%.c,$(BUILD)/%,$(wildcard client/examples/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
ALL_SRC := $(SERVER_SRC) server/main.c $(CLIENT_SRC) $(CLIENT_POSIX_SRC) $(SUPPORT_SRC)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps build demo run check check-run tests bench bench-quick bench-fleet bench-web screenshots asan tsan coverage fuzz tidy \
  format format-check layers size client-size arduino-library install uninstall dist docker clean help

all: $(BUILD)/otad $(EXAMPLES) ## build the daemon and the example device

help: ## show this list
	$(Q)awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install the Debian packages that are missing (root or sudo)
	$(Q)tools/install-deps.sh build web demo check browser

# The set-up targets install first and then start a second make, because pkg-config may only
# have arrived with the first.
demo: deps ## the main job, end to end, on this machine
	$(Q)+$(MAKE) --no-print-directory WEB=yes all $(BUILD)/tests/mkimage
	$(Q)tools/demo.sh $(BUILD) $(if $(FIRMWARE),"$(FIRMWARE)")

run: deps ## the same set-up, daemon left in the foreground
	$(Q)+$(MAKE) --no-print-directory WEB=yes all $(BUILD)/tests/mkimage
	$(Q)tools/run.sh $(BUILD)

check: deps ## install, build and pass all tests
	$(Q)+$(MAKE) --no-print-directory WEB=yes check-run

# ---- generated -----------------------------------------------------------------------------
$(BUILD)/gen/migrations.inc: $(wildcard migrations/*.sql) tools/embed_sql.sh
	@mkdir -p $(@D)
	$(Q)tools/embed_sql.sh migrations > $@

$(BUILD)/gen/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define OTAD_VERSION "$(VERSION)"' > $@.tmp
	@cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@
.PHONY: FORCE
FORCE:

# The dashboard: made with node and npm, once for all flavours. Which folder is embedded changes when
# they come or go.
$(BUILD)/gen/dashboard-folder: FORCE
	@mkdir -p $(@D)
	@tools/web.sh which $(WEB) > $@.tmp
	@cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@
$(BUILD)/gen/dashboard.inc: $(BUILD)/gen/dashboard-folder $(shell find web -type f) tools/web.sh tools/embed_assets.sh
	@echo "  WEB   $$(cat $<)"
	$(Q)tools/web.sh build "$$(cat $<)"
	$(Q)tools/embed_assets.sh "$$(cat $<)" > $@

# ---- objects -------------------------------------------------------------------------------
$(BUILD)/obj/%.o: %.c | $(BUILD)/gen/migrations.inc $(BUILD)/gen/version.h
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(OTAD_CPPFLAGS) $(CPPFLAGS) $(OTAD_CFLAGS) $(CFLAGS) $(LIB_CFLAGS) -Itests -MMD -MP -c $< -o $@

$(BUILD)/obj/server/db/migrate.o: $(BUILD)/gen/migrations.inc
$(BUILD)/obj/server/dashboard/assets.o: $(BUILD)/gen/dashboard.inc
$(BUILD)/obj/server/main.o $(BUILD)/obj/server/cli/serve.o: $(BUILD)/gen/version.h

# The ports to vendors' SDKs, against doubles of the headers they use: types and order of calls are
# checked here, and a whole update runs on a fake device. The real SDKs are never needed.
IDF_TASK := client/ports/esp-idf/src/task.c
IDF_SRC := $(filter-out $(IDF_TASK),$(wildcard client/ports/esp-idf/src/*.c)) $(wildcard tests/doubles/esp-idf/*.c)
IDF_TEST := tests/api/test_port_esp_idf
IDF_FLAGS := -Itests/doubles/esp-idf -Iclient/ports/esp-idf/include
$(call obj,$(IDF_SRC) $(IDF_TASK) $(IDF_TEST).c $(IDF_TEST)_signed.c): OTAD_CPPFLAGS := $(IDF_FLAGS) $(OTAD_CPPFLAGS)
$(BUILD)/$(IDF_TEST): $(call obj,$(IDF_SRC) $(IDF_TASK))
$(BUILD)/$(IDF_TEST)_signed: $(call obj,$(IDF_SRC)) $(BUILD)/obj/signed/$(IDF_TASK:.c=.o)

# The same with what menuconfig makes of "Take only signed images".
$(BUILD)/obj/signed/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $< (signed)"
	$(Q)$(CC) -DCONFIG_OTAD_SIGNED $(IDF_FLAGS) $(OTAD_CPPFLAGS) $(CPPFLAGS) $(OTAD_CFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

ARDUINO_SRC := $(wildcard client/ports/arduino/src/*.cpp tests/doubles/arduino/*.cpp)
ARDUINO_OBJ := $(patsubst %.cpp,$(BUILD)/obj/esp8266/%.o,$(ARDUINO_SRC))
ARDUINO_TEST := tests/api/test_port_arduino
ARDUINO_FLAGS = -std=gnu++17 -pthread -fPIE -fno-exceptions -fno-threadsafe-statics -Wall -Wextra -Wshadow -Wconversion \
  -Wno-overlength-strings $(if $(WERROR),-Werror) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) \
  -Itests/doubles/arduino -Iclient/ports/arduino/src -Iclient/include -Itests
$(call obj,$(ARDUINO_TEST).c $(ARDUINO_TEST)_signed.c): OTAD_CPPFLAGS := -Itests/doubles/arduino $(OTAD_CPPFLAGS)
$(BUILD)/$(ARDUINO_TEST) $(BUILD)/$(ARDUINO_TEST)_signed: $(ARDUINO_OBJ) | $(BUILD)/obj/esp32/client/ports/arduino/src/OtadClient.o

$(BUILD)/obj/esp8266/%.o: %.cpp
	@mkdir -p $(@D)
	@echo "  CXX   $< (ESP8266)"
	$(Q)$(CXX) $(ARDUINO_FLAGS) -DESP8266 $(CXXFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/obj/esp32/%.o: %.cpp
	@mkdir -p $(@D)
	@echo "  CXX   $< (ESP32)"
	$(Q)$(CXX) $(ARDUINO_FLAGS) -DESP32 -Itests/doubles/esp-idf -Iclient/ports/esp-idf/include $(CXXFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libotad.a: $(call obj,$(SERVER_SRC))
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libclient.a: $(call obj,$(CLIENT_SRC) $(CLIENT_POSIX_SRC))
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libsupport.a: $(call obj,$(SUPPORT_SRC))
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^

define link
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(OTAD_CFLAGS) $(CFLAGS) $(OTAD_LDFLAGS) $(LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(1) -o $@
endef

$(BUILD)/otad: $(BUILD)/obj/server/main.o $(BUILD)/libotad.a
	$(call link,$(LIB_LIBS))

$(EXAMPLES): $(BUILD)/%: $(BUILD)/obj/client/examples/%.o $(BUILD)/libclient.a
	$(call link,-lssl -lcrypto)

$(TOOLS_MAIN): $(BUILD)/tests/%: $(BUILD)/obj/tests/support/%_main.o $(BUILD)/libsupport.a $(BUILD)/libotad.a
	$(call link,$(CHECK_LIBS) $(LIB_LIBS))

$(PRELOADS): $(BUILD)/tests/%.so: tests/support/%_preload.c $(wildcard tests/support/*.h)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(OTAD_CPPFLAGS) $(filter-out -fPIE,$(OTAD_CFLAGS)) $(CFLAGS) -fPIC -shared $< -lsqlite3 -o $@

$(UNIT_TESTS) $(API_TESTS) $(CRASH_TESTS): $(BUILD)/%: $(BUILD)/obj/%.o $(BUILD)/libsupport.a $(BUILD)/libclient.a $(BUILD)/libotad.a
	$(call link,$(CHECK_LIBS) $(LIB_LIBS))

# Every fuzz target also runs as a test: linked with a small main that replays its corpus.
$(FUZZ_REPLAY): $(BUILD)/tests/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay.o $(BUILD)/libsupport.a $(BUILD)/libclient.a $(BUILD)/libotad.a
	$(call link,$(CHECK_LIBS) $(LIB_LIBS))

$(BENCH_BIN): $(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libsupport.a $(BUILD)/libclient.a $(BUILD)/libotad.a
	$(call link,$(CHECK_LIBS) $(LIB_LIBS))

# ---- tests ---------------------------------------------------------------------------------
tests: all $(UNIT_TESTS) $(API_TESTS) $(CRASH_TESTS) $(FUZZ_REPLAY) $(TOOLS_MAIN) $(PRELOADS) $(BUILD)/tests/bench/fleet

check-run: tests layers ## run all tests without installing anything
	$(Q)BUILD=$(BUILD) $(if $(SAN),CK_TIMEOUT_MULTIPLIER=10) tools/run-tests.sh $(UNIT_TESTS) $(FUZZ_REPLAY) $(API_TESTS) $(CRASH_TESTS) $(wildcard tests/api/*.sh tests/api/*.py) $(if $(SAN),,tests/browser/run.sh)

asan: ## all tests under AddressSanitizer and UBSan
	$(Q)+$(MAKE) --no-print-directory BUILD=build/asan SAN=address,undefined check-run
tsan: ## all tests under ThreadSanitizer
	$(Q)+$(MAKE) --no-print-directory BUILD=build/tsan SAN=thread check-run

coverage: ## test coverage, with its gates
	$(Q)tools/install-deps.sh build check coverage
	$(Q)rm -rf build/cov
	$(Q)+$(MAKE) --no-print-directory BUILD=build/cov CFLAGS='-O0 -g --coverage' CPPFLAGS=-U_FORTIFY_SOURCE LDFLAGS=--coverage check-run
	$(Q)tools/coverage.sh build/cov

fuzz: ## fuzz each parser for FUZZ_SECONDS (default 60) with libFuzzer
	$(Q)tools/fuzz.sh $(FUZZ_SRC)

layers: ## check who includes whom
	$(Q)tools/check-layers.sh

bench-quick: ## nginx and otad side by side: four rows
	$(Q)tools/install-deps.sh build check bench
	$(Q)+$(MAKE) --no-print-directory all $(BENCH_BIN) $(TOOLS_MAIN)
	$(Q)tests/bench/quick.sh $(BUILD)
bench-fleet: ## a fleet with faults is updated, the ledger compared with the truth
	$(Q)tools/install-deps.sh build check
	$(Q)+$(MAKE) --no-print-directory all $(BENCH_BIN) $(TOOLS_MAIN)
	$(Q)tests/bench/fleet.sh $(BUILD) $(FLEET)
screenshots: deps ## pictures of every view of the dashboard, in build/screenshots; the README's anew
	$(Q)+$(MAKE) --no-print-directory WEB=yes all $(BUILD)/tests/mkimage
	$(Q)BUILD=$(BUILD) tests/browser/run.sh screenshots
bench-web: deps ## how soon the dashboard can be read, on a phone that is slow
	$(Q)+$(MAKE) --no-print-directory WEB=yes all $(BUILD)/tests/mkimage
	$(Q)BUILD=$(BUILD) tests/browser/run.sh load
bench: bench-quick bench-fleet bench-web ## all benchmarks

tidy: ## clang-tidy, one process a file
	$(Q)tools/tidy.sh $(OTAD_CPPFLAGS) -Itests -Itests/doubles/esp-idf -Iclient/ports/esp-idf/include $(LIB_CFLAGS)
format: ## reformat all C files
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i
format-check: ## fail on a file that format would change
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
size: all ## sections of the daemon
	$(Q)size $(BUILD)/otad
client-size: ## what the device client costs on three chips, and its limits
	$(Q)tools/install-deps.sh cross
	$(Q)tools/client_size.py
arduino-library: ## the device client as a ZIP for the Arduino IDE
	$(Q)tools/arduino-library.sh $(BUILD)

# ---- install -------------------------------------------------------------------------------
install: $(BUILD)/otad ## install binary, unit, sysusers, example config
	install -v -D -m 0755 $(BUILD)/otad $(DESTDIR)$(PREFIX)/bin/otad
	install -v -D -m 0644 config/otad.conf.example $(DESTDIR)$(SYSCONFDIR)/otad/otad.conf.example
	install -v -d $(DESTDIR)$(UNITDIR)
	sed 's|@PREFIX@|$(PREFIX)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g' config/otad.service > $(DESTDIR)$(UNITDIR)/otad.service
	sed 's|@PREFIX@|$(PREFIX)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g' config/otad.socket > $(DESTDIR)$(UNITDIR)/otad.socket
	chmod 0644 $(DESTDIR)$(UNITDIR)/otad.service $(DESTDIR)$(UNITDIR)/otad.socket
	install -v -D -m 0644 config/otad.sysusers $(DESTDIR)$(SYSUSERSDIR)/otad.conf
uninstall: ## undo install; configuration of yours and data stay
	rm -vf $(DESTDIR)$(PREFIX)/bin/otad $(DESTDIR)$(SYSCONFDIR)/otad/otad.conf.example \
	  $(DESTDIR)$(UNITDIR)/otad.service $(DESTDIR)$(UNITDIR)/otad.socket $(DESTDIR)$(SYSUSERSDIR)/otad.conf
	-rmdir $(DESTDIR)$(SYSCONFDIR)/otad 2>/dev/null

dist: ## a release tarball, with the dashboard as it is built
	$(Q)tools/install-deps.sh web
	$(Q)tools/web.sh build build/web/dist
	@mkdir -p $(BUILD)
	$(Q)git archive --prefix=otad-$(VERSION)/ -o $(BUILD)/otad-$(VERSION).tar HEAD
	$(Q)tar -C build/web --owner=0 --group=0 --transform 's|^dist|otad-$(VERSION)/web/dist|' -rf $(BUILD)/otad-$(VERSION).tar dist
	$(Q)printf '%s\n' '$(VERSION)' > $(BUILD)/VERSION
	$(Q)tar -C $(BUILD) --owner=0 --group=0 --transform 's|^VERSION|otad-$(VERSION)/VERSION|' -rf $(BUILD)/otad-$(VERSION).tar VERSION
	$(Q)gzip -9nf $(BUILD)/otad-$(VERSION).tar
	@echo "$(BUILD)/otad-$(VERSION).tar.gz"
docker: ## build the container image
	docker build --build-arg VERSION=$(VERSION) -t otad:$(VERSION) .
clean: ## remove what was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
