# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers

NAME := tcp-connect-logger
# The version is written only in the first line of debian/changelog. A Debian
# revision is not part of the version; it becomes the release of the .rpm.
VERSION := $(shell sed 's/.*(\([^-]*\).*).*/\1/;q' debian/changelog)
RELEASE := $(or $(shell sed 's/.*([^-]*-*\(.*\)).*/\1/;q' debian/changelog),1)
ifneq ($(findstring :,$(VERSION)),)
$(error debian/changelog: version $(VERSION) has an epoch; DKMS uses the version as a path, so remove everything up to the colon)
endif

# If you publish this project, set its addresses here. "make dist" fills them in.
HOMEPAGE = https://tcp-connect-logger.example
REPOSITORY = https://tcp-connect-logger.example/tcp-connect-logger.git

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build

# variable NAME,PACKAGE: a variable of the package's pkg-config file
variable = $(shell pkg-config --variable=$1 $2 2>/dev/null)

prefix = /usr
sysconfdir = /etc
sbindir = $(prefix)/sbin
libexecdir = $(prefix)/libexec
datadir = $(prefix)/share
localstatedir = /var
mandir = $(datadir)/man
usrsrc = $(prefix)/src
unitdir := $(or $(call variable,systemdsystemunitdir,systemd),/usr/lib/systemd/system)
# Up to Debian 12, the files of systemd, udev and kmod are in /lib. Install there, too: dpkg does
# not know that /lib and /usr/lib are one directory.
rootlibdir = $(patsubst %/systemd/system,%,$(unitdir))
udevrulesdir = $(rootlibdir)/udev/rules.d
modprobedir = $(rootlibdir)/modprobe.d
modulesloaddir = $(prefix)/lib/modules-load.d
dracutdir = $(prefix)/lib/dracut
docdir = $(datadir)/doc/$(NAME)
bashdir = $(datadir)/bash-completion/completions
zshdir = $(datadir)/zsh/site-functions
fishdir = $(datadir)/fish/vendor_completions.d

modulesrc = $(DESTDIR)$(usrsrc)/$(NAME)-$(VERSION)
INSTALL = install -D -m 644
# filled FILE: the file with the version and the directories filled in
filled = sed 's!\#MODULE_VERSION\#!$(VERSION)!; s!\#SBINDIR\#!$(sbindir)!; \
	s!\#LIBEXECDIR\#!$(libexecdir)!; s!\#DATADIR\#!$(datadir)!; s!\#UNITDIR\#!$(unitdir)!; \
	s!\#DOCDIR\#!$(docdir)!; s!\#MODPROBEDIR\#!$(modprobedir)!; s!\#MODULESLOADDIR\#!$(modulesloaddir)!' $1

all: modules

help:
	@echo 'make [KVER=6.1.0-9-amd64]  build src/$(NAME).ko for this kernel (default: the running one)'
	@echo 'make clean                 remove what was built'
	@echo 'make tools                 build the command and its completions'
	@echo 'make install [DESTDIR=...] install the module source, which DKMS builds'
	@echo 'make install-tools [...]   install the command and the files for many machines'
	@echo 'make dist                  dist/$(NAME)-$(VERSION).tar.gz, the source of a release'
	@echo 'make deb                   dist/$(NAME)-dkms_$(VERSION)-$(RELEASE)_all.deb, $(NAME)_*.deb,'
	@echo '                           and their source: .dsc'
	@echo 'make rpm                   dist/$(NAME)-dkms-$(VERSION)-$(RELEASE).noarch.rpm,'
	@echo '                           $(NAME)-$(VERSION)-$(RELEASE).*.rpm and .src.rpm'
	@echo 'make repo KEY=...          dist/apt and dist/rpm, repositories signed with this GnuPG key;'
	@echo '                           apt accepts dist/apt for VALID_DAYS=$(VALID_DAYS) days'
	@echo 'make demo                  show the package at work in a Debian guest'
	@echo 'make check                 run the tests that need neither root nor guests (1 minute)'
	@echo 'make test                  run the suite (30 minutes); TESTS="bare ..." KERNELS="7.*" select a part'
	@echo 'make test-all              run every test on every kernel, also what make test leaves out'
	@echo 'make matrix                build and run on every Debian kernel: docs/kernels.md'
	@echo 'make shell KERNELS="7.*"   open a shell in a guest with this kernel; with systemd: GUEST=bookworm'
	@echo 'make bench                 measure what a connect costs, beside other tools: bench/results; QUICK=1: a part'

