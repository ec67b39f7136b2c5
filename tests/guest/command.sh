# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
# shellcheck shell=sh
#
# The administrator's command in every state of the livepatch. package.sh sources this with the
# package installed, the module loaded, and logging off.
# shellcheck disable=SC2154 # what system.sh sets

rival=$livepatches/rival
is_loaded="loaded, version $version"

# as USER COMMAND...
as() {
	by=$1
	shift
	runuser -u "$by" -- "$@"
}

# says NAME TEXT: check the command's whole output
says() {
	equals "$1: the message" "tcp-connect-logger: $2" "$output"
}

usage() {
	for wrong in "" "nonsense" "status enable" "enable --json" "load --prometheus" "--nonsense" "load --timeout" \
		"load --timeout=" "load --timeout x" "load --timeout -1" "load --timeout 9999999"; do
		# shellcheck disable=SC2086 # words
		exits "usage: '$wrong'" 2 tcp-connect-logger $wrong
		matches "usage: '$wrong' prints an error message" \
			"tcp-connect-logger: *. See: tcp-connect-logger --help" "$output"
	done
	exits "usage: --version" 0 tcp-connect-logger --version
	equals "usage: --version prints the version" "tcp-connect-logger $version" "$output"
	exits "usage: --help" 0 tcp-connect-logger --help
	for command in status enable disable load unload reload follow record top --json --prometheus --timeout --fallback --version; do
		matches "usage: --help lists $command" "*$command*" "$output"
		matches "usage: the man page describes $command" "*$command*" \
			"$(zcat /usr/share/man/man8/tcp-connect-logger.8.gz | sed 's/\\-/-/g')"
	done
}

# offers WORD...: print bash's completions for the last word
offers() {
	# shellcheck disable=SC2016 # for bash
	bash -c '. /usr/share/bash-completion/completions/tcp-connect-logger
		COMP_WORDS=(tcp-connect-logger "$@") COMP_CWORD=$#
		_tcp_connect_logger; echo "${COMPREPLY[*]}"' bash "$@" 2>/dev/null
}

completion() {
	equals "completion: it offers all commands" "status enable disable load unload reload follow record top --help --version" "$(offers '')"
	equals "completion: it completes a command" "load" "$(offers l)"
	equals "completion: it offers the options of status" "--json --prometheus" "$(offers status '')"
	equals "completion: it offers the options of reload" "--timeout --fallback" "$(offers reload '')"
	equals "completion: it offers nothing for a number" "" "$(offers load --timeout '')"
}

states_off_and_on() {
	status_is "off" 0 "$is_loaded" enabled off
	exits "enable" 0 tcp-connect-logger enable
	equals "enable: it prints nothing" "" "$output"
	status_is "on" 0 "$is_loaded" enabled on
	curl_logs "enable" 1
	exits "json" 0 tcp-connect-logger status --json
	equals "json: it prints the object" '{
  "package": "'"$version"'",
  "kernel": "'"$kernel"'",
  "installed": "'"$version"'",
  "not_built_because": null,
  "signer": "DKMS module signing key",
  "loaded": "'"$version"'",
  "loaded_is_installed": true,
  "livepatch": "enabled",
  "by": [],
  "bypassed": [],
  "logging": true,
  "event": "off",
  "no_event_because": null,
  "counters": {"seen": N, "logged": N, "suppressed": N},
  "recorder": null
}' "$(echo "$output" | sed '/"counters"/s/[0-9][0-9]*/N/g')"
	exits "disable" 0 tcp-connect-logger disable
	equals "disable: it prints nothing" "" "$output"
	status_is "off again" 0 "$is_loaded" enabled off
	curl_logs "disable" 0
}

users() {
	exits "alice of adm: enable" 0 as alice tcp-connect-logger enable
	status_is "alice of adm: enabled" 0 "$is_loaded" enabled on
	for command in enable disable; do
		exits "nobody: $command" 4 as nobody tcp-connect-logger $command
		says "nobody: $command" "only root and the group adm may switch logging: ask to be added, or try sudo."
	done
	exits "nobody: status" 0 as nobody tcp-connect-logger status
	equals "nobody: status shows what root sees" "$(tcp-connect-logger status)" "$output"
	for command in load unload reload; do
		exits "alice of adm: $command" 4 as alice tcp-connect-logger $command
		says "alice of adm: $command" "only root can $command: try sudo tcp-connect-logger $command"
	done
	exits "alice of adm: disable" 0 as alice tcp-connect-logger disable
	status_is "alice of adm: disabled" 0 "$is_loaded" enabled off
}

