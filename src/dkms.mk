# SPDX-License-Identifier: GPL-2.0
#
# What DKMS builds, from dkms.conf: the livepatch or, see there, unsupported.c.
# DKMS appends variables of its own (LLVM=1), which a "||" in dkms.conf would
# keep from the first of the two.

modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules || \
		$(MAKE) -C $(KDIR) M=$(CURDIR) TCL_UNSUPPORTED=y modules

.PHONY: modules