# Kbuild and rpmbuild do not accept a path with a space.
without-space:
	@case '$(CURDIR)' in *' '*) echo 'this needs a directory whose path has no space: $(CURDIR)'; exit 1 ;; esac

modules: without-space
	@test -e $(KDIR)/Makefile || \
		{ echo 'no kernel headers in $(KDIR): install them, or name others with KVER= or KDIR='; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR)/src TCL_VERSION=$(VERSION) $@

clean:
	rm -rf $(build) src/.tmp_versions
	rm -f src/*.o src/*.ko src/*.mod src/*.mod.c src/.*.cmd src/.*.d src/Module.symvers src/modules.order

install:
	$(INSTALL) -t '$(modulesrc)' src/Kbuild src/dkms.mk $(filter-out %.mod.c,$(wildcard src/*.[ch]))
	$(INSTALL) -m 755 -t '$(modulesrc)' packaging/dkms-report
	$(call filled,dkms.conf) | $(INSTALL) /dev/stdin '$(modulesrc)/dkms.conf'
	$(INSTALL) -t '$(DESTDIR)$(udevrulesdir)' udev/70-$(NAME).rules
	$(INSTALL) packaging/modules-load.conf '$(DESTDIR)$(modulesloaddir)/$(NAME).conf'
	$(INSTALL) packaging/modprobe.conf '$(DESTDIR)$(sysconfdir)/modprobe.d/$(NAME).conf'
	$(call filled,packaging/modprobe-remove.conf) | \
		$(INSTALL) /dev/stdin '$(DESTDIR)$(modprobedir)/$(NAME)-remove.conf'
	$(INSTALL) packaging/dracut/omit-driver.conf '$(DESTDIR)$(dracutdir)/dracut.conf.d/50-$(NAME).conf'
	$(call filled,packaging/dracut/module-setup.sh) | \
		$(INSTALL) /dev/stdin '$(DESTDIR)$(dracutdir)/modules.d/99$(NAME)/module-setup.sh'
	$(call filled,packaging/maintain) | \
		$(INSTALL) -m 755 /dev/stdin '$(DESTDIR)$(libexecdir)/$(NAME)/maintain'
	$(call filled,docs/man/tcp_connect_logger.4) | \
		$(INSTALL) /dev/stdin '$(DESTDIR)$(mandir)/man4/tcp_connect_logger.4'

build = build
dist = dist
sources = .gitignore CONTRIBUTING.md LICENSE Makefile README.md bench cmd debian dkms.conf docs \
	fleet packaging rpm src tests udev

CFLAGS ?= -O2 -g
# The binary is reproducible: it does not depend on the build directory.
tools_cflags = -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wmissing-prototypes \
	-ffile-prefix-map='$(CURDIR)'=. -DVERSION='"$(VERSION)"' \
	-DMAINTAIN='"$(libexecdir)/$(NAME)/maintain"' -pthread
tools_needs = jansson libkmod libsystemd libtraceevent libtracefs smartcols tinfo
# completions.c is a separate program.
objects = $(patsubst cmd/%.c,$(build)/%.o,$(filter-out cmd/completions.c cmd/lazy.c,$(wildcard cmd/*.c)))
# The build runs completions, so a cross-compiler must not compile it.
CC_FOR_BUILD ?= cc

tools: $(build)/$(NAME) $(build)/completions

tools-libraries:
	@pkg-config $(tools_needs) || \
		{ echo 'install the missing libraries; in Debian: libjansson-dev libkmod-dev libncurses-dev libsmartcols-dev libsystemd-dev libtraceevent-dev libtracefs-dev'; exit 1; }
	@mkdir -p $(build)

$(build)/%.o: cmd/%.c $(wildcard cmd/*.h) | tools-libraries
	$(CC) $(CPPFLAGS) $(CFLAGS) $(tools_cflags) $$(pkg-config --cflags $(tools_needs)) -c -o $@ $<

# lazy.c loads the libraries at run time, so do not link with them.
$(build)/$(NAME): $(objects) $(build)/lazy.o
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -ldl

# The same program without lazy.c. It is never run. The linker checks that the libraries have
# the functions that lazy.c loads, and dpkg-shlibdeps finds the packages of the libraries.
$(build)/linked: $(objects)
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -Wl,--as-needed $$(pkg-config --libs $(tools_needs))

$(build)/completions: cmd/completions.c cmd/verbs.c cmd/verbs.h
	@mkdir -p $(build)
	$(CC_FOR_BUILD) -std=gnu11 -Wall -Wextra -o $@ $(filter %.c,$^)

install-tools: tools
	$(INSTALL) -m 755 -t '$(DESTDIR)$(sbindir)' $(build)/$(NAME)
	$(call filled,docs/man/$(NAME).8) | $(INSTALL) /dev/stdin '$(DESTDIR)$(mandir)/man8/$(NAME).8'
	$(build)/completions bash | $(INSTALL) /dev/stdin '$(DESTDIR)$(bashdir)/$(NAME)'
	$(build)/completions zsh | $(INSTALL) /dev/stdin '$(DESTDIR)$(zshdir)/_$(NAME)'
	$(build)/completions fish | $(INSTALL) /dev/stdin '$(DESTDIR)$(fishdir)/$(NAME).fish'
	$(INSTALL) -m 755 -t '$(DESTDIR)$(libexecdir)/$(NAME)' fleet/metrics fleet/resend
	$(call filled,fleet/$(NAME)-metrics.service) | \
		$(INSTALL) /dev/stdin '$(DESTDIR)$(unitdir)/$(NAME)-metrics.service'
	for unit in record record-buffers; do \
		$(call filled,packaging/$(NAME)-$$unit.service) | \
			$(INSTALL) /dev/stdin "$(DESTDIR)$(unitdir)/$(NAME)-$$unit.service" || exit; \
	done
	$(INSTALL) packaging/record.conf '$(DESTDIR)$(sysconfdir)/$(NAME)/record.conf'
	# See fleet.md: one pattern then matches node_exporter's directory and, while it exists, this one.
	mkdir -p '$(DESTDIR)$(localstatedir)/lib'
	# dh_link makes the link absolute, as Debian requires.
	ln -sfnr '$(DESTDIR)/run/$(NAME)-metrics' '$(DESTDIR)$(localstatedir)/lib/$(NAME)-metrics'
	for file in fleet/*.conf; do \
		$(call filled,$$file) | $(INSTALL) /dev/stdin "$(DESTDIR)$(datadir)/$(NAME)/$${file#fleet/}" || exit; \
	done
	$(INSTALL) docs/fleet.md '$(DESTDIR)$(docdir)/fleet.md'

# The tests that a package build runs: they need only a compiler.
unit-tests:
	@mkdir -p $(build)
	$(MAKE) -f tests/host/programs.mk dir=$(build) CC='$(CC)' warnings=-Wall unit-plain
	$(build)/unit-plain >$(build)/unit-tests.tap
	! grep -A 20 '^not ok' $(build)/unit-tests.tap

# A tree gives the same tarball, and the same packages, for every user, time and place.
EPOCH = $(shell date -d "$$(sed -n 's/^ -- .*>  //p;T;q' debian/changelog)" +%s)
release = $(NAME)-$(VERSION)
tarball = $(dist)/$(release).tar.gz
published = debian/control debian/copyright debian/upstream/metadata debian/watch rpm/$(NAME).spec

dist:
	rm -rf $(build)/dist
	mkdir -p $(build)/dist/$(release) $(dist)
	tar --create --exclude-from=.gitignore $(sources) | tar --extract --directory=$(build)/dist/$(release)
	cd $(build)/dist/$(release) && \
		sed -i 's!#HOMEPAGE#!$(HOMEPAGE)!; s!#REPOSITORY#!$(REPOSITORY)!' $(published)
	tar --create --directory=$(build)/dist --sort=name --owner=0 --group=0 --numeric-owner \
		--mode=u=rwX,go=rX --mtime=@$(EPOCH) $(release) | gzip -9n >$(tarball)

# To build only the module's package, use debs=all and rpms=--without=tools.
debs = full
rpms =

# Do not pass the options of this make to the package builds.
AFRESH = env -u MAKEFLAGS -u MFLAGS

deb: dist
	rm -rf $(build)/deb
	mkdir -p $(build)/deb
	cp $(tarball) $(build)/deb/$(NAME)_$(VERSION).orig.tar.gz
	tar --extract --directory=$(build)/deb --file=$(tarball)
	cd $(build)/deb/$(release) && \
		$(AFRESH) dpkg-buildpackage --build=$(debs) --unsigned-source --unsigned-changes
	mv $(build)/deb/$(NAME)-dkms_* $(build)/deb/$(NAME)_* $(dist)

# The .src.rpm records its directories, so it is built with relative ones, and the .rpm is
# built from it. On Debian, rpm does not know the installed packages, so --nodeps skips
# the check of BuildRequires.
RPMBUILD = $(AFRESH) LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=$(EPOCH) rpmbuild --nodeps \
	--define 'use_source_date_epoch_as_buildtime 1' --define '$(clamp_mtime)' --define '_buildhost localhost'
# Old versions of rpm define the first of these macros. New ones deprecate it for the second.
clamp_mtime = $(shell rpm --eval '%{?clamp_mtime_to_source_date_epoch:clamp_mtime_to_source_date_epoch 1}%{!?clamp_mtime_to_source_date_epoch:build_mtime_policy clamp_to_source_date_epoch}')

rpm: without-space dist
	rm -rf $(build)/rpm
	$(INSTALL) -t $(build)/rpm $(tarball)
	{ $(call filled,$(build)/dist/$(release)/rpm/$(NAME).spec) | sed 's/#RELEASE#/$(RELEASE)/'; \
		awk -f rpm/changelog.awk debian/changelog; } | \
		$(INSTALL) /dev/stdin $(build)/rpm/$(NAME).spec
	cd $(build)/rpm && \
		$(RPMBUILD) -bs --define '_topdir .' --define '_sourcedir .' $(NAME).spec && \
		$(RPMBUILD) --rebuild $(rpms) --define "_topdir $$PWD" SRPMS/*.src.rpm
	mv $(build)/rpm/RPMS/*/*.rpm $(build)/rpm/SRPMS/*.rpm $(dist)

# After this time, apt refuses dist/apt: nobody can withhold an update for longer.
VALID_DAYS = 90
KEY =
repo: deb rpm
	packaging/make-repo $(dist) $(VERSION)-$(RELEASE) $(VALID_DAYS) '$(KEY)'

demo:
	tests/demo

check:
	tests/check

test:
	tests/run

test-all:
	ALL=1 tests/run

matrix:
	ALL=1 MATRIX=1 TESTS="build smoke contract" tests/run

shell:
	tests/shell

bench:
	bench/run

cast:
	tests/cast

.PHONY: all help without-space modules clean tools tools-libraries install install-tools unit-tests dist deb rpm repo demo check test test-all matrix shell bench cast