# gone NAME: check that the module is not loaded
gone() {
	nothing_left "$1"
	status_is "$1" 3 "not loaded" "not loaded" "no switch"
	curl_logs "$1" 0
}

# loads NAME: check that load succeeds
loads() {
	exits "$1" 0 tcp-connect-logger load
	says "$1" "loaded, logging is off. To switch: tcp-connect-logger enable, or disable; to see the connections: tcp-connect-logger follow"
	status_is "$1" 0 "$is_loaded" enabled off
}

load_and_unload() {
	exits "load once more" 0 tcp-connect-logger load
	says "load once more" "version $version is loaded already, logging is off."
	exits "unload" 0 tcp-connect-logger unload
	equals "unload: it prints nothing" "" "$output"
	gone "unload"
	exits "unload once more" 0 tcp-connect-logger unload
	says "unload once more" "not loaded."
	exits "unloaded: enable" 3 tcp-connect-logger enable
	says "unloaded: enable" "there is no switch: the livepatch is not loaded."
	loads "load"
	exits "modprobe -r" 0 modprobe -r tcp_connect_logger
	gone "modprobe -r"
	exits "reload, not loaded" 0 tcp-connect-logger reload
	status_is "reload, not loaded" 0 "$is_loaded" enabled off

	since=$(loaded_since)
	exits "reload, current" 0 tcp-connect-logger reload
	says "reload, current" "version $version is loaded already, and is what is installed."
	equals "reload, current: the module has not been reloaded" "$since" "$(loaded_since)"

	echo 1 >$switch
	another_version
	exits "reload" 0 tcp-connect-logger reload
	matches "reload: it prints how long connections were not seen" "tcp-connect-logger: version $another has taken the place of version $version, logging is on; connections were not seen for *.?? s." "$output"
	figure "$output"
	loaded "reload" "$another"
	curl_logs "reload" 1
	kept_version
	exits "reload, and back" 0 tcp-connect-logger reload
	status_is "reload" 0 "$is_loaded" enabled on
	loaded "reload"
	curl_logs "reload, and back" 1
	echo 0 >$switch
}

# untouched NAME: check that the module has not been unloaded since $since was set
untouched() {
	equals "$1: the module has not been reloaded" "$since" "$(loaded_since)"
	loaded "$1"
}

# options: reload applies the options in modprobe.d
options() {
	conf=/etc/modprobe.d/rig.conf
	since=$(loaded_since)
	echo "options tcp_connect_logger rate_limit=70" >$conf
	echo 50 >$rate_limit
	exits "options: reload, current" 0 tcp-connect-logger reload
	says "options: reload, current" "version $version is loaded already, and is what is installed.
tcp-connect-logger: rate_limit is 70 now, by the options in modprobe.d or by default; it was 50."
	equals "options: reload, current: rate_limit is set" 70 "$(cat $rate_limit)"
	untouched "options: reload, current"
	rm $conf
	another_version
	exits "options: reload" 0 tcp-connect-logger reload
	matches "options: reload: the message names the new rate_limit" "tcp-connect-logger: version $another has *
tcp-connect-logger: rate_limit is 1000 now, by the options in modprobe.d or by default; it was 70." "$output"
	kept_version
	exits "options: reload, and back" 0 tcp-connect-logger reload
	matches "options: reload, and back: the message does not mention rate_limit" "tcp-connect-logger: version $version has *, logging is off; * s." "$output"
}

# forbidden: lines of the administrator in modprobe.d forbid loading
forbidden() {
	conf=/etc/modprobe.d/rig.conf
	another_version
	since=$(loaded_since)
	for line in "blacklist tcp_connect_logger" "install tcp_connect_logger /bin/true"; do
		echo "$line" >$conf
		exits "$line: reload" 1 tcp-connect-logger reload
		says "$line: reload" "$conf has the line \"$line\"; still loaded, logging is off."
		untouched "$line: reload"
		tcp-connect-logger unload
		exits "$line: load" 1 tcp-connect-logger load
		says "$line: load" "not loaded: $conf has the line \"$line\"."
		nothing_left "$line: load"
		rm $conf
		kept_version
		loads "$line: load without the line"
		since=$(loaded_since)
		another_version
	done
	kept_version
}

