# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# Count the results of whole runs from their TAP: one line "PASSED FAILED SKIPPED" for all files. A
# TODO counts as skipped if it fails, and as failed if it passes. A file whose plan is missing or
# wrong counts as one failure.

function close_file() {
	if (file != "" && (plan == "" || plan != seen))
		failed++
}

FNR == 1 { close_file(); file = FILENAME; plan = ""; seen = 0 }
/^1\.\.[0-9]+$/ { plan = substr($0, 4) + 0 }
/^ok / { seen++; if (/[^\\]# SKIP/) skipped++; else if (/[^\\]# TODO/) failed++; else passed++ }
/^not ok / { seen++; if (/[^\\]# TODO/) skipped++; else failed++ }
END { close_file(); print passed + 0, failed + 0, skipped + 0 }
