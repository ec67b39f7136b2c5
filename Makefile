# SPDX-License-Identifier: GPL-2.0

NAME := tcp-connect-logger
# The one place of the version is the first line of debian/changelog; a Debian
# revision is not part of it.
VERSION := $(shell sed 's/.*(\([^-]*\).*).*/\1/;q' debian/changelog)

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build

prefix = /usr
modulesrc = $(DESTDIR)$(prefix)/src/$(NAME)-$(VERSION)
INSTALL = install -D -m 644
INSTALL_VERSIONED = sed 's/\#MODULE_VERSION\#/$(VERSION)/'

all: modules

help:
	@echo 'make [KVER=6.1.0-9-amd64]  build src/$(NAME).ko for a kernel, else the running one'
	@echo 'make clean [KVER=...]      remove what that left'
	@echo 'make install [DESTDIR=...] install everything but the module, for DKMS to build'
	@echo 'make deb                   dist/$(NAME)-dkms_$(VERSION)_all.deb'
	@echo 'make demo                  the package at work in a Debian guest'
	@echo 'make test                  the whole suite; SUITES="bookworm ..." TESTS="bare ..." for a part'
	@echo 'make matrix                every kernel of Debian, built and run: the table of README.md'

modules clean:
	@test -e $(KDIR)/Makefile || \
		{ echo 'no kernel headers in $(KDIR): install them, or name others with KVER= or KDIR='; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR)/src TCL_VERSION=$(VERSION) $@

install:
	$(INSTALL) -t $(modulesrc) src/Kbuild src/dkms.mk $(filter-out %.mod.c,$(wildcard src/*.[ch]))
	$(INSTALL) -m 755 -t $(modulesrc) kmod/dkms-report
	$(INSTALL_VERSIONED) dkms.conf | $(INSTALL) /dev/stdin $(modulesrc)/dkms.conf
	$(INSTALL) -t $(DESTDIR)$(prefix)/lib/udev/rules.d udev/70-$(NAME).rules
	$(INSTALL) kmod/modules-load.conf $(DESTDIR)$(prefix)/lib/modules-load.d/$(NAME).conf
	$(INSTALL) kmod/modprobe.conf $(DESTDIR)/etc/modprobe.d/$(NAME).conf
	$(INSTALL) kmod/modprobe-remove.conf $(DESTDIR)$(prefix)/lib/modprobe.d/$(NAME)-remove.conf
	$(INSTALL_VERSIONED) kmod/maintain | \
		$(INSTALL) -m 755 /dev/stdin $(DESTDIR)$(prefix)/libexec/$(NAME)/maintain
	$(INSTALL_VERSIONED) cmd/$(NAME) | $(INSTALL) -m 755 /dev/stdin $(DESTDIR)$(prefix)/sbin/$(NAME)
	$(INSTALL_VERSIONED) cmd/$(NAME).8 | $(INSTALL) /dev/stdin $(DESTDIR)$(prefix)/share/man/man8/$(NAME).8
	$(INSTALL) cmd/completion.bash $(DESTDIR)$(prefix)/share/bash-completion/completions/$(NAME)

# Built in a copy, so that the tree stays as it is.
build = build/deb
dist = dist

deb:
	rm -rf $(build)
	mkdir -p $(build)/$(NAME) $(dist)
	cp -a Makefile README.md cmd dkms.conf debian kmod src udev $(build)/$(NAME)
	cd $(build)/$(NAME) && dpkg-buildpackage --build=all --unsigned-changes
	mv $(build)/$(NAME)-dkms_* $(build)/$(NAME)_* $(dist)

demo:
	tests/demo

test:
	tests/run

matrix:
	TESTS="build bare" tests/run

.PHONY: all help modules clean install deb demo test matrix