# alone COMMAND...: check that unload refuses to work under this command, which isolates it as a
# container does
alone() {
	exits "in a container: $*" 1 "$@" tcp-connect-logger unload
	says "in a container: $*" "cannot unload from a chroot or a container."
	untouched "in a container: $*"
}

containers() {
	since=$(loaded_since)
	alone unshare --pid --fork --mount-proc
	alone unshare --user --map-root-user
	alone unshare --mount sh -c 'mount -o remount,bind,ro /sys && exec "$@"' sh
	mkdir /tmp/root
	mount -t tmpfs tmpfs /tmp/root
	for dir in bin etc lib lib64 proc run sbin sys usr; do
		mkdir -p /tmp/root/$dir
		mount --bind /$dir /tmp/root/$dir
	done
	alone chroot /tmp/root
	umount -R /tmp/root
	exits "no CAP_SYS_MODULE: unload" 4 setpriv --bounding-set -sys_module tcp-connect-logger unload
	says "no CAP_SYS_MODULE: unload" "cannot unload without the capability CAP_SYS_MODULE."
	untouched "no CAP_SYS_MODULE: unload"
}

# hidden DIRECTORY COMMAND...: run the command with an empty directory in place of DIRECTORY
hidden() {
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount sh -c 'mount -t tmpfs tmpfs "$1" && shift && exec "$@"' sh "$@"
}

unknown() {
	chmod 0220 $switch
	exits "switch not readable: status" 0 as nobody tcp-connect-logger status
	matches "switch not readable: status names the error" "*
logging    unknown: $switch: Permission denied
*" "$output"
	matches "switch not readable: logging is null in json" '*"logging": null,*' "$(as nobody tcp-connect-logger status --json)"
	equals "switch not readable: the metric is left out" 0 \
		"$(as nobody tcp-connect-logger status --prometheus | grep -c '^tcp_connect_logger_logging')"
	chmod 0664 $switch
	exits "event hidden: status" 0 hidden $event_module tcp-connect-logger status
	matches "event hidden: status names the error" "*
event      unknown: $event_module/refcnt: No such file or directory" "$output"
	matches "event hidden: event is unknown in json" '*"event": "unknown",*' "$(hidden $event_module tcp-connect-logger status --json)"
	exits "livepatches hidden: status" 1 hidden /sys/kernel/livepatch tcp-connect-logger status
	matches "livepatches hidden: status names the error" "*
livepatch  unknown: /sys/kernel/livepatch: No data available
*" "$output"
}

# at_once: only one load, unload or reload works at a time
at_once() {
	flock /run/tcp-connect-logger.lock sleep 1000 &
	holder=$!
	await 60 fails_quietly flock -n /run/tcp-connect-logger.lock true
	since=$(loaded_since)
	for command in load unload reload; do
		exits "another at work: $command" 1 tcp-connect-logger $command --timeout 1
		matches "another at work: $command: the message names the other process" "tcp-connect-logger: another tcp-connect-logger, process *, is at work; nothing was done within 1 s." "$output"
	done
	untouched "another at work"
	pkill -KILL -P $holder
	kill -KILL $holder
	wait
	another_version
	begins /tmp/first tcp-connect-logger reload
	begins /tmp/second tcp-connect-logger reload
	wait
	equals "two at once: one reloads, and the other has nothing to do" \
		"tcp-connect-logger: version $another has taken the place of version $version, logging is off; connections were not seen for N s.
0
tcp-connect-logger: version $another is loaded already, and is what is installed.
0" "$(grep -h -A 1 taken /tmp/first /tmp/second | sed 's/[0-9.]* s\.$/N s./'; grep -h -A 1 already /tmp/first /tmp/second)"
	kept_version
	tcp-connect-logger reload >/dev/null
}

fails_quietly() {
	! "$@"
}

# fallback: the kernel refuses the installed module. If the module looks as if it were built for a
# different kernel, the kernel refuses it before the running module is unloaded. But the kernel
# checks the options only when it loads the module. With a wrong option, reload therefore loads the
# previous module again.
fallback() {
	echo 1 >$switch
	since=$(loaded_since)
	another_version
	LC_ALL=C sed -i 's/\(vermagic=[^ ]* \)SMP/\1UP /' "$ko"
	exits "another kernel's module: reload" 1 tcp-connect-logger reload --fallback /root/kept.ko
	says "another kernel's module: reload" "Exec format error; still loaded, logging is on. The reason may be in: journalctl -k -g tcp_connect_logger"
	untouched "another kernel's module: reload"
	kept_version

	another_version
	echo "options tcp_connect_logger rate_limit=nonsense" >/etc/modprobe.d/rig.conf
	exits "fallback" 1 tcp-connect-logger reload --fallback /root/kept.ko
	equals "fallback: the message says that the previous module is loaded again" "tcp-connect-logger: not loaded: Invalid argument. The reason may be in: journalctl -k -g tcp_connect_logger
tcp-connect-logger: version $version is loaded again instead, logging is on." "$output"
	rm /etc/modprobe.d/rig.conf
	kept_version
	loaded "fallback"
	curl_logs "fallback" 1
	echo 0 >$switch
}

disabled_by_hand() {
	disable_patch $patch
	by_hand="disabled: nothing is logged; to load it again: tcp-connect-logger reload"
	status_is "disabled by hand" 3 "$is_loaded" "$by_hand" "no switch"
	exits "disabled by hand: enable" 3 tcp-connect-logger enable
	says "disabled by hand: enable" "there is no switch: the livepatch is $by_hand."
	exits "disabled by hand: reload" 0 tcp-connect-logger reload
	status_is "disabled by hand: reload" 0 "$is_loaded" enabled off
}

bypassed() {
	echo 1 >$switch
	load /payload/rival.ko
	state="bypassed by rival in tcp_v4_connect: IPv4 is not logged"
	status_is "bypassed" 3 "$is_loaded" "$state" on
	matches "bypassed: json names the livepatch and the function" '*"livepatch": "bypassed",
  "by": \["rival"\],
  "bypassed": \["tcp_v4_connect"\],*' "$(tcp-connect-logger status --json)"
	exits "bypassed: enable" 3 tcp-connect-logger enable
	says "bypassed: enable" "switched on, but the livepatch is $state."
	exits "bypassed: reload" 1 tcp-connect-logger reload
	says "bypassed: reload" "the livepatch rival also patches tcp_v4_connect, so this one could not be loaded again: still loaded, logging is on."
	status_is "bypassed: as it was" 3 "$is_loaded" "$state" on
	mark
	fails "bypassed: the rival handles connections" curl -s http://127.0.0.1:80/
	equals "bypassed: connections are not logged" "" "$(log)"
	unload rival
	status_is "bypassed no more" 0 "$is_loaded" enabled on
	curl_logs "bypassed no more" 1

	# In a module that is loaded after both, an older livepatch bypasses ours, too.
	load /payload/rival.ko function=tcp_v6_connect
	tac /proc/modules >/tmp/modules
	mount --bind /tmp/modules /proc/modules
	status_is "bypassed by an older livepatch" 3 "$is_loaded" \
		"bypassed by rival in tcp_v6_connect: IPv6 is not logged" on
	umount /proc/modules
	status_is "bypassed in IPv6" 3 "$is_loaded" "bypassed by rival in tcp_v6_connect: IPv6 is not logged" on
	curl_logs "bypassed in IPv6, IPv4 is logged" 1
	exits "bypassed: unload" 0 tcp-connect-logger unload
	nothing_left "bypassed: unload"
	exits "rival is loaded: load" 1 tcp-connect-logger load
	matches "rival is loaded: load states the reason" "tcp-connect-logger: not loaded: *Device or resource busy. The reason may be in: journalctl -k -g tcp_connect_logger" "$output"
	unload rival
	loads "rival is unloaded: load"
}

