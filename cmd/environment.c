// SPDX-License-Identifier: GPL-2.0
// Copyright (C) 2026 tcp-connect-logger maintainers
/*
 * Find out what prevents loading and unloading modules: a chroot or a container, kernel settings,
 * modprobe.d, and the signature of the module.
 */
#include <ctype.h>
#include <errno.h>
#include <libkmod.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "environment.h"

/* ---- Where we are ---- */

/*
 * The initial namespaces have these inode numbers (enum in include/linux/proc_ns.h). No other
 * namespace has them.
 */
#define FIRST_USER_NAMESPACE	0xeffffffd
#define FIRST_PID_NAMESPACE	0xeffffffc

static bool in_first(const char *namespace, ino_t first)
{
	struct stat info;

	if (!stat(namespace, &info))
		return info.st_ino == first;
	/* The kernel may be built without this type of namespace. */
	return errno == ENOENT && is_there("/proc/self/ns/mnt") == 1;
}

/**
 * in_chroot_or_container() - find out whether this process runs in a chroot or in a container
 *
 * This relies on what the kernel shows, not on files that an image or a container manager may
 * contain or leave behind. If something cannot be read, this is taken for a container: a process
 * that may load modules on the host can read all of it.
 *
 * Return: true in a chroot and in a container, even in a privileged one.
 */
bool in_chroot_or_container(void)
{
	struct stat ours, root_of_init;
	struct statvfs sysfs;

	/* A container has its own init. */
	if (!in_first("/proc/self/ns/pid", FIRST_PID_NAMESPACE))
		return true;
	/* A container may have its own users. */
	if (!in_first("/proc/self/ns/user", FIRST_USER_NAMESPACE))
		return true;
	/* The root directory may differ from the one of the host's init. */
	if (stat("/", &ours) || stat("/proc/1/root", &root_of_init) ||
	    ours.st_dev != root_of_init.st_dev || ours.st_ino != root_of_init.st_ino)
		return true;
	return statvfs("/sys", &sysfs) || sysfs.f_flag & ST_RDONLY;
}

/**
 * may_use_modules() - find out whether this process has CAP_SYS_MODULE
 *
 * Return: true if it has the capability.
 */
bool may_use_modules(void)
{
	char *text = read_text("/proc/self/status"), *line;
	unsigned long long capabilities = 0;

	line = text ? strstr(text, "\nCapEff:") : NULL;
	if (line)
		capabilities = strtoull(line + strlen("\nCapEff:"), NULL, 16);
	free(text);
	return capabilities & 1 << 16;	/* CAP_SYS_MODULE */
}

/* ---- Settings of the kernel ---- */

/**
 * modules_are_disabled() - find out whether kernel.modules_disabled is set
 *
 * Return: true if no module can be loaded or removed until the next boot.
 */
bool modules_are_disabled(void)
{
	int error;

	return setting_read("/proc/sys/kernel/modules_disabled", &error) == IS_ON;
}

/* Returns the lockdown mode, "integrity" or "confidentiality", or NULL. The caller frees it. */
static char *lockdown_mode(void)
{
	char *text = read_text("/sys/kernel/security/lockdown"), *start, *end, *mode = NULL;

	start = text ? strchr(text, '[') : NULL;
	end = start ? strchr(start, ']') : NULL;
	if (end) {
		*end = '\0';
		if (strcmp(start + 1, "none"))
			mode = copy_text(start + 1);
	}
	free(text);
	return mode;
}

/* ---- modprobe.d ---- */

/**
 * has_directive() - look for a directive for a module in a file of modprobe.d
 * @text: content of the file
 * @directive: "blacklist" or "install"
 * @module: name of the module, with underscores
 *
 * As in libkmod, a line continues after a backslash, and a name may have "-" instead of "_".
 *
 * Return: true if the file has this directive.
 */
