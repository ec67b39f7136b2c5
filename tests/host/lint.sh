#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copyright (C) 2026 tcp-connect-logger maintainers
#
# lint.sh DIR LINUX DIST - the packages: lintian and rpmlint, reproducible builds, the same files
# in both; the signed repositories, with apt
#
# DIR is for its files; DIST contains the packages.
#
# where: host

set -u
dir=$1 dist=$3
version=$(sed 's/.*(\([^-]*\)-.*/\1/;q' debian/changelog)
deb=$(echo "$dist"/*-dkms_*.deb) tools_deb=$(echo "$dist"/tcp-connect-logger_*.deb)
rpm=$(echo "$dist"/*.noarch.rpm) tools_rpm=$(echo "$dist"/*.x86_64.rpm) srpm=$(echo "$dist"/*.src.rpm)

# shellcheck source=tests/rig/lib.sh
. tests/rig/lib.sh

# sums DIST: print checksums of the packages, which must be the same in every build
sums() {
	(cd "$1" && sha256sum ./*.deb ./*.rpm)
}

# elsewhere TREE: build the packages in a copy of this tree, with the settings of another user on
# another machine
elsewhere() {
	mkdir -p "$1"
	tar --exclude=./.git --exclude=./build --exclude=./dist -c . | tar -C "$1" -x
	chmod -R go= "$1"
	find "$1" -exec touch {} +
	(umask 077 && cd "$1" && TZ=Asia/Tokyo LC_ALL=C.UTF-8 make -s deb rpm) >"$1.log" 2>&1
	sums "$1/dist"
}

# rebuilt SRPM: rebuild the packages as a distribution would, and print their files
rebuilt() {
	rpmbuild --rebuild --nodeps --define "_topdir $dir/rebuilt" "$1" >"$dir/rebuilt.log" 2>&1
	echo "$dir"/rebuilt/RPMS/*/*.rpm
}

# described RPM...: print the files, dependencies and scripts of the packages
described() {
	rpm -qp --scripts --requires --provides --changelog --qf "$(printf %s \
		'[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME}' \
		' %{FILEFLAGS:fflags} %{FILEDIGESTS}\n]%{NEVRA}\n%{LICENSE}\n%{DESCRIPTION}\n')" "$@"
}

# files_of_deb and files_of_rpm list the files that a package installs. They leave out documents,
# which .deb and .rpm install in different places, and the contents of programs, which they build
# with different options, and of the man page of the command, which names directories.
files_of_deb() {
	mkdir "$dir/deb"
	dpkg-deb -x "$1" "$dir/deb"
	(cd "$dir/deb" && find . \( -type l -printf '%M /%P \n' \) -o \
		\( -type f -printf '%M /%P ' -exec sha256sum {} \; \)) |
		sed 's/ \([^ ]*\)  .*/ \1/' | comparable
	rm -r "$dir/deb"
}

files_of_rpm() {
	rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES} %{FILEDIGESTS}\n]' "$1" | grep -v ^d | comparable
}

comparable() {
	grep -v -e /usr/share/doc/ -e /usr/share/licenses/ -e /usr/share/lintian/ -e /.build-id/ |
		sed 's! /lib/! /usr/lib/!; s!\(sbin/tcp-connect-logger\|man8/[^ ]*\) .*!\1!; s!zsh/vendor-completions!zsh/site-functions!' | sort
}

# linted CHANGES: print what lintian reports. Nobody has asked Debian for this package, so there is no
# bug to close. Whoever uploads it must see this tag, so the package does not override it. The other
# tags depend on the age of lintian: `policy` checks the packages with the newest one, which knows
# the Standards-Version, does not ask for an init script any more, and uses all overrides.
linted() {
	lintian -EI --pedantic --allow-root --fail-on none --suppress-tags "$(printf %s \
		initial-upload-closes-no-bugs,newer-standards-version \
		,package-supports-alternative-init-but-no-init.d-script)" "$1" 2>&1 |
		grep -v -e ' unused-override ' -e '^N: [0-9]* hints overridden;'
}

