# SPDX-License-Identifier: GPL-2.0
#
# A job's report with its known failures marked: -v job=NAME -v file=LIST

BEGIN {
	while ((getline line < file) > 0) {
		if (line !~ /^(#|$)/ && split(line, field, "\t") == 3 && job ~ "^(" field[1] ")$") {
			test[++known] = field[2]
			reason[known] = field[3]
		}
	}
}

/^(not )?ok / {
	name = $0
	sub(/^(not )?ok /, "", name)
	for (i = 1; i <= known; i++) {
		if (name !~ "^(" test[i] ")")
			continue
		if (/^not/)
			$0 = "skip " name " (known: " reason[i] ")"
		else
			$0 = "not ok " name ": passes, and is in tests/known-failures"
		break
	}
}

{ print }
