# SPDX-License-Identifier: GPL-2.0

NAME := tcp-connect-logger
# The version is written only in the first line of debian/changelog. A Debian
# revision is not part of the version; it becomes the release of the .rpm.
VERSION := $(shell sed 's/.*(\([^-]*\).*).*/\1/;q' debian/changelog)
RELEASE := $(or $(shell sed 's/.*([^-]*-*\(.*\)).*/\1/;q' debian/changelog),1)

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build

prefix = /usr
sysconfdir = /etc
sbindir = $(prefix)/sbin
libexecdir = $(prefix)/libexec
datadir = $(prefix)/share
localstatedir = /var
mandir = $(datadir)/man
usrsrc = $(prefix)/src
udevrulesdir = $(prefix)/lib/udev/rules.d
modulesloaddir = $(prefix)/lib/modules-load.d
modprobedir = $(prefix)/lib/modprobe.d

unitdir = $(prefix)/lib/systemd/system
docdir = $(datadir)/doc/$(NAME)
bashdir = $(datadir)/bash-completion/completions
zshdir = $(datadir)/zsh/site-functions
fishdir = $(datadir)/fish/vendor_completions.d

modulesrc = $(DESTDIR)$(usrsrc)/$(NAME)-$(VERSION)
INSTALL = install -D -m 644
INSTALL_VERSIONED = sed 's/\#MODULE_VERSION\#/$(VERSION)/'

all: modules

help:
	@echo 'make [KVER=6.1.0-9-amd64]  build src/$(NAME).ko for this kernel (default: the running one)'
	@echo 'make clean [KVER=...]      remove the files of that build'
	@echo 'make tools                 build the command and its completions'
	@echo 'make install [DESTDIR=...] install the module source, which DKMS builds'
	@echo 'make install-tools [...]   install the command and the files for many machines'
	@echo 'make deb                   dist/$(NAME)-dkms_$(VERSION)_all.deb, $(NAME)_$(VERSION)_*.deb'
	@echo 'make rpm                   dist/$(NAME)-dkms-$(VERSION)-$(RELEASE).noarch.rpm,'
	@echo '                           $(NAME)-$(VERSION)-$(RELEASE).*.rpm and .src.rpm'
	@echo 'make repo KEY=...          dist/apt and dist/rpm, repositories signed with this GnuPG key'
	@echo 'make demo                  show the package at work in a Debian guest'
	@echo 'make check                 run the tests that need neither root nor guests (1 minute)'
	@echo 'make test                  run the suite (30 minutes); TESTS="bare ..." KERNELS="7.*" select a part'
	@echo 'make test-all              run every test on every kernel, also what make test leaves out'
	@echo 'make matrix                build and run on every Debian kernel: docs/kernels.md'
	@echo 'make shell KERNELS="7.*"   open a shell in a guest with this kernel; with systemd: GUEST=bookworm'
	@echo 'make bench                 measure what a connect costs, beside other tools: bench/results; QUICK=1: a part'

modules clean:
	@test -e $(KDIR)/Makefile || \
		{ echo 'no kernel headers in $(KDIR): install them, or name others with KVER= or KDIR='; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR)/src TCL_VERSION=$(VERSION) $@

