#!/bin/sh
# Checks or installs the Debian packages named as arguments. Does nothing, and needs no network, if all are installed.
#
#     deps.sh install PACKAGE…      installs missing packages (apt-get; root or sudo)
#     deps.sh check PACKAGE…        names missing packages and the command that installs them; exit status 1
#
# On a system without dpkg and apt-get, `check` succeeds: the compiler will report what is missing.
set -eu

action=$1
shift

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    [ "$action" = install ] || exit 0
    printf '%s\n' 'This system has no dpkg and apt-get: install the packages listed in docs/building.md, then run make with NO_DEPS=1.' >&2
    exit 1
fi

missing=
for package in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$action" = check ]; then
    printf 'Packages are missing:%s\n`make deps` installs them and all other packages that the targets need. To install only these, run as root:\n\n%s%s\n\n' \
        "$missing" '    apt-get update && apt-get install -y --no-install-recommends' "$missing" >&2
    exit 1
fi

if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
    as_root=sudo
else
    printf 'Packages are missing. To install them, run as root:\n\n    apt-get update && apt-get install -y --no-install-recommends%s\n\n' \
        "$missing" >&2
    exit 1
fi

echo "Installing:$missing"
$as_root apt-get -q update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing
