# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# The tests and the plan, to be sourced after rig.sh. It finds out which jobs run the tests, and
# which other jobs each job needs. A test is a script in tests/ whose first comment has these lines:
#
#	where:		host: this machine
#			chroot: a chroot of a suite, with the headers of its kernels
#			packaging: a chroot of a suite, with the tools that build and check packages
#			bare: a guest with a kernel and busybox
#			systemd: a guest with systemd and the packages to build the module
#			tracers: a guest with systemd, tracers and log collectors
#	on:		the suites. For bare guests, the kernels: line, the kernel of each line;
#			every, all kernels; suite, the first kernel of each suite; first, the
#			first kernel of the first suite; small, the kernel that the rig builds
#	on-later:	more suites, for make test-all. A test without "on:" runs only there.
#	from:		how a guest with systemd starts: booted, from a saved guest that has just
#			booted (the default); saved TEST, from the guest that this test saved;
#			disk, by booting from the disk
#	saves:		yes, if the guest is saved after the test
#	boot:		kernel arguments for a guest that runs only this test; "-" for no
#			arguments; "instructions [CPUS]" if an instruction takes a nanosecond,
#			with one CPU, or with more that are offline at first. Bare tests without
#			this line share one boot
#	payload:	the files in /payload: module (the .ko files for its kernel), deb,
#			tools-deb, command (the command's packages, in /payload/command), srpm,
#			source (of the .deb, and the release), apt and rpm (repositories),
#			recorder (the command with its libraries, for bare guests),
#			versions, warm (the compiler's results), programs of tests/guest, files
#			of the tree
#	arguments:	the arguments of the script
#	later:		what only make test-all does, and why
#
# If a test needs more work on this machine, TEST.host is in the same directory as TEST.sh, and
# tests/job sources it.

# Suites that have guests with systemd. Most tests use only the first one.
guest_suites="bookworm trixie"

# test_files: the files of all tests
test_files() {
	grep -l '^# where:' "$top"/tests/host/*.sh "$top"/tests/chroot/*.sh "$top"/tests/guest/*.sh
}

# field FILE NAME: the value of this line in the first comment
field() {
	sed -n "/^[^#]/q; s/^# $2:[[:space:]]*//p" "$1"
}

# file_of_test NAME
file_of_test() {
	echo "$top"/tests/*/"$1.sh"
}

# is_wanted TEST WHERE: true if $TESTS has the name of the test, or the place where it runs
is_wanted() {
	for one in $TESTS; do
		case $one in all | "$1" | "$2") return 0 ;; esac
	done
	return 1
}

# has_suite SUITE LIST
has_suite() {
	case " $2 " in *" $1 "* | *" every suite "*) ;; *) return 1 ;; esac
}

# kernels_for ON: print the kernels of the plan on which a bare test runs, one per line: suite,
# release
kernels_for() {
	awk -v on=" $1 " -v all="$ALL" '
		function is(word) { return index(on, " " word " ") }
		$5 == "wanted" {
			if ($1 == "small" ? is("small") : is("every") || is("line") && (all || $4 == "line") ||
			    is("suite") && (all || !($1 in seen)) || is("first") && (all || !n++))
				print $1, $3
			seen[$1] = 1
		}' "$work/plan"
}

# needs_of FILE SUITE: print the jobs that must run before this test, which runs in a chroot or in a
# guest with systemd
needs_of() {
	needed_where=$(field "$1" where) needed_from=$(field "$1" from)
	case $needed_where:$needed_from in
	chroot:*) printf 'root-%s' "$2" ;;
	packaging:*) printf 'packaging-%s' "$2" ;;
	*:saved*) printf '%s-%s' "${needed_from#* }" "$2" ;;
	*:disk) printf 'guest-%s-%s' "$2" "$needed_where" ;;
	*) printf 'booted-%s-%s' "$2" "$needed_where" ;;
	esac
	for word in $(field "$1" payload); do
		case $word in
		module) printf ' build-%s' "$2" ;;
		versions) printf ' versions' ;;
		warm) printf ' warm-%s' "$2" ;;
		esac
	done
}

# tap JOB KIND: convert the job's reports on standard input to TAP. What fails on a kernel of
# experimental is a TODO: it is reported, and does not fail the run.
tap() {
	todo=
	case $2: in *:experimental:*) todo="the kernel is experimental" ;; esac
	awk -v job="$1" -v todo="$todo" -v list="$top/tests/known-failures" -f "$top/tests/rig/tap.awk"
}

# jobs: print the jobs, one per line: name, kind (root, guest, booted, or where its tests run), tests
# ("-" if the job only prepares other jobs), prerequisites
jobs() {
	bare_tests= files=$(test_files)
	for file in $files; do
		test=$(basename "$file" .sh) where=$(field "$file" where)
		is_wanted "$test" "$where" || continue
		on=$(field "$file" on) later=$(field "$file" on-later)
		[ -z "$ALL" ] || on="$on $later"
		case $where in
		host)
			echo "$test host $test"
			;;
		bare)
			[ -n "$(field "$file" boot)" ] || {
				bare_tests="$bare_tests $test"
				continue
			}
			kernels_for "$on" | while read -r suite kernel; do
				echo "$test-$kernel bare:$suite:$kernel $test build-$suite"
			done
			;;
		*)
			for suite in $SUITES; do
				has_suite "$suite" "$on" || continue
				[ "$where" != chroot ] || [ -n "$(built_of "$suite")" ] || continue
				echo "$test-$suite $where:$suite $test $(needs_of "$file" "$suite")"
			done
			;;
		esac
	done >"$work/jobs.tests"
	# Group the tests that share a boot, by kernel
	for test in $bare_tests; do
		file=$(file_of_test "$test")
		kernels_for "$(field "$file" on)${ALL:+ $(field "$file" on-later)}" | sed "s/\$/ $test/"
	done | awk '{ job = $1 " " $2; if (!(job in tests)) order[++n] = job; tests[job] = tests[job] (tests[job] ? "," : "") $3 }
		END { for (i = 1; i <= n; i++) { split(order[i], field)
			print "bare-" field[2], "bare:" field[1] ":" field[2], tests[order[i]], "build-" field[1] } }' \
		>>"$work/jobs.tests"
	# Add their prerequisites recursively, except those that are requested tests
	while cat "$work/jobs.tests" && needed >"$work/jobs.needed" && [ -s "$work/jobs.needed" ]; do
		cat "$work/jobs.needed" >>"$work/jobs.tests"
	done >/dev/null
	cat "$work/jobs.tests"
}

# needed: print the jobs that jobs.tests needs but does not contain
needed() {
	awk '{ have[$1] = 1; for (i = 4; i <= NF; i++) need[$i] = 1 }
		END { for (one in need) if (!(one in have)) print one }' "$work/jobs.tests" |
		while read -r job; do
			suite=${job#*-}
			case $job in
			versions) echo "versions versions -" ;;
			root-*) echo "$job root:$suite -" ;;
			packaging-*) echo "$job tools:$suite -" ;;
			guest-*) echo "$job guest:${suite%-*}:${suite##*-} -" ;;
			warm-*)
				versions=$(grep -o -m 1 -w versions "$work/jobs.tests" | head -n 1) || :
				echo "$job warm:$suite - guest-$suite-systemd $versions"
				;;
			booted-*) echo "$job booted:${suite%-*}:${suite##*-} - guest-$suite" ;;
			*)
				file=$(file_of_test "${job%-*}") suite=${job##*-}
				echo "$job $(field "$file" where):$suite ${job%-*} $(needs_of "$file" "$suite")"
				;;
			esac
		done
}
