#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# check.sh DIR LINUX - unit tests and fuzzers under ASan and UBSan, the tools with -Werror, and
# the reports of shellcheck and checkpatch; needs neither root nor network
#
# DIR is for its files; LINUX contains checkpatch.
#
# where: host

set -u
dir=$1 linux=$2

# shellcheck source=tests/rig/lib.sh
. tests/rig/lib.sh

# checkpatch ARGUMENT...: run checkpatch in $dir, because it leaves a file in the current directory
checkpatch() {
	cd "$dir" && perl "$linux/scripts/checkpatch.pl" --no-tree --strict --quiet \
		--max-line-length=100 --ignore FILE_PATH_CHANGES -f "$@"
}

# start NAME COMMAND...: run the command in the background
start() {
	name=$1
	shift
	"$@" >"$dir/$name.log" 2>&1 &
	echo $! >"$dir/$name.pid"
}
# end NAME...: wait for these commands
end() {
	for name; do
		status=0
		wait "$(cat "$dir/$name.pid")" || status=$?
		echo $status >"$dir/$name.status"
	done
}
# result NAME: print the command's output, and return its exit status
result() {
	cat "$dir/$1.log"
	return "$(cat "$dir/$1.status")"
}

programs=$(make -s -f tests/host/programs.mk list)
for program in $programs; do
	start "$program" make -s -f tests/host/programs.mk dir="$dir" "$program"
done
# shellcheck disable=SC2086 # a list
end $programs
for program in $programs; do
	succeeds "$program compiles with -Werror" result "$program"
done
"$dir/tools/completions" bash >"$dir/completion.bash"

# shellcheck disable=SC2046 # lists
{
	start shellcheck shellcheck -x "$dir/completion.bash" tests/*/*.host \
		$(grep -rlE '^#!/bin/(busybox )?sh' --exclude-dir=.git --exclude-dir=build --exclude-dir=dist .)
	start checkpatch checkpatch \
		$(find "$PWD/src" "$PWD/tests/modules" -name '*.[ch]' ! -name '*.mod.c' ! -name trace.h)
	start checkpatch-cmd checkpatch \
		--ignore PREFER_KERNEL_TYPES,PREFER_DEFINED_ATTRIBUTE_MACRO,VOLATILE \
		$(find "$PWD/cmd" -name '*.[ch]' ! -name lazy.c ! -name filter.h)
}
# The macros in lazy.c define functions, and one in filter.h is a part of tables.
start checkpatch-macros checkpatch \
	--ignore COMPLEX_MACRO,MACRO_WITH_FLOW_CONTROL,PARENTHESIS_ALIGNMENT,SPACING \
	"$PWD/cmd/lazy.c" "$PWD/cmd/filter.h"
# checkpatch does not know how the kernel's own trace events are written.
start checkpatch-trace checkpatch --ignore COMPLEX_MACRO,PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE \
	"$PWD/src/trace.h"

"$dir/unit" || not_ok "the unit tests run to their end"
"$dir/command" || not_ok "the command's unit tests run to their end"

# Run each fuzzer for FUZZ seconds, or else with 20,000 inputs. With FUZZ, the inputs that it finds
# stay in build/fuzz.
kept=$dir
[ -z "${FUZZ-}" ] || kept=$PWD/build/fuzz
for corpus in tests/host/corpus/*; do
	target=${corpus##*/}
	mkdir -p "$kept/corpus-$target"
	ln -s fuzz "$dir/fuzz-$target"
	limit=-runs=20000
	[ -z "${FUZZ-}" ] || limit="-max_total_time=$FUZZ"
	succeeds "the fuzzer finds no fault: $target" "$dir/fuzz-$target" -seed=1 "$limit" -max_len=2500 \
		-artifact_prefix="$kept/$target-" "$kept/corpus-$target" "$corpus"
done

# shellcheck source=tests/host/readers.sh
. tests/host/readers.sh

# offers_words VERB: print the options that bash's completion offers for this verb, one per line
offers_words() {
	"$dir/tools/completions" bash | sed -n "s/^\t\*-$1) words=\"\(.*\)\" ;;/\1/p" | tr ' ' '\n' | sort
}
for verb in follow record top; do
	equals "$verb: the completion and --help have the same options" \
		"$("$dir/tools/tcp-connect-logger" $verb --help | sed -n 's/^  \(--.*\)/\1/p' |
			sed 's/  .*//' | grep -o -e '--[a-z-]*' | sort)" \
		"$(offers_words $verb)"
done
"$dir/tools/completions" zsh >"$dir/_tcp-connect-logger"
"$dir/tools/completions" fish >"$dir/tcp-connect-logger.fish"
if command -v zsh >/dev/null; then
	reports_nothing "zsh -n of the completion" zsh -n "$dir/_tcp-connect-logger"
else
	skip "zsh -n of the completion reports nothing" "there is no zsh"
fi
# fish_offers WORD...: print fish's completions, without their descriptions
fish_offers() {
	fish -c "source $dir/tcp-connect-logger.fish; complete -C 'tcp-connect-logger $*'" | cut -f 1 | tr '\n' ' '
}
if command -v fish >/dev/null; then
	equals "fish's completion: it offers all verbs" \
		"disable enable follow load record reload status top unload " "$(fish_offers)"
	equals "fish's completion: it offers the options of status" "--json --prometheus " \
		"$(fish_offers status --)"
	equals "fish's completion: it offers the options of reload" "--fallback --timeout " \
		"$(fish_offers reload --)"
else
	skip "fish's completion" "there is no fish"
fi