install:
	$(INSTALL) -t $(modulesrc) src/Kbuild src/dkms.mk $(filter-out %.mod.c,$(wildcard src/*.[ch]))
	$(INSTALL) -m 755 -t $(modulesrc) packaging/dkms-report
	$(INSTALL_VERSIONED) dkms.conf | $(INSTALL) /dev/stdin $(modulesrc)/dkms.conf
	$(INSTALL) -t $(DESTDIR)$(udevrulesdir) udev/70-$(NAME).rules
	$(INSTALL) packaging/modules-load.conf $(DESTDIR)$(modulesloaddir)/$(NAME).conf
	$(INSTALL) packaging/modprobe.conf $(DESTDIR)$(sysconfdir)/modprobe.d/$(NAME).conf
	$(INSTALL) packaging/modprobe-remove.conf $(DESTDIR)$(modprobedir)/$(NAME)-remove.conf
	$(INSTALL_VERSIONED) packaging/maintain | \
		$(INSTALL) -m 755 /dev/stdin $(DESTDIR)$(libexecdir)/$(NAME)/maintain
	$(INSTALL_VERSIONED) docs/man/tcp_connect_logger.4 | $(INSTALL) /dev/stdin $(DESTDIR)$(mandir)/man4/tcp_connect_logger.4

# The packages are built from a copy, so that the build does not change the tree.
build = build
dist = dist
sources = LICENSE Makefile README.md cmd debian dkms.conf docs fleet packaging rpm src udev

# Do not pass the options of this make to the package builds.
AFRESH = env -u MAKEFLAGS -u MFLAGS

CFLAGS ?= -O2 -g
# The binary is reproducible: it does not depend on the build directory.
tools_cflags = -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wmissing-prototypes \
	-ffile-prefix-map=$(CURDIR)=. -DVERSION='"$(VERSION)"' \
	-DMAINTAIN='"$(libexecdir)/$(NAME)/maintain"' -pthread
tools_needs = jansson libkmod libsystemd libtracefs smartcols tinfo
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
	$(INSTALL) -m 755 -t $(DESTDIR)$(sbindir) $(build)/$(NAME)
	$(INSTALL_VERSIONED) docs/man/$(NAME).8 | $(INSTALL) /dev/stdin $(DESTDIR)$(mandir)/man8/$(NAME).8
	$(build)/completions bash | $(INSTALL) /dev/stdin $(DESTDIR)$(bashdir)/$(NAME)
	$(build)/completions zsh | $(INSTALL) /dev/stdin $(DESTDIR)$(zshdir)/_$(NAME)
	$(build)/completions fish | $(INSTALL) /dev/stdin $(DESTDIR)$(fishdir)/$(NAME).fish
	$(INSTALL) -m 755 -t $(DESTDIR)$(libexecdir)/$(NAME) fleet/metrics
	$(INSTALL) -t $(DESTDIR)$(unitdir) fleet/$(NAME)-metrics.service
	# See fleet.md: one pattern then matches node_exporter's directory and, while it exists, this one.
	mkdir -p $(DESTDIR)$(localstatedir)/lib
	ln -sfn /run/$(NAME)-metrics $(DESTDIR)$(localstatedir)/lib/$(NAME)-metrics
	$(INSTALL) -t $(DESTDIR)$(datadir)/$(NAME) $(wildcard fleet/*.conf fleet/*.rulebase)
	$(INSTALL) docs/fleet.md $(DESTDIR)$(docdir)/fleet.md

# To build only the module's package, use debs=all and rpms=--without=tools.
debs = binary
rpms =

deb:
	rm -rf $(build)/deb
	mkdir -p $(build)/deb/$(NAME) $(dist)
	cp -a $(sources) $(build)/deb/$(NAME)
	cd $(build)/deb/$(NAME) && $(AFRESH) dpkg-buildpackage --build=$(debs) --unsigned-changes
	mv $(build)/deb/$(NAME)-dkms_* $(build)/deb/$(NAME)_* $(dist)

# The packages are reproducible: a tree gives the same ones for every user, time and place. The
# .src.rpm records its directories, so it is built with relative ones, and the .rpm is
# built from it. On Debian, rpm does not know the installed packages, so --nodeps skips
# the check of BuildRequires.
EPOCH = $(shell date -d "$$(sed -n 's/^ -- .*>  //p;T;q' debian/changelog)" +%s)
RPMBUILD = $(AFRESH) LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=$(EPOCH) rpmbuild --nodeps \
	--define 'use_source_date_epoch_as_buildtime 1' \
	--define 'clamp_mtime_to_source_date_epoch 1' --define '_buildhost localhost'

rpm:
	rm -rf $(build)/rpm
	mkdir -p $(build)/rpm $(dist)
	tar --create --exclude-from=.gitignore --transform='s!^!$(NAME)-$(VERSION)/!' --sort=name \
		--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@$(EPOCH) \
		$(sources) | gzip -9n | $(INSTALL) /dev/stdin $(build)/rpm/$(NAME)-$(VERSION).tar.gz
	{ $(INSTALL_VERSIONED) rpm/$(NAME).spec | sed 's/#RELEASE#/$(RELEASE)/'; \
		awk -f rpm/changelog.awk debian/changelog; } | \
		$(INSTALL) /dev/stdin $(build)/rpm/$(NAME).spec
	cd $(build)/rpm && \
		$(RPMBUILD) -bs --define '_topdir .' --define '_sourcedir .' $(NAME).spec && \
		$(RPMBUILD) --rebuild $(rpms) --define "_topdir $$PWD" SRPMS/*.src.rpm
	mv $(build)/rpm/RPMS/*/*.rpm $(build)/rpm/SRPMS/*.rpm $(dist)

KEY =
repo: deb rpm
	packaging/make-repo $(dist) '$(KEY)'

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

.PHONY: all help modules clean tools tools-libraries install install-tools deb rpm repo demo check test test-all matrix shell bench cast