scriptlets() {
	for scriptlet in PREIN POSTIN PREUN; do
		rpm -qp --qf "%{$scriptlet}" "$rpm" >"$dir/$scriptlet"
	done
	shellcheck --shell=sh "$dir/PREIN" "$dir/POSTIN" "$dir/PREUN"
}

reports_nothing lintian linted "${deb%/*}"/*.changes

for file in changes buildinfo; do
	succeeds "make deb writes a .$file file" test -s "$(echo "${deb%/*}"/*.$file)"
done
equals "a second build makes identical packages" "$(sums "$dist")" "$(elsewhere "$dir/elsewhere")"

reports_nothing "shellcheck of the scriptlets" scriptlets
matches "rpmlint reports nothing" "* 3 packages and * 0 errors, 0 warnings, *" \
	"$(rpmlint -c rpm/rpmlint.toml "$rpm" "$tools_rpm" "$srpm" 2>&1)"
# shellcheck disable=SC2046 # words
equals "rebuilding the .src.rpm gives the same packages" "$(described "$rpm" "$tools_rpm")" \
	"$(described $(rebuilt "$srpm"))"
equals "the module's .deb and .rpm install the same files" "$(files_of_deb "$deb")" "$(files_of_rpm "$rpm")"
equals "the command's .deb and .rpm install the same files" \
	"$(files_of_deb "$tools_deb")" "$(files_of_rpm "$tools_rpm")"
equals "the .rpm has one configuration file" /etc/modprobe.d/tcp-connect-logger.conf \
	"$(rpm -qp --qf '[%{FILENAMES} %{FILEFLAGS:fflags}\n]' "$rpm" | sed -n 's/ cn$//p')"
equals "the .rpm has these dependencies" "dkms >= 2.8.4
kmod
tcp-connect-logger >= $version-1
udev" "$(rpm -qp --requires "$rpm" | grep -v -e '^/bin/sh$' -e '^rpmlib(' -e '^config(' | sort -u)"
equals "the .deb needs the same version of DKMS" "dkms (>= 2.8.4)" \
	"$(dpkg-deb -f "$deb" Depends | grep -o 'dkms (>= [^)]*)' | head -n 1)"
equals "the .rpm's architecture" noarch "$(rpm -qp --qf '%{ARCH}' "$rpm")"
equals "the .rpm's changelog begins with the newest entry of the .deb's" \
	"* $(LC_ALL=C date -u -d "$(dpkg-parsechangelog -SDate)" '+%a %b %d %Y') $(dpkg-parsechangelog -SMaintainer) - $version-1" \
	"$(rpm -qp --changelog "$rpm" | head -n 1)"

# signed SIGNATURE FILE: check that the signature of the file is from the key of its repository, and
# does not fit a changed file
signed() {
	name=${2#"$dist/"}
	gpg --dearmor <"$dist/${name%%/*}/tcp-connect-logger.asc" >"$dir/key"
	succeeds "$name is signed" gpgv --keyring "$dir/key" "$1" "$2"
	sed '1s/^/ /' "$2" >"$dir/changed"
	fails "the signature does not fit a changed $name" gpgv --keyring "$dir/key" "$1" "$dir/changed"
}
signed "$dist/apt/Release.gpg" "$dist/apt/Release"
signed "$dist/rpm/repodata/repomd.xml.asc" "$dist/rpm/repodata/repomd.xml"
# digests FILE...
digests() {
	sha256sum "$@" | cut -d ' ' -f 1 | sort
}
sources() {
	echo "$dist"/*.dsc "$dist"/*.orig.tar.gz "$dist"/*.debian.tar.xz
}
# shellcheck disable=SC2046 # words
equals "the repositories contain the packages and their source" "Packages: $(digests "$deb" "$tools_deb")
Sources: $(digests $(sources))
rpm: $(digests "$dist"/rpm/*.rpm)" "Packages: $(sed -n 's/^SHA256: //p' "$dist/apt/Packages" | sort)
Sources: $(sed -n '/^Checksums-Sha256:/,/^[^ ]*:$/s/^ \([^ ]*\) .*/\1/p' "$dist/apt/Sources" | sort)
rpm: $(gzip -dc "$dist"/rpm/repodata/*-primary.xml.gz | sed -n 's!.*type="sha256" pkgid="YES">\(.*\)</.*!\1!p' | sort)"
mkdir "$dir/rpmdb"
rpmkeys="rpmkeys --dbpath $dir/rpmdb"
# shellcheck disable=SC2086 # a command and its arguments
{
	fails "the repository's .rpm: rpmkeys rejects an unknown key" $rpmkeys -K "$dist"/rpm/*.rpm
	$rpmkeys --import "$dist/rpm/tcp-connect-logger.asc"
	succeeds "the repository's .rpm: rpmkeys accepts the repository's key" $rpmkeys -K "$dist"/rpm/*.rpm
}
matches "the repository's .rpm: the signature is valid" "*: digests signatures OK" "$output"

# Make the caller's key in a directory whose path is short enough for gpg's agent.
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-generate-key caller@example.org rsa3072 sign never
mkdir "$dir/dist"
for file in "$dist"/tcp-connect-logger*; do
	cp "$file" "$dir/dist"
	cp "$file" "$dir/dist/$(basename "$file" | sed "s/$version/0.0.9/")"
done
succeeds "make-repo makes repositories with the caller's key" \
	packaging/make-repo "$dir/dist" "$version-1" -1 caller@example.org
equals "make-repo publishes this version and its source, and no other file" "\
apt/tcp-connect-logger-dkms_$version-1_all.deb
apt/tcp-connect-logger.asc
apt/tcp-connect-logger_$version-1.debian.tar.xz
apt/tcp-connect-logger_$version-1.dsc
apt/tcp-connect-logger_$version-1_amd64.deb
apt/tcp-connect-logger_$version.orig.tar.gz
rpm/tcp-connect-logger-$version-1.src.rpm
rpm/tcp-connect-logger-$version-1.x86_64.rpm
rpm/tcp-connect-logger-dkms-$version-1.noarch.rpm
rpm/tcp-connect-logger.asc" "$(cd "$dir/dist" && find apt rpm -name 'tcp-connect-logger*' | sort)"
gpg --dearmor <"$dir/dist/apt/tcp-connect-logger.asc" >"$dir/key"
matches "make-repo signs with the caller's key" "*Good signature from \"caller@example.org\"*" \
	"$(gpgv --keyring "$dir/key" "$dir/dist/apt/InRelease" 2>&1)"
mkdir "$dir/binaries"
cp "$dist"/*.deb "$rpm" "$tools_rpm" "$dir/binaries"
fails "make-repo does not publish binaries without their source" \
	packaging/make-repo "$dir/binaries" "$version-1" 90 caller@example.org
matches "make-repo says what is missing" "*/tcp-connect-logger_$version-1.dsc': No such file*" "$output"
gpgconf --kill all
rm -rf "$GNUPGHOME"

field() {
	sed -n "s/^$1: //p" "$dist/apt/Release"
}
equals "Release has these fields" "Acquire-By-Hash: yes
Architectures: all amd64
Codename: tcp-connect-logger
Date: $(field Date)
Label: tcp-connect-logger
Origin: tcp-connect-logger
Suite: tcp-connect-logger
Valid-Until: $(field Valid-Until)" "$(sed '/^SHA256:$/,$d' "$dist/apt/Release")"
equals "Release is valid for 90 days" $((90 * 24 * 60 * 60)) \
	$(($(date -d "$(field Valid-Until)" +%s) - $(date -d "$(field Date)" +%s)))

# A web server on a free port, for apt
mkdir "$dir/www"
python3 -u -m http.server --bind 127.0.0.1 --directory "$dir/www" 0 >"$dir/www.log" 2>&1 &
server=$!
trap 'kill $server' EXIT
succeeds "a web server starts" wait_until 60 grep -q "^Serving HTTP" "$dir/www.log"

# serve REPOSITORY: from now on, apt_with uses this one, with the file that README.md shows
serve() {
	rm -rf "$dir/apt"
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/archives/partial"
	ln -sfn "$1" "$dir/www/apt"
	sed -n '/^Types:/,/^Signed-By:/p' README.md | sed -e "s!/etc/apt/keyrings!$1!" \
		-e "s!https://SERVER!$(sed -n 's/^Serving.*(\(.*\)\/).*/\1/p' "$dir/www.log")!" \
		>"$dir/apt/tcp-connect-logger.sources"
}

# apt_with ARGUMENT...: run apt-get with only the repository that is served, and with apt's own
# defaults for what this machine may have configured
apt_with() {
	apt-get -q -o Dir::State="$dir/apt" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/apt" \
		-o Dir::Etc::SourceList="$dir/apt/tcp-connect-logger.sources" \
		-o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root \
		-o Acquire::http::Proxy::127.0.0.1=DIRECT -o Acquire::Check-Date=true \
		-o Acquire::Check-Valid-Until=true "$@"
}

serve "$dist/apt"
succeeds "apt reads the repository" apt_with update
equals "apt fetches the indexes by their hash" "/apt/./InRelease
$(cd "$dist/apt" && digests Packages.gz Sources.gz | sed 's!^!/apt/./by-hash/SHA256/!')" \
	"$(sed -n 's/.*"GET \([^ ]*\) .*" 200 -$/\1/p' "$dir/www.log" | LC_ALL=C sort)"
mkdir "$dir/fetched"
cd "$dir/fetched" || exit
succeeds "apt downloads the packages" apt_with download tcp-connect-logger tcp-connect-logger-dkms
# shellcheck disable=SC2046 # words
equals "these are the packages" "$(digests "$deb" "$tools_deb")" "$(digests ./*.deb)"
succeeds "apt downloads and unpacks the source" apt_with source tcp-connect-logger
cd "$OLDPWD" || exit
tar -C "$dir" -xzf "$dist/tcp-connect-logger-$version.tar.gz"
reports_nothing "diff of this source and the release" \
	diff -r --exclude=.pc "$dir/tcp-connect-logger-$version" "$dir/fetched/tcp-connect-logger-$version"

serve "$dir/dist/apt"
fails "apt refuses the repository after its time" apt_with update
matches "apt says why" "*
E: Release file for http://127.0.0.1:*/apt/./InRelease is expired (invalid since 1d *). Updates for this repository will not be applied.*" \
	"
$output"
succeeds "apt has no other reason to refuse it" apt_with -o Acquire::Check-Valid-Until=false update

# The figures of Linux 6.12: off, the trace event, a record, one with who made it, a line
equals "README.md has the same figures as docs/cost.md" \
	"$(awk -F ' *[|] *' '$2 == "6.12" && !off { off = $3; line = $4; event = $6; next }
		$2 == "6.12" {
			split($4, lean, ", ")
			split($6, rich, ", ")
			print off, event, lean[1], rich[1], line
		}' docs/cost.md)" \
	"$(sed -n '/^## What it costs/,/^!/s/^| [a-z].* | \([0-9,]*\).*|$/\1/p' README.md | paste -sd ' ')"

mkdir -p "$dir/epoch/debian"
cp Makefile "$dir/epoch"
sed '1s/(/(1:/' debian/changelog >"$dir/epoch/debian/changelog"
exits "a version with an epoch" 2 make -C "$dir/epoch" help
matches "a version with an epoch: the message says what to do" \
	"*debian/changelog: version 1:$version has an epoch; DKMS uses the version as a path, so remove everything up to the colon*" "$output"

equals "only one file contains the version" debian/changelog \
	"$(grep -rlF "$version" --exclude-dir=.git --exclude-dir=build --exclude-dir=dist . | sed 's/^..//')"
echo end
