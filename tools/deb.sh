#!/bin/bash
# Builds and tests the Debian packages.
#
#     deb.sh build OUT [VERSION]   builds libnginx-mod-http-scim and scimctl in OUT for the Debian it runs on, and runs
#                                  lintian if it is installed. With VERSION, in OUT/new, and in OUT/old once more with
#                                  this version, from the same objects. Needs no root.
#     deb.sh test RELEASE …        for each release, such as bookworm: builds the packages in a Debian of debootstrap's
#                                  variant minbase, installs an older build of them in another one, provisions a user,
#                                  upgrades, removes and purges them. Needs root and debootstrap.
set -euo pipefail
unset MAKEFLAGS MFLAGS MAKELEVEL # set by a make that runs this script

repo=$(cd "$(dirname "$0")/.." && pwd)
. "$repo/tools/chroot.sh"

# package SOURCE VERSION: builds the packages in SOURCE/.. without cleaning SOURCE first
package() {
    sed -i "1s/([^)]*)/($2)/" "$1/debian/changelog"
    (
        cd "$1"
        rm -f debian/debhelper-build-stamp debian/*.debhelper.log
        dh_prep
        DEB_BUILD_OPTIONS=parallel=${JOBS:-$(nproc)} dpkg-buildpackage --build=binary --no-sign --no-pre-clean
    )
}

build() {
    local out source version older=${2:-}
    out=$(mkdir -p "$1" && cd "$1" && pwd)
    source=$out/source
    rm -rf "$source"
    rm -f "$out"/*.deb "$out"/*.changes "$out"/*.buildinfo
    if [ -e "$repo/.git" ]; then copy_source "$repo" "$source"; else cp -r "$repo" "$source"; fi
    version=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$source/debian/changelog")
    package "$source" "$version"
    if command -v lintian >/dev/null; then lintian --fail-on=error,warning "$out"/*.changes; fi
    ls "$out"/*.deb
    if [ -n "$older" ]; then
        mkdir -p "$out/new" "$out/old"
        mv "$out"/*.deb "$out/new/"
        package "$source" "$older"
        mv "$out"/*.deb "$out/old/"
    fi
}

# The commands of a test, in the Debian in which the packages are installed. The older build has a lower version and the same
# objects.
installed='
    # Without an init system, invoke-rc.d starts, reloads and upgrades nothing unless this file allows it.
    printf "#!/bin/sh\nexit 0\n" >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
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
    in_root "$root" 'apt-get -q update; cd ~/nginx-scim; export DEBIAN_FRONTEND=noninteractive
        apt-get -q -y --no-install-recommends install dpkg-dev lintian
        apt-get -q -y --no-install-recommends build-dep ./
        tools/deb.sh build /packages 0.0.1'
    debian_root "$release" "$work/installed" "$cache"
    mkdir "$work/installed/packages"
    cp -r "$root/packages"/{old,new} "$work/installed/packages/"
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
