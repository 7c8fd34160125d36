#!/bin/bash
# Builds and tests the Debian packages.
#
#     deb.sh build OUT [VERSION]   builds libnginx-mod-http-scim and scimctl in OUT for the Debian it runs on, and runs
#                                  lintian if it is installed. VERSION instead of that of debian/changelog. Needs no root.
#     deb.sh test RELEASE …        for each release, such as bookworm: builds the packages in a Debian of debootstrap's
#                                  variant minbase, installs an older build of them in another one, provisions a user,
#                                  upgrades, removes and purges them. Needs root and debootstrap.
set -euo pipefail
unset MAKEFLAGS MFLAGS MAKELEVEL # set by a make that runs this script

repo=$(cd "$(dirname "$0")/.." && pwd)
. "$repo/tools/chroot.sh"

build() {
    local out source
    out=$(mkdir -p "$1" && cd "$1" && pwd)
    source=$out/source
    rm -rf "$source"
    rm -f "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
    if [ -e "$repo/.git" ]; then copy_source "$repo" "$source"; else cp -r "$repo" "$source"; fi
    if [ -n "${2:-}" ]; then sed -i "1s/([^)]*)/($2)/" "$source/debian/changelog"; fi
    (cd "$source" && DEB_BUILD_OPTIONS=parallel=${JOBS:-$(nproc)} dpkg-buildpackage --build=binary --no-sign)
    if command -v lintian >/dev/null; then lintian --fail-on=error,warning "$out"/*.changes; fi
    ls "$out"/*.deb
}

# steps: the commands of a test, in the Debian in which the packages are installed. $1 and $2 are the older and the newer ones.
installed='
    apt-get -q update
    apt-get -q install -y --no-install-recommends nginx curl ca-certificates
    apt-get -q install -y /packages/old/*.deb
    echo "--- provision with $(scimctl --version)"
    sh /provision
    pid=$(cat /run/nginx.pid)
    apt-get -q install -y /packages/new/*.deb
    echo "--- read after the upgrade"
    test "$(cat /run/nginx.pid)" != "$pid" # a binary upgrade, no reload
    sh /provision read
    apt-get -q remove -y libnginx-mod-http-scim scimctl
    test ! -e /usr/lib/nginx/modules/ngx_http_scim_module.so
    test -e /var/lib/nginx/scim/data.mdb
    rm /etc/nginx/conf.d/scim.conf
    nginx -t
    apt-get -q purge -y libnginx-mod-http-scim scimctl
    test -z "$(find /etc/nginx /usr/share/nginx-scim -name "*scim*" 2>/dev/null)"
    service nginx stop
'

test_release() {
    local release=$1 work=$repo/build/deb-test/$1 cache=$repo/build/matrix/packages root
    rm -rf --one-file-system "$work"
    root=$work/build
    debian_root "$release" "$root" "$cache"
    copy_source "$repo" "$root/root/nginx-scim"
    in_root "$root" 'apt-get -q update; cd ~/nginx-scim; DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install dpkg-dev lintian; DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends build-dep ./
        tools/deb.sh build /packages/old 0.0.1; tools/deb.sh build /packages/new'
    debian_root "$release" "$work/installed" "$cache"
    mkdir "$work/installed/packages"
    cp -r "$root/packages"/* "$work/installed/packages/"
    cp "$repo/debian/tests/provision" "$work/installed/provision"
    in_root "$work/installed" "$installed"
    echo "$release: built, installed, provisioned, upgraded, removed and purged"
}

case ${1:-} in
    build) build "$2" "${3:-}" ;;
    test)
        shift
        for release; do test_release "$release"; done
        ;;
    *)
        echo 'usage: deb.sh build OUT [VERSION] | test RELEASE …' >&2
        exit 2
        ;;
esac
