#!/bin/sh
# Installs the Debian packages named as arguments. Nothing is done, and no network needed, if all are there.
set -eu

missing=
for package in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

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