bool has_directive(const char *text, const char *directive, const char *module)
{
	char *copy = copy_text(text), *rest, *line;
	bool found = false;

	for (char *p = copy; (p = strstr(p, "\\\n")); )
		memset(p, ' ', 2);
	rest = copy;
	while (!found && (line = strsep(&rest, "\n"))) {
		char *word = strtok(line, " \t"), *name = strtok(NULL, " \t");

		if (!word || !name || strcmp(word, directive))
			continue;
		for (char *p = name; *p; p++)
			if (*p == '-')
				*p = '_';
		found = !strcmp(name, module);
	}
	free(copy);
	return found;
}

/**
 * word_in_list() - look for a word in a list on the kernel's command line
 * @text: the command line
 * @parameter: name of the parameter that has the list, with "="
 * @word: the word
 *
 * Return: true if the list contains the word.
 */
bool word_in_list(const char *text, const char *parameter, const char *word)
{
	char *copy = copy_text(text), *rest = copy, *one, *list;
	bool found = false;

	while ((one = strsep(&rest, "\n "))) {
		if (strncmp(one, parameter, strlen(parameter)))
			continue;
		list = one + strlen(parameter);
		while ((one = strsep(&list, ",")))
			found |= !strcmp(one, word);
	}
	free(copy);
	return found;
}

static bool on_command_line(const char *parameter)
{
	char *text = read_text("/proc/cmdline");
	bool found = text && word_in_list(text, parameter, MODULE);

	free(text);
	return found;
}

/* Find the file in modprobe.d with this directive for our module. libkmod does not report it. */
static char *file_with(const char *directive)
{
	static const char * const places[] = {
		"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d",
		"/usr/lib/modprobe.d", "/lib/modprobe.d",
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct names files = list_directory(places[i]);
		char *found = NULL;

		for (size_t j = 0; j < files.count && !found; j++) {
			char *text = read_text("%s/%s", places[i], files.name[j]);

			if (text && has_directive(text, directive, MODULE))
				found = format_text("%s/%s", places[i], files.name[j]);
			free(text);
		}
		names_free(&files);
		if (found)
			return found;
	}
	return copy_text("modprobe.d");
}

/* Returns our module's value in libkmod's configuration, or NULL. The caller frees it. */
static char *configured(struct kmod_config_iter *iter)
{
	char *value = NULL;

	while (!value && iter && kmod_config_iter_next(iter)) {
		const char *key = kmod_config_iter_get_key(iter);

		if (!strcmp(key, MODULE))
			value = copy_text(kmod_config_iter_get_value(iter) ?: "");
	}
	if (iter)
		kmod_config_iter_free_iter(iter);
	return value;
}

/**
 * modprobe_refuses() - find out whether the administrator forbids loading the module
 * @context: libkmod, with the configuration in modprobe.d
 *
 * An install line has a command that modprobe runs instead of loading the module. The command may
 * do anything, so it is unknown whether it would load the module.
 *
 * Return: the reason, or NULL if loading is allowed. The caller frees it.
 */
char *modprobe_refuses(struct kmod_ctx *context)
{
	char *command = configured(kmod_config_get_install_commands(context));
	char *forbidden, *file, *reason;

	if (command) {
		file = file_with("install");
		reason = format_text("%s has the line \"install " MODULE " %s\"", file, command);
	} else {
		forbidden = configured(kmod_config_get_blacklists(context));
		if (!forbidden)
			return NULL;
		free(forbidden);
		if (on_command_line("modprobe.blacklist="))
			return copy_text("the kernel's command line has modprobe.blacklist="
					 MODULE);
		file = file_with("blacklist");
		reason = format_text("%s has the line \"blacklist " MODULE "\"", file);
	}
	free(command);
	free(file);
	return reason;
}

/**
 * last_option() - find the value of an option of the module
 * @options: the options, as modprobe gives them to the kernel
 * @name: name of the option, with "="
 *
 * Return: the last value, which is the effective one, or NULL. The caller frees it.
 */
char *last_option(const char *options, const char *name)
{
	char *copy = copy_text(options ?: ""), *rest = copy, *one, *value = NULL;

	while ((one = strsep(&rest, " \t"))) {
		if (strncmp(one, name, strlen(name)))
			continue;
		free(value);
		value = copy_text(one + strlen(name));
	}
	free(copy);
	return value;
}

