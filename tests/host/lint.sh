#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# lint.sh DIR LINUX DEB - what needs neither a root nor a guest
#
# DIR is for its files, and has a copy of the tree in elsewhere; in LINUX are some of
# the kernel's source, DEB is the package.

set -u
dir=$1 linux=$2 deb=$3

# shellcheck source=tests/lib.sh
. tests/lib.sh

# reports_nothing NAME COMMAND...
reports_nothing() {
	test_name=$1
	shift
	output=$("$@" 2>&1)	# in a subshell
	equals "$test_name reports nothing" "" "$output"
}

# From elsewhere: it leaves a file where it is run.
checkpatch() {
	cd "$dir" && perl "$linux/scripts/checkpatch.pl" --no-tree --strict --quiet \
		--max-line-length=100 --ignore FILE_PATH_CHANGES -f "$@"
}

# deb_in TREE: built there, as another user's machine would
deb_in() {
	(umask 077 && cd "$1" && TZ=Asia/Tokyo LC_ALL=C.UTF-8 make -s deb) >"$1.log" 2>&1
	cat "$1"/dist/*.deb | sha256sum
}

succeeds "unit tests compile" gcc -std=gnu11 -O1 -g -Wall -Wextra -Werror \
	-fsanitize=address,undefined -fno-sanitize-recover -o "$dir/unit" tests/host/unit.c
"$dir/unit" || echo "not ok unit tests end"

succeeds "the fuzzer compiles" clang -O1 -g -Wall -Wextra -Werror \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o "$dir/fuzz" tests/host/fuzz.c
succeeds "a million names and functions, fuzzed" \
	"$dir/fuzz" -seed=1 -runs=1000000 -max_len=25 -artifact_prefix="$dir/"

# shellcheck disable=SC2046 # lists
reports_nothing shellcheck shellcheck -x cmd/completion.bash \
	$(grep -rlE '^#!/bin/(busybox )?sh' --exclude-dir=.git --exclude-dir=build --exclude-dir=dist .)
# shellcheck disable=SC2046
reports_nothing checkpatch checkpatch \
	$(find "$PWD/src" "$PWD/tests/modules" -name '*.[ch]' ! -name '*.mod.c' ! -name trace.h)
# It does not know how the kernel's own are written.
reports_nothing "checkpatch of the trace event" checkpatch \
	--ignore PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE "$PWD/src/trace.h"
reports_nothing lintian lintian -EI --pedantic --allow-root --fail-on none "${deb%/*}"/*.changes

for file in changes buildinfo; do
	succeeds "make deb leaves a .$file" test -s "$(echo "${deb%/*}"/*.$file)"
done
equals "the package is built again to the bit" "$(sha256sum <"$deb")" "$(deb_in "$dir/elsewhere")"

# A known failure is no failure, its passing is one, and nothing else changes.
printf '# a comment\n\nbare-.*-rt\tfirst|second\ta reason\n' >"$dir/known"
printf '%s\n' "ok first" "not ok second: it: broke" "ok third" "not ok fourth: x" "# ok first" end >"$dir/report"
marked() {
	awk -v file="$dir/known" -v job="$1" -f tests/known-failures.awk "$dir/report"
}
equals "known failures: another job's report stays" "$(cat "$dir/report")" "$(marked bare-6-rt-amd64)"
equals "known failures: are marked" "not ok first: passes, and is in tests/known-failures
skip second: it: broke (known: a reason)
ok third
not ok fourth: x
# ok first
end" "$(marked bare-6-rt)"

version=$(sed 's/.*(\([^)]*\)).*/\1/;q' debian/changelog)
equals "the version is written down once" debian/changelog \
	"$(grep -rlF "$version" --exclude-dir=.git --exclude-dir=build --exclude-dir=dist . | sed 's/^..//')"
echo end
