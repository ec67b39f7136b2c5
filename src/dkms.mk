# SPDX-License-Identifier: GPL-2.0
#
# dkms.conf calls this makefile. If the livepatch does not compile, it builds
# unsupported.c instead. A "||" in dkms.conf would not do: DKMS appends its own
# variables (LLVM=1) to the command, and only the second make would get them.

# dkms-report reads the compiler's errors.
export LC_ALL := C

modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules || \
		$(MAKE) -C $(KDIR) M=$(CURDIR) TCL_UNSUPPORTED=y modules

.PHONY: modules