/* ---- Keys ---- */

/**
 * known_key() - look for a key in the kernel's list of keys
 * @keys: content of /proc/keys
 * @signer: name of the signer in the certificate
 * @id: the certificate's subject key identifier in hexadecimal, or NULL if it is not known
 *
 * The description of an X.509 key ends in "SUBJECT: ID: X509.rsa ..." (x509_key_preparse() in
 * crypto/asymmetric_keys).
 *
 * Return: true if the list contains the key.
 */
bool known_key(const char *keys, const char *signer, const char *id)
{
	char *copy = copy_text(keys), *rest = copy, *line, *wanted;
	bool found = false;

	wanted = format_text("%s: %s", signer, id ?: "");
	while (!found && (line = strsep(&rest, "\n")))
		found = strstr(line, " asymmetri ") && strstr(line, wanted);
	free(wanted);
	free(copy);
	return found;
}

/**
 * subject_key_id() - get the subject key identifier of a certificate
 * @certificate: the certificate, in DER
 * @size: its size
 *
 * Return: the identifier in hexadecimal, or NULL if the certificate has no identifier of 20 bytes.
 * The caller frees it.
 */
char *subject_key_id(const unsigned char *certificate, size_t size)
{
	/* OID 2.5.29.14, then an octet string that contains an octet string of 20 bytes */
	static const unsigned char before[] = {
		0x06, 0x03, 0x55, 0x1d, 0x0e, 0x04, 0x16, 0x04, 0x14,
	};
	const unsigned char *found = memmem(certificate, size, before, sizeof(before));
	char text[41];

	if (!found || size - (found - certificate) < sizeof(before) + 20)
		return NULL;
	for (int i = 0; i < 20; i++)
		sprintf(text + 2 * i, "%02x", found[sizeof(before) + i]);
	return copy_text(text);
}

/**
 * has_serial() - find out whether a certificate has a serial number
 * @certificate: the certificate, in DER
 * @size: its size
 * @serial: the number in hexadecimal, as libkmod writes it: AA:BB:CC
 *
 * Return: true if the certificate has this serial number.
 */
bool has_serial(const unsigned char *certificate, size_t size, const char *serial)
{
	unsigned char bytes[64];
	size_t length = 0;

	for (const char *p = serial; *p && length < sizeof(bytes); p += *p == ':') {
		char digits[3] = { p[0], p[1] };

		if (!isxdigit(p[0]) || !isxdigit(p[1]))
			return false;
		bytes[length++] = strtoul(digits, NULL, 16);
		p += 2;
	}
	return length >= 4 && memmem(certificate, size, bytes, length);
}

static unsigned char *read_certificate(const char *path, size_t *size)
{
	unsigned char *bytes = malloc(65536);
	FILE *file = fopen(path, "re");

	*size = bytes && file ? fread(bytes, 1, 65536, file) : 0;
	if (file)
		fclose(file);
	return bytes;
}

/*
 * Returns the path of DKMS's certificate from a configuration file, or NULL; see dkms(8). The
 * caller frees it.
 */
static char *dkms_certificate(const char *path)
{
	char *text = read_text("%s", path), *rest = text, *line, *certificate = NULL;

	while (text && (line = strsep(&rest, "\n"))) {
		if (strncmp(line, "mok_certificate=", strlen("mok_certificate=")))
			continue;
		line += strlen("mok_certificate=");
		line += strspn(line, "\"'");
		line[strcspn(line, "\"' \t")] = '\0';
		free(certificate);
		certificate = copy_text(line);
	}
	free(text);
	return certificate;
}

/*
 * Look for the certificate of the module's signer on this machine. Returns its path, or NULL, and
 * stores the identifier of its key in @id. The caller frees both.
 */
static char *find_certificate(const struct installed *installed, char **id)
{
	char *candidates[8] = { }, *found = NULL;
	struct names more = list_directory("/etc/dkms/framework.conf.d");
	size_t count = 0;

	candidates[count++] = dkms_certificate("/etc/dkms/framework.conf");
	for (size_t i = 0; i < more.count && count < 6; i++) {
		char *path = format_text("/etc/dkms/framework.conf.d/%s", more.name[i]);

		candidates[count++] = dkms_certificate(path);
		free(path);
	}
	names_free(&more);
	candidates[count++] = copy_text("/var/lib/dkms/mok.pub");
	candidates[count++] = copy_text("/var/lib/shim-signed/mok/MOK.der");	/* Ubuntu */

	*id = NULL;
	for (size_t i = 0; i < count; i++) {
		unsigned char *bytes;
		size_t size;

		if (found || !candidates[i]) {
			free(candidates[i]);
			continue;
		}
		bytes = read_certificate(candidates[i], &size);
		if (installed->key && has_serial(bytes, size, installed->key)) {
			found = candidates[i];
			*id = subject_key_id(bytes, size);
		} else {
			free(candidates[i]);
		}
		free(bytes);
	}
	return found;
}

/* Explain why @who refuses the module's signature, and store advice for the user in @advice. */
static char *why_signature_refused(const struct installed *installed, const char *who,
				   char **advice)
{
	const char *path = installed->path, *signer = installed->signer;
	char *keys, *id, *certificate, *why = NULL;

	if (!signer)
		return format_text("%s refuses %s, which is not signed", who, path);

	certificate = find_certificate(installed, &id);
	keys = read_text("/proc/keys");
	if (keys && known_key(keys, signer, id)) {
		set_text(&why,
			 "%s refuses %s, although the kernel knows the key \"%s\", which signed it: the file may have been changed",
			 who, path, signer);
	} else {
		set_text(&why,
			 "%s refuses %s, because the kernel does not know the key \"%s\", which signed it",
			 who, path, signer);
		if (is_there("/sys/firmware/efi") == 0) {
			set_text(advice,
				 "No key can be enrolled on this machine, because it has not booted with UEFI.");
		} else if (certificate) {
			set_text(advice,
				 "Enrol the key with mokutil --import %s, reboot, and confirm it there.",
				 certificate);
		} else {
			set_text(advice,
				 "Enrol its certificate with mokutil --import; it is not where DKMS keeps its own.");
		}
	}
	free(keys);
	free(certificate);
	free(id);
	return why;
}

static bool signatures_are_enforced(void)
{
	char *text = read_text("/sys/module/module/parameters/sig_enforce");
	bool enforced = text && *text == 'Y';

	free(text);
	return enforced;
}

/**
 * why_kernel_refused() - explain an error from the kernel
 * @installed: the module that the kernel refused to load
 * @error: the error, a positive errno
 * @advice: where to store advice for the user, or NULL if there is none; the caller frees it
 *
 * Return: the explanation, as a part of a sentence. The caller frees it.
 */
char *why_kernel_refused(const struct installed *installed, int error, char **advice)
{
	char *mode, *who, *why = NULL;

	*advice = NULL;
	switch (error) {
	case EPERM:
		if (modules_are_disabled()) {
			set_text(&why,
				 "kernel.modules_disabled is 1: no module can be loaded or removed until the next boot");
			return why;
		}
		if (on_command_line("module_blacklist="))
			return copy_text("the kernel's command line has module_blacklist=" MODULE);
		mode = lockdown_mode();
		if (!mode)
			break;
		who = format_text("lockdown (%s)", mode);
		why = why_signature_refused(installed, who, advice);
		free(who);
		free(mode);
		return why;
	case EKEYREJECTED:
	case EKEYEXPIRED:
	case EKEYREVOKED:
	case ENOKEY:
	case ENOPKG:
	case EBADMSG:
		return why_signature_refused(installed, signatures_are_enforced() ?
					     "signature enforcement (module.sig_enforce)" :
					     "the kernel", advice);
	default:
		break;
	}
	*advice = copy_text("The reason may be in: journalctl -k -g " MODULE);
	return copy_text(strerror(error));
}
