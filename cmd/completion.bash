# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Completion of tcp-connect-logger for bash, loaded by bash-completion

_tcp_connect_logger() {
	local words=

	case $COMP_CWORD-${COMP_WORDS[1]} in
	1-*) words="status enable disable load unload reload --help --version" ;;
	*-status) words=--json ;;
	*-load | *-unload) words=--timeout ;;
	*-reload) words="--timeout --fallback" ;;
	esac
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--timeout) words= ;;
	--fallback)
		compopt -o default
		words=
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -F _tcp_connect_logger tcp-connect-logger