# dkms-report reads the messages of make and of the compiler, so they must not be translated.
mkdir -p "$dir/headers" "$dir/dkms/6.1/x/log"
# shellcheck disable=SC2016 # for make and its shell
printf 'modules:\n\t@echo "LC_ALL=$$LC_ALL"\n' >"$dir/headers/Makefile"
equals "DKMS builds without translated messages" "LC_ALL=C" \
	"$(LC_ALL=de_DE.UTF-8 make -s -C "$dir" -f "$PWD/src/dkms.mk" KDIR="$dir/headers" --no-print-directory | sort -u)"

reports="shellcheck checkpatch checkpatch-cmd checkpatch-macros checkpatch-trace"
# shellcheck disable=SC2086 # a list
end $reports
for report in $reports; do
	reports_nothing "$report" result "$report"
done

# Test the rig itself: the TAP with known failures and a plan, and the counts
printf '# a comment\n\nbare-.*-rt\tfirst|second\ta reason\n' >"$dir/known"
printf '%s\n' "begin one" "ok - first" "not ok - second: #3" "ok - third" "not ok - fourth" \
	"ok - fifth # SKIP why" "# ok - first" "stray" end >"$dir/raw"
tap_of() {
	awk -v job="$1" -v todo="${2-}" -v list="$dir/known" -f tests/rig/tap.awk "$dir/raw" >"$dir/tap"
	cat "$dir/tap"
}
counted() {
	awk -f tests/rig/count.awk "$dir/tap"
}
equals "TAP: a job without known failures" "TAP version 13
# one
ok 1 - first
not ok 2 - second: \#3
ok 3 - third
not ok 4 - fourth
ok 5 - fifth # SKIP why
# ok - first
# stray
1..5" "$(tap_of bare-6-rt-amd64)"
equals "TAP: a job without known failures: the counts" "2 2 1" "$(counted)"
equals "TAP: a job with known failures" "TAP version 13
# one
ok 1 - first # TODO a reason
not ok 2 - second: \#3 # TODO a reason
ok 3 - third
not ok 4 - fourth
ok 5 - fifth # SKIP why
# ok - first
# stray
1..5" "$(tap_of bare-6-rt)"
equals "TAP: a known failure that passes counts as failed" "1 2 2" "$(counted)"
equals "TAP: a job that may fail" "TAP version 13
# one
ok 1 - first
not ok 2 - second: \#3 # TODO why
ok 3 - third
not ok 4 - fourth # TODO why
ok 5 - fifth # SKIP why
# ok - first
# stray
1..5" "$(tap_of bare-6-rt-amd64 why)"
equals "TAP: a job that may fail: the counts" "2 0 3" "$(counted)"
sed -i '/^end$/d' "$dir/raw"
tap_of other why | tail -n 2 >"$dir/last"
equals "TAP: a job that may fail and does not end: the last lines" \
	"not ok 6 - every test reaches its end # TODO why
1..6" "$(cat "$dir/last")"
equals "TAP: a job that may fail and does not end: the counts" "2 0 4" "$(counted)"
tap_of other >/dev/null
equals "TAP: a missing plan counts as failed" "2 3 1" "$(counted)"
printf '%s\n' "begin one" "ok - first" reboot "begin one" "ok - second" end >"$dir/raw"
tap_of other >/dev/null
equals "TAP: a test that ends after a reboot has passed" "2 0 0" "$(counted)"
printf '%s\n' "begin one" "ok - first" reboot "begin one" "ok - second" >"$dir/raw"
tap_of other >/dev/null
equals "TAP: a test that does not end after a reboot has failed" "2 1 0" "$(counted)"

# messages: print the messages that docs/troubleshooting.md quotes, without the parts that vary, one
# per line
messages() {
	# shellcheck disable=SC2016 # backquotes of Markdown
	sed -n 's/^| \(.*\) | .* |$/\1/p' docs/troubleshooting.md | grep -o '`[^`]*`' |
		sed 's/`//g; s/…/\n/g; s/ N /\n/g; s/=N/=\n/g; s/^N //' |
		sed 's/^[ ,]*//; s/ *$//' | awk 'length > 6' | sort -u
}
# Join strings that span several lines.
cat src/*.[ch] cmd/* fleet/* packaging/* 2>/dev/null | tr '\n' ' ' |
	sed 's/"[[:space:]]*\\\{0,1\}[[:space:]]*"/ /g; s/%[a-z0-9]*/ /g' | tr -s ' \t' ' ' >"$dir/sources"
equals "troubleshooting.md quotes our messages exactly; these messages are from other programs" \
	"Device or resource busy
authentication error
tainting kernel
you should reinstall it" "$(messages | while IFS= read -r message; do
		grep -q -F -e "$message" "$dir/sources" || echo "$message"
	done | LC_ALL=C sort)"

equals "docs/kernels.md says of each family of kernels how far it is tested; other lines of the table" \
	"| family | kernel | how far | remark |
|---|---|---|---|" "$(sed -n '/^| family /,/^$/p' docs/kernels.md | sed '$d' |
		grep -v -E '^[^|]*(\|[^|]*){2}\| (tested by the suite|tested by hand, 20[0-9]{2}-[0-9]{2}|compiled only|not tried) \|')"

equals "CONTRIBUTING.md has the table of tests" "$(tests/rig/table)" \
	"$(sed -n '/^| test /,/^$/p' CONTRIBUTING.md | sed '/^$/d')"
equals "CONTRIBUTING.md has the table of tests that only make test-all runs" "$(tests/rig/table later)" \
	"$(sed -n '/^| left to /,/^$/p' CONTRIBUTING.md | sed '/^$/d')"
echo end
