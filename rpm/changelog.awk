# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# Convert debian/changelog to the %changelog of a spec file.

/^[^ ]/ {
	version = $2
	gsub(/[()]/, "", version)
	if (version !~ /-/)
		version = version "-1"
	text = ""
	next
}

# -- NAME <ADDRESS>  Sun, 22 Nov 2026 02:00:00 +0000
/^ -- / {
	split($0, part, "  ")
	split(part[2], date, /,? /)
	sub(/^ -- /, "", part[1])
	printf "* %s %s %s %s %s - %s\n%s\n", date[1], date[3], date[2], date[4], part[1], version, text
	next
}

/[^ ]/ {
	sub(/^  /, "")
	sub(/^\*/, "-")
	text = text $0 "\n"
}