replaced() {
	echo 1 >$switch
	insmod /payload/rival.ko replace=1
	succeeds "replaced: the kernel removes our livepatch" wait_until 60 test ! -d $patch
	await 60 transition_over $rival
	state="nothing is logged; to load it again: tcp-connect-logger reload"
	status_is "replaced" 3 "$is_loaded" "replaced by rival: $state" on
	exits "replaced: enable" 3 tcp-connect-logger enable
	says "replaced: enable" "switched on, but the livepatch is replaced by rival: $state."
	unload rival
	status_is "replaced, rival unloaded" 3 "$is_loaded" "replaced by a livepatch that is gone: $state" on
	curl_logs "replaced, rival unloaded" 0
	exits "replaced: reload" 0 tcp-connect-logger reload
	status_is "replaced: reload" 0 "$is_loaded" enabled on
	curl_logs "replaced: reload" 1
	insmod /payload/rival.ko replace=1
	await 60 test ! -d $patch
	exits "replaced: unload" 0 tcp-connect-logger unload
	nothing_left "replaced: unload"
	unload rival
	loads "replaced: load"
}

in_use() {
	tcp-connect-logger unload
	insmod /payload/hold.ko
	tcp-connect-logger load >/dev/null
	exits "in use: unload" 1 tcp-connect-logger unload --timeout 2
	says "in use: unload" "in use by 1 other(s), see lsmod: still loaded, logging is off."
	status_is "in use: unchanged" 0 "$is_loaded" enabled off
	rmmod hold
	exits "no longer in use: unload" 0 tcp-connect-logger unload
	gone "no longer in use: unload"
}

# event_used_by USERS: unload and reload do nothing, and name the users of the trace event
event_used_by() {
	for command in unload reload; do
		exits "event in use: $command" 1 tcp-connect-logger $command
		says "event in use: $command" \
			"the trace event is in use: $1; still loaded, logging is off. End that use first."
	done
	equals "event in use: the module has not been reloaded" "$since" "$(loaded_since)"
	equals "event in use: the patch is enabled" 1 "$(cat $patch/enabled)"
}

event_in_use() {
	since=$(loaded_since) there=$tracing/instances/rig
	another_version
	mkdir $there
	echo 1 >$event/enable
	echo hist:keys=comm >$there/events/tcp_connect_logger/tcp_connect/trigger
	matches "event in use: status" "*
event      tcp_connect_logger:tcp_connect, on" "$(tcp-connect-logger status)"
	event_used_by "tcp_connect is enabled in ftrace and tcp_connect has the trigger $(grep -o '^hist[^ ]*' \
		$there/events/tcp_connect_logger/tcp_connect/trigger) in the trace instance rig"
	echo 0 >$event/enable
	rmdir $there

	start_bpf raw tcp_connect
	bpf on >/dev/null
	event_used_by "BPF in process $bpf_process (bpf)"
	stop_bpf
	start_bpf perf "$(cat $event/id)"
	bpf on >/dev/null
	event_used_by "perf, perhaps in process $bpf_process (bpf)"
	stop_bpf
	kept_version

	rmmod tcp_connect_logger_event
	why="the module tcp_connect_logger_event is not loaded: modprobe tcp_connect_logger_event"
	matches "no event: status says why" "*
event      none: $why" "$(tcp-connect-logger status)"
	matches "no event: json says why" '*"event": "none",
  "no_event_because": "'"$why"'",*' "$(tcp-connect-logger status --json)"
	works "no event"
	for command in load reload; do
		exits "no event: $command" 0 tcp-connect-logger $command
		status_is "no event: $command loads it" 0 "$is_loaded" enabled off
		[ $command = reload ] || rmmod tcp_connect_logger_event
	done

	file=$(modinfo -n tcp_connect_logger_event)
	mv "$file" /root/event
	tcp-connect-logger unload
	exits "event not installed: load" 0 tcp-connect-logger load
	matches "event not installed: load says so" \
		"tcp-connect-logger: the livepatch has no trace event: the module tcp_connect_logger_event is not installed.
tcp-connect-logger: loaded,*" "$output"
	matches "event not installed: status says so" "*
event      none: the module tcp_connect_logger_event is not installed" "$(tcp-connect-logger status)"
	mv /root/event "$file"
	exits "event installed again: load" 0 tcp-connect-logger load
	status_is "event installed again" 0 "$is_loaded" enabled off
}

