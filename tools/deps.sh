#!/bin/sh
# The Debian packages named as arguments: nothing is done, and no network needed, if all are there.
#
#     deps.sh install PACKAGE…      installs those that are missing (apt-get; root or sudo)
#     deps.sh check PACKAGE…        names those that are missing, and how to install them; exit status 1
#
# On a system without dpkg and apt-get `check` leaves it to the compiler to say what is missing.
set -eu

action=$1
shift

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    [ "$action" = install ] || exit 0
    printf '%s\n' 'This is no Debian: install the packages of the table in docs/building.md, then set NO_DEPS=1.' >&2
    exit 1
fi

missing=
for package in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$action" = check ]; then
    printf 'Packages are missing:%s\n`make deps` installs them and all that tests and checks need. Only these, as root:\n\n%s%s\n\n' \
        "$missing" '    apt-get update && apt-get install -y --no-install-recommends' "$missing" >&2
    exit 1
fi

if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
    as_root=sudo
else
    printf 'Packages are missing. As root, run:\n\n    apt-get update && apt-get install -y --no-install-recommends%s\n\n' \
        "$missing" >&2
    exit 1
fi

echo "Installing:$missing"
$as_root apt-get -q update
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing
