# SPDX-License-Identifier: GPL-2.0

NAME := tcp-connect-logger
# The one place of the version is the first line of debian/changelog; a Debian
# revision is not part of it, and is the release of the .rpm.
VERSION := $(shell sed 's/.*(\([^-]*\).*).*/\1/;q' debian/changelog)
RELEASE := $(or $(shell sed 's/.*([^-]*-*\(.*\)).*/\1/;q' debian/changelog),1)

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build

prefix = /usr
sysconfdir = /etc
sbindir = $(prefix)/sbin
libexecdir = $(prefix)/libexec
datadir = $(prefix)/share
mandir = $(datadir)/man
usrsrc = $(prefix)/src
udevrulesdir = $(prefix)/lib/udev/rules.d
modulesloaddir = $(prefix)/lib/modules-load.d
modprobedir = $(prefix)/lib/modprobe.d

unitdir = $(prefix)/lib/systemd/system
docdir = $(datadir)/doc/$(NAME)

modulesrc = $(DESTDIR)$(usrsrc)/$(NAME)-$(VERSION)
INSTALL = install -D -m 644
INSTALL_VERSIONED = sed 's/\#MODULE_VERSION\#/$(VERSION)/'

all: modules

help:
	@echo 'make [KVER=6.1.0-9-amd64]  build src/$(NAME).ko for a kernel, else the running one'
	@echo 'make clean [KVER=...]      remove what that left'
	@echo 'make tools                 build follow and top, which are programs'
	@echo 'make install [DESTDIR=...] install everything but the module, for DKMS to build'
	@echo 'make install-tools [...]   install follow, top, and what is for many machines'
	@echo 'make deb                   dist/$(NAME)-dkms_$(VERSION)_all.deb, $(NAME)_$(VERSION)_*.deb'
	@echo 'make rpm                   dist/$(NAME)-dkms-$(VERSION)-$(RELEASE).noarch.rpm,'
	@echo '                           $(NAME)-$(VERSION)-$(RELEASE).*.rpm and .src.rpm'
	@echo 'make repo KEY=...          dist/apt and dist/rpm, repositories signed by that key of gpg'
	@echo 'make demo                  the package at work in a Debian guest'
	@echo 'make check                 what needs neither root nor guests, in a minute'
	@echo 'make test                  the suite, in half an hour; TESTS="bare ..." KERNELS="7.*" for a part'
	@echo 'make test-all              every test on every kernel, and what make test leaves out'
	@echo 'make matrix                every kernel of Debian, built and run: the table of README.md'
	@echo 'make shell KERNELS="7.*"   a shell in a guest with such a kernel, or with systemd: GUEST=bookworm'
	@echo 'make bench                 what a connect costs, beside other tools: bench/results; QUICK=1 for a part'

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
	$(INSTALL_VERSIONED) cmd/$(NAME) | $(INSTALL) -m 755 /dev/stdin $(DESTDIR)$(sbindir)/$(NAME)
	$(INSTALL_VERSIONED) docs/man/$(NAME).8 | $(INSTALL) /dev/stdin $(DESTDIR)$(mandir)/man8/$(NAME).8
	$(INSTALL_VERSIONED) docs/man/tcp_connect_logger.4 | $(INSTALL) /dev/stdin $(DESTDIR)$(mandir)/man4/tcp_connect_logger.4
	$(INSTALL) cmd/completion.bash $(DESTDIR)$(datadir)/bash-completion/completions/$(NAME)

# Built in a copy, so that the tree stays as it is.
build = build
dist = dist
sources = LICENSE Makefile README.md cmd debian dkms.conf docs fleet packaging rpm src udev

# What this make was told is not for those of the packages.
AFRESH = env -u MAKEFLAGS -u MFLAGS

CFLAGS ?= -O2 -g
# The same to the bit, wherever it is built
tools_cflags = -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wmissing-prototypes \
	-ffile-prefix-map=$(CURDIR)=.
tools_needs = jansson libsystemd libtracefs

tools: $(build)/follow $(build)/top

$(build)/follow $(build)/top: $(build)/%: cmd/%.c cmd/record.c cmd/source.c cmd/record.h cmd/source.h
	@pkg-config $(tools_needs) || \
		{ echo 'what is missing is in Debian libjansson-dev libsystemd-dev libtraceevent-dev libtracefs-dev'; exit 1; }
	@mkdir -p $(build)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(tools_cflags) $(LDFLAGS) -o $@ $(filter %.c,$^) \
		-Wl,--as-needed $$(pkg-config --cflags --libs $(tools_needs))

install-tools: tools
	$(INSTALL) -m 755 -t $(DESTDIR)$(libexecdir)/$(NAME) $(build)/follow $(build)/top
	$(INSTALL) -t $(DESTDIR)$(unitdir) fleet/$(NAME)-metrics.service fleet/$(NAME)-metrics.timer
	$(INSTALL) -t $(DESTDIR)$(docdir)/examples $(wildcard fleet/*.conf fleet/*.rulebase)
	$(INSTALL) fleet/README $(DESTDIR)$(docdir)/README.fleet

# debs=all and rpms=--without=tools make the module's package alone.
debs = binary
rpms =

deb:
	rm -rf $(build)/deb
	mkdir -p $(build)/deb/$(NAME) $(dist)
	cp -a $(sources) $(build)/deb/$(NAME)
	cd $(build)/deb/$(NAME) && $(AFRESH) dpkg-buildpackage --build=$(debs) --unsigned-changes
	mv $(build)/deb/$(NAME)-dkms_* $(build)/deb/$(NAME)_* $(dist)

# Of one tree the same to the bit, whoever makes it, when and where: the .src.rpm, which
# quotes its directories, with relative ones, and the .rpm from that. Debian's rpm knows
# of no package, so it is not asked for those of BuildRequires.
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

.PHONY: all help modules clean tools install install-tools deb rpm repo demo check test test-all matrix shell bench
