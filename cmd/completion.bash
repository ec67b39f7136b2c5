# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Bash completion for tcp-connect-logger; bash-completion loads this file

_tcp_connect_logger() {
	local words=

	case $COMP_CWORD-${COMP_WORDS[1]} in
	1-*) words="status enable disable load unload reload follow top --help --version" ;;
	*-status) words="--json --prometheus" ;;
	*-follow) words="--json --comm --pid --user --port --net --kmsg --help" ;;
	*-top) words="--interval --count --kmsg --help" ;;
	*-load | *-unload) words=--timeout ;;
	*-reload) words="--timeout --fallback" ;;
	esac
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--timeout | --comm | --pid | --port | --net | --interval | --count) words= ;;
	--user) words=$(getent passwd | cut -d : -f 1) ;;
	--fallback)
		compopt -o default
		words=
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -F _tcp_connect_logger tcp-connect-logger
