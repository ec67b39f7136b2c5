# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# Convert a job's reports (see rig.sh) to TAP: -v job=NAME -v list=KNOWN-FAILURES [-v todo=REASON]
#
# A known failure becomes a TODO. With REASON, whatever fails becomes a TODO. The plan comes last,
# and only if every test that began has reached its end.

BEGIN {
	while ((getline line < list) > 0) {
		if (line !~ /^(#|$)/ && split(line, field, "\t") == 3 && job ~ "^(" field[1] ")$") {
			pattern[++known] = field[2]
			reason[known] = field[3]
		}
	}
	print "TAP version 13"
}

function assertion(result, name,	i, skip) {
	if (match(name, / # SKIP .*$/)) {
		skip = substr(name, RSTART)
		name = substr(name, 1, RSTART - 1)
	}
	for (i = 1; i <= known && skip == ""; i++)
		if (name ~ "^(" pattern[i] ")")
			skip = " # TODO " reason[i]
	if (result == "not ok" && skip == "" && todo != "")
		skip = " # TODO " todo
	gsub(/#/, "\\#", name)
	print result, ++number, "-", name skip
}

/^ok - / { assertion("ok", substr($0, 6)); next }
/^not ok - / { assertion("not ok", substr($0, 10)); next }
/^begin / { begun++; print "#", substr($0, 7); next }
# The test begins again after the reboot.
/^reboot/ { begun-- }
$0 == "end" { ended++; next }
/^#/ { print; next }
{ print "# " $0 }

END {
	if (todo != "" && begun != ended) {
		assertion("not ok", "every test reaches its end")
		begun = ended
	}
	if (number && begun == ended)
		print "1.." number
}
