#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# origin.sh KO NUMBER - who made each connection, also if the process is gone at once, and what became
# of it; NUMBER processes live for a moment and connect once, then as many live at the same time
#
# where: bare
# on: line
# payload: module connect origin cost recorder
# arguments: /payload/tcp-connect-logger.ko $([ -n "$ALL" ] || [ "$suite" = trixie ] && echo 10000 || echo 1000)
# later: 10,000 processes; `make test` makes 1,000 on other kernels than Debian 13's

# shellcheck source=tests/rig/lib.sh
. /payload/lib.sh
bare_recorder

ko=$1 processes=$2
port=20000

# connections: print the records of connections, without their results
connections() {
	objects | grep -v '"event":'
}

# results: print the results
results() {
	objects | grep '"event":"result"'
}

# has PORT [KIND]: true if a connection to the port, or its result, is stored
has() {
	"${2:-connections}" | grep -q "\"dport\":$1,"
}

# of PORT [KIND]: print the record of the last connection to this port, or its result
of() {
	await 60 has "$@"
	"${2:-connections}" | grep "\"dport\":$1," | tail -n 1
}

# member NAME RECORD: print the value of a number or a text; parents have members of the same names
member() {
	printf '%s\n' "$2" | sed -n "s/\"parents\":\[[^]]*\],//; s/.*[{,]\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"
}

# makes KIND [ARGUMENT...]: make a connection to a new port; set $line to its record, and $output to
# what the program says
makes() {
	port=$((port + 1)) kind=$1
	shift
	output=$("${program:-/payload/origin}" "$kind" $port "$@")
	line=$(of $port)
}

# start_of PROCESS: when it was started, in clock ticks
start_of() {
	sed 's/.*) //' /proc/"$1"/stat | cut -d ' ' -f 20
}

# ---- Who

plain() {
	makes says
	pid=${output#pid=} pid=${pid% }
	equals "executable" /payload/origin "$(member exe "$line")"
	equals "process, thread, parent" "$pid $pid $$" \
		"$(member pid "$line") $(member tid "$line") $(member ppid "$line")"
	start=$(member start "$line")
	equals "its parents" "\"parents\":[{\"pid\":$$,\"uid\":0,\"comm\":\"$(cat /proc/$$/comm)\",\"start\":" \
		"$(printf '%s\n' "$line" | grep -o "\"parents\":\[{\"pid\":$$,\"uid\":0,\"comm\":\"[^\"]*\",\"start\":")"
	parent=$(printf '%s\n' "$line" | sed 's/.*"parents":\[{[^}]*"start":\([0-9]*\)}.*/\1/')
	equals "when the parent was started" "$(start_of $$)" $((parent / 10000000))
	equals "the process was started later" 1 $((start > parent))
	equals "the first process has no parents" "$(printf '%s\n' "$line" | grep -c '"pid":1,"uid":0,[^}]*}\]')" 1
	equals "source" "127.0.0.1" "$(member saddr "$line")"
	equals "source port" 1 $(($(member sport "$line") > 1023))
	equals "cgroup" / "$(member cgroup_path "$line")"
	equals "no unit, no container, no command line" "" \
		"$(member unit "$line")$(member container "$line")$(member cmdline "$line")"
}

