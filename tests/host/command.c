// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * command - unit tests of the command's pure functions, with inputs that no guest has
 *
 * The program reports its results like a test in a guest, see tests/rig/rig.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cmd/environment.h"

static void report(bool ok, const char *format, const char *name)
{
	printf("%s - ", ok ? "ok" : "not ok");
	printf(format, name);
	puts(ok ? "" : ": see tests/host/command.c");
}

/* safe() turns every byte into printable ASCII from which the byte can be read back. */
static void test_safe(void)
{
	bool printable = true, reads_back = true;

	for (int byte = 1; byte < 256; byte++) {
		char bytes[] = { 'a', byte, 'z', '\0' }, *text = safe(bytes);
		unsigned int value = (unsigned char)text[1];

		for (const char *p = text; *p; p++)
			printable &= *p >= ' ' && *p <= '~';
		if (text[1] == '\\')
			sscanf(text + 1, "\\x%2x", &value);
		reads_back &= value == (unsigned int)byte && text[strlen(text) - 1] == 'z';
		free(text);
	}
	report(printable, "%s", "safe: every byte is printable ASCII");
	report(reads_back, "%s", "safe: every byte reads back");
}

static void test_directives(void)
{
	static const struct {
		bool is;
		const char *text;
	} files[] = {
		{ true, "blacklist tcp_connect_logger" },
		{ true, "blacklist tcp-connect-logger\n" },
		{ true, "# a comment\n\n \tblacklist\ttcp_connect-logger \n" },
		{ true, "options a b\nblacklist \\\n tcp_connect_logger\n" },
		{ false, "" },
		{ false, "blacklist" },
		{ false, "blacklist tcp_connect_logger2" },
		{ false, "#blacklist tcp_connect_logger" },
		{ false, "# blacklist tcp_connect_logger" },
		{ false, "install tcp_connect_logger /bin/true" },
		{ false, "options x \\\nblacklist tcp_connect_logger" },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char *name = safe(files[i].text);

		report(has_directive(files[i].text, "blacklist", MODULE) == files[i].is,
		       files[i].is ? "modprobe.d: blacklists it: %s" :
				     "modprobe.d: does not blacklist it: %s", name);
		free(name);
	}
}

static void test_command_line(void)
{
	report(word_in_list("quiet modprobe.blacklist=a," MODULE "\n", "modprobe.blacklist=", MODULE),
	       "%s", "command line: in a list");
	report(!word_in_list("quiet modprobe.blacklist=a module_blacklist=" MODULE,
			     "modprobe.blacklist=", MODULE),
	       "%s", "command line: in another list");
	report(!word_in_list("modprobe.blacklist=" MODULE "2", "modprobe.blacklist=", MODULE),
	       "%s", "command line: a longer name");
}

static void test_options(void)
{
	static const struct {
		const char *options, *value;
	} cases[] = {
		{ "rate_limit=70", "70" },
		{ "enabled=1 rate_limit=70 rate_limit=50", "50" },
		{ "rate_limit=", "" },
		{ "enabled=1", NULL },
		{ "my_rate_limit=3", NULL },
		{ NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *value = last_option(cases[i].options, "rate_limit=");

		report(cases[i].value ? value && !strcmp(value, cases[i].value) : !value,
		       "option: %s", cases[i].options ?: "none");
		free(value);
	}
}

static void test_keys(void)
{
	static const char keys[] =
		"06127612 I------     1 perm 0f0b0000     0     0 keyring   .blacklist: empty\n"
		"1a2b3c4d I------     1 perm 1f030000     0     0 asymmetri "
		"DKMS module signing key: 0102030405060708090a0b0c0d0e0f1011121314: "
		"X509.rsa 11121314 []\n"
		"2a2b3c4d I------     1 perm 1f030000     0     0 user      Mallory: aa\n";
	static const unsigned char certificate[] =
		"\x30\x82\x02\x10\x02\x05\x00\xc3\xff\x42\x07\x30\x0d"
		"\x06\x03\x55\x1d\x0e\x04\x16\x04\x14"
		"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14";
	char *id = subject_key_id(certificate, sizeof(certificate) - 1);

	report(id && !strcmp(id, "0102030405060708090a0b0c0d0e0f1011121314"), "%s",
	       "certificate: its key");
	report(!subject_key_id(certificate, sizeof(certificate) - 2), "%s",
	       "certificate: cut short");
	report(has_serial(certificate, sizeof(certificate) - 1, "C3:FF:42:07"), "%s",
	       "certificate: its serial number");
	report(!has_serial(certificate, sizeof(certificate) - 1, "C3:FF:42:08"), "%s",
	       "certificate: another serial number");
	report(!has_serial(certificate, sizeof(certificate) - 1, "C3:FF:4"), "%s",
	       "certificate: no serial number");
	report(known_key(keys, "DKMS module signing key", id), "%s", "key: is known");
	report(known_key(keys, "DKMS module signing key", NULL), "%s", "key: is known by name");
	report(!known_key(keys, "DKMS module signing key", "ff"), "%s",
	       "key: another one of that name");
	report(!known_key(keys, "Mallory", NULL), "%s", "key: not one for signatures");
	free(id);
}

int main(void)
{
	test_safe();
	test_directives();
	test_command_line();
	test_options();
	test_keys();
	return 0;
}
