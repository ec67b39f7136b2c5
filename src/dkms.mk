# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# dkms.conf calls this makefile. If the source rejects the kernel, this makefile builds
# unsupported.c instead. All sentences of #error and static_assert in compat.h and patch.c
# contain the word tcp-connect-logger. After any other failure, such as a full disk or a
# killed compiler, the build fails. The next "dkms autoinstall" tries it again.
#
# A "||" in dkms.conf would not do: DKMS appends its own variables (LLVM=1) to the command,
# and only the last make would get them.

# dkms-report and this makefile read the compiler's errors.
export LC_ALL := C

kbuild = -C $(KDIR) M=$(CURDIR)
rejected = grep -q 'error: .*[ "]tcp-connect-logger ' errors

# A full disk cannot make a failure look like a success: "built" is then missing.
modules:
	@rm -f built errors
	@{ $(MAKE) $(kbuild) modules 2>&1 && touch built; } | tee errors
	@test -e built || { $(rejected) && $(MAKE) $(kbuild) TCL_UNSUPPORTED=y modules; }
	@# DKMS 3.0 does not notice a full disk when it strips, signs and copies the module.
	@cat *.o *.ko >spare && rm spare

.PHONY: modules