executables() {
	mkdir -p "/tmp/a \"b\"" /tmp/root
	cp /payload/origin /tmp/root/exe
	cp /payload/origin "/tmp/a \"b\"/exe"
	cp /payload/origin /tmp/deleted
	ln -sf /tmp/root/exe /tmp/link
	cd /tmp/root || return
	program=./exe makes says
	equals "a relative path" /tmp/root/exe "$(member exe "$line")"
	cd /
	program=/tmp/link makes says
	equals "a symbolic link" /tmp/root/exe "$(member exe "$line")"
	program=/tmp/deleted makes deleted
	equals "deleted" "/tmp/deleted (deleted)" "$(member exe "$line")"
	makes memfd
	equals "in memory" "/memfd:payload (deleted)" "$(member exe "$line")"
	makes chroot /tmp/root
	equals "in a chroot" /exe "$(member exe "$line")"
	# shellcheck disable=SC2016 # the script's
	printf '#!/bin/busybox sh\ncat /proc/$$/comm\n/payload/origin says "$2"\n' >/tmp/script
	chmod +x /tmp/script
	program=/tmp/script makes says
	equals "a script: the program that it runs" /payload/origin "$(member exe "$line")"
	# On 5.10, the name of the process is that of the interpreter.
	equals "a script: its interpreter is the parent" "$(echo "$output" | head -n 1)" \
		"$(printf '%s\n' "$line" | sed 's/.*"parents":\[{"pid":[0-9]*,"uid":0,"comm":"\([^"]*\)".*/\1/')"
	port=$((port + 1))
	"/tmp/a \"b\"/exe" says $port >/dev/null
	matches "a path with quotes" '*"exe":"/tmp/a \\"b\\"/exe"*' "$(of $port)"

	long=/tmp/$(printf '%0240d' 0)/$(printf '%0240d' 0)
	mkdir -p "$long"
	cp /payload/origin "$long/exe"
	program=$long/exe makes says
	equals "a long path" "$long/exe" "$(member exe "$line")"
	for _ in 1 2 3 4 5 6 7; do
		long=$long/$(printf '%0240d' 0)
	done
	mkdir -p "$long"
	cp /payload/origin "$long/exe"
	program=$long/exe makes says
	equals "a path that is too long" "" "$(member exe "$line")"
}

processes() {
	makes thread
	matches "a thread" "pid=$(member pid "$line") tid=$(member tid "$line") *" "$output"
	equals "a thread: another ID" 1 $(($(member pid "$line") != $(member tid "$line")))
	makes vfork
	matches "vfork" "*child=$(member pid "$line") *" "$output"
	equals "vfork: executable" /payload/origin "$(member exe "$line")"
	for kind in uring-async pidns container; do
		port=$((port + 1))
		connection $kind 127.0.0.1 $port
		line=$(of $port)
		equals "$kind: executable" "/payload/connect" "$(member exe "$line")"
	done
	equals "in the PID namespace of a container: its parent outside" "$pid" "$(member pid "$line")"
	enter_cgroup
	makes says
	equals "in a cgroup" /rig "$(member cgroup_path "$line")"
	leave_cgroup
	id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
	mkdir -p $cgroups/web.service/docker-$id
	echo $$ >$cgroups/web.service/docker-$id/cgroup.procs
	makes says
	equals "unit and container" "web.service $id" "$(member unit "$line") $(member container "$line")"
	echo $$ >$cgroups/cgroup.procs
	rmdir $cgroups/web.service/docker-$id $cgroups/web.service
}

# small_enough NAME: check the recorder's memory
small_enough() {
	equals "$1: resident set in MiB, at most" 20 \
		"$(awk '/^VmHWM/ { print ($2 > 20480 ? $2 : 20) }' /proc/$recorder/status)"
	figure "$1: resident set: $(awk '/^VmHWM/ { print $2 }' /proc/$recorder/status) KiB"
}

# storm: processes that live for a moment, whose IDs are used again and again
storm() {
	files=
	for n in 0 1 2 3 4 5 6 7 8 9; do
		cp /payload/origin /tmp/exe-$n
		files="$files /tmp/exe-$n"
	done
	echo 400 >/proc/sys/kernel/pid_max
	# shellcheck disable=SC2086 # words
	succeeds "storm: $processes processes" /payload/origin storm "$processes" $files
	echo 32768 >/proc/sys/kernel/pid_max
	await 120 accounted $((before + processes))
	equals "storm: none is lost" "$((before + processes)) 0" "$(sums)"
	equals "storm: right and wrong executables" "$processes 0" "$(connections | awk '
		match($0, /"dport":1000[0-9],/) {
			n = substr($0, RSTART + 12, 1)
			if (index($0, "\"exe\":\"/tmp/exe-" n "\"") && index($0, "\"comm\":\"exe-" n "\""))
				right++
			else
				wrong++
		}
		END { print right + 0, wrong + 0 }')"
	equals "storm: IDs are used again" 1 "$(connections | awk -F '"pid":' '
		/"dport":1000[0-9],/ { pids[$2 + 0] = 1; n++ }
		END { for (pid in pids) different++; print different < n }')"
	equals "storm: a process and its start are never used again" "$processes" "$(connections |
		sed -n '/"dport":1000[0-9],/s/.*"pid":\([0-9]*\),.*"start":\([0-9]*\),"exe".*/\1 \2/p' | sort -u | wc -l)"
	small_enough "storm"
}

# alive: processes that live at the same time
alive() {
	port=$((port + 1)) limit=$(cat /proc/sys/kernel/threads-max)
	echo $((processes + 1000)) >/proc/sys/kernel/threads-max
	/payload/origin alive "$processes" $port >/tmp/alive 2>&1 &
	parent=$!
	await 600 grep -q . /tmp/alive
	equals "alive: $processes processes" "all live" "$(cat /tmp/alive)"
	await 120 accounted "$processes"
	equals "alive: none is lost" "$processes 0" "$(sums)"
	equals "alive: each with its command line" "$processes" "$(connections |
		sed -n "s/.*\"pid\":\([0-9]*\),.*\"cmdline\":\"\/payload\/origin alive $processes $port\".*/\1/p" | sort -u | wc -l)"
	equals "alive: they still live" "$processes" \
		"$(cat /proc/[0-9]*/stat | awk -v parent=$parent '$4 == parent && $3 == "S"' | wc -l)"
	small_enough "alive"
	kill $parent
	wait $parent
	echo "$limit" >/proc/sys/kernel/threads-max
}