# begins FILE COMMAND...: run the command in the background, and write its output and its exit
# status to FILE
begins() {
	file=$1
	shift
	{
		"$@" >"$file" 2>&1 && echo 0 >>"$file" || echo $? >>"$file"
	} &
}

# in_transition: check each state before load or unload can time out, and test the timeouts after
# that
in_transition() {
	insmod /payload/stall.ko
	modprobe tcp_connect_logger
	status_is "stalled load" 3 "$is_loaded" "in transition: enabled for some tasks, not yet for all" off
	exits "stalled load: unload" 0 tcp-connect-logger unload
	equals "stalled load: unload prints nothing" "" "$output"
	gone "stalled load: unload"
	begins /tmp/load tcp-connect-logger load
	await 120 grep -q 1 $patch/transition
	pkill -INT -x tcp-connect-log
	wait
	equals "interrupted load: the message and the exit status" "tcp-connect-logger: interrupted; the livepatch is in transition: enabled for some tasks, not yet for all.
1" "$(cat /tmp/load)"
	exits "interrupted load: unload" 0 tcp-connect-logger unload
	exits "stalled load" 5 tcp-connect-logger load --timeout 10
	matches "stalled load: the message names the task" "tcp-connect-logger: some tasks would not take the livepatch within 10 s: it is not loaded. These tasks:
  [1-9]* stall
      *stall_sleep*" "$output"
	gone "stalled load"
	rmmod stall
	loads "stalled load: load again without the task"

	echo 1 >$switch
	insmod /payload/stall.ko
	echo 0 >$patch/enabled
	status_is "stalled unload" 3 "$is_loaded" "in transition: disabled for some tasks, not yet for all" on
	exits "stalled unload" 5 tcp-connect-logger unload --timeout 10
	matches "stalled unload: the message names the task" "tcp-connect-logger: some tasks would not let go of the livepatch within 10 s: still loaded, logging is on. These tasks:
  [1-9]* stall
      *stall_sleep*" "$output"
	status_is "stalled unload: enabled again" 0 "$is_loaded" enabled on
	curl_logs "stalled unload: enabled again" 1

	begins /tmp/unload tcp-connect-logger unload
	await 120 grep -q 0 $patch/enabled
	pkill -TERM -x tcp-connect-log
	wait
	equals "interrupted unload: the message and the exit status" "tcp-connect-logger: interrupted; the livepatch is enabled.
1" "$(cat /tmp/unload)"
	status_is "interrupted unload: enabled again" 0 "$is_loaded" enabled on

	insmod /payload/rival.ko
	exits "another in transition: unload" 5 tcp-connect-logger unload --timeout 2
	says "another in transition: unload" "the livepatch rival is in transition and blocks this one: still loaded, logging is on."
	equals "another in transition: the livepatch stays enabled" "1 0" "$(cat $patch/enabled $patch/transition | tr '\n' ' ' | sed 's/ $//')"
	rmmod stall
	await 60 transition_over $rival
	unload rival
	status_is "another unloaded: still enabled" 0 "$is_loaded" enabled on
	echo 0 >$switch
}

unsigned() {
	ko=$(modinfo -n tcp_connect_logger)
	cp "$ko" /root/kept.ko
	strip -g "$ko"
	status_is "not signed" 0 "$is_loaded" enabled off "built, version $version, signed by nobody"
	mv "$ko" /root/moved
	status_is "no module" 0 "$is_loaded, not the one that is installed: tcp-connect-logger reload" enabled off \
		"not built: there is no module for the running kernel $kernel: dkms install tcp-connect-logger/$version -k $kernel"
	exits "no module: reload" 1 tcp-connect-logger reload
	says "no module: reload" "there is no module for the running kernel $kernel: dkms install tcp-connect-logger/$version -k $kernel; still loaded, logging is off."
	loaded "no module: unchanged"
	cp /root/kept.ko "$ko"
}

usage
completion
states_off_and_on
users
load_and_unload
options
forbidden
fallback
containers
unknown
at_once
disabled_by_hand
bypassed
replaced
in_use
loads "load after all states"
event_in_use
tcp-connect-logger unload
in_transition
unsigned