# ---- What became of it

# ends_as RESULT RET ADDRESS PORT: check the result of the last connection to this port
ends_as() {
	what=$1 ret=$2
	line=$(of "$4") result=$(of "$4" results)
	equals "$name: result" "$what $ret" "$(member result "$result") $(member ret "$result")"
	equals "$name: of this connection" \
		"$(member cookie "$line") $(member pid "$line") $(member comm "$line") $3 $(member sport "$line")" \
		"$(member cookie "$result") $(member pid "$result") $(member comm "$result") $(member daddr "$result") $(member sport "$result")"
	equals "$name: one result" 1 "$(results | grep -c "\"dport\":$4,")"
	latency=$(member latency "$result")
	equals "$name: there is a latency" 1 $((${latency:-0} > 0))
}

# result KIND RESULT RET ADDRESS
result() {
	name="$1 to $4" port=$((port + 1))
	connection "$1" "$4" $port
	if [ "$result" = EPROTONOSUPPORT ]; then
		skip "$name" "this kernel does not have it"
	else
		ends_as "$2" "$3" "${4#::ffff:}" $port
	fi
}

all_results() {
	for_all_kinds
	for kind in blocking nonblocking fastopen fastopen-connect mptcp uring uring-async uring-sqpoll int80; do
		result $kind refused -111 127.0.0.1
	done
	result blocking refused -111 ::1
	result blocking refused -111 ::ffff:127.0.0.1
	result data established 0 127.0.0.1
	result data established 0 ::1
	result timed-out "timed out" -110 203.0.113.1
	for kind in "unreachable unreachable -113" "reset reset -104" "interrupted closed -125"; do
		name=${kind%% *} port=$((port + 1)) kind=${kind#* }
		succeeds "$name" /payload/origin "$name" $port
		ends_as "${kind% *}" "${kind##* }" 203.0.113.1 $port
	done
	port=$((port + 1))
	connection blocking 198.51.100.1 $port
	line=$(of $port)
	equals "no route: it has failed at once" -101 "$(member ret "$line")"
	equals "no route: no source" "" "$(member saddr "$line")$(member sport "$line")"
	makes says
	of $port results >/dev/null
	equals "no route: no result" 0 "$(results | grep -c '"daddr":"198.51.100.1"')"
}

load "$ko"
load_event "$ko"
starts --result
before=0
plain
executables
processes
all_results
equals "the results have no losses" 0 "$(sums | cut -d ' ' -f 2)"
ends

starts
before=0
storm
ends

starts --fields pid,start,exe,parents,unit,container,cmdline
alive
ends

starts --exe '/tmp/exe-3' --fields pid,exe
# shellcheck disable=SC2086 # words
/payload/origin storm 20 $files
makes_last() {
	/tmp/exe-3 connect 30000
}
makes_last
await 60 accounted 3
equals "--exe, in the kernel" '(exe ~ "/tmp/exe-3")' "$(cat ${recorded}_origin/filter)"
equals "--exe" 3 "$(connections | grep -c -F '"exe":"/tmp/exe-3"')"
equals "--fields: only these" '{"time":T,"pid":P,"exe":"/tmp/exe-3"}' \
	"$(connections | sed 's/"time":"[^"]*"/"time":T/; s/"pid":[0-9]*/"pid":P/' | sort -u)"
ends
starts --fields pid,comm
/payload/origin connect 30000
await 60 accounted 1
equals "fields that the lean event has: it is used" "1 0" \
	"$(cat $recorded/enable) $(cat ${recorded}_origin/enable)"
ends
equals "the results are off again" 0 "$(cat $tracing/events/tcp_connect_logger/tcp_connect_result/enable)"
unload tcp_connect_logger
nothing_left "origin"
echo end
