#!/bin/bash
# Builds the module with the nginx of several Debian releases, linked in each way, and tests each build.
#
#     matrix.sh short      two builds with Debian 12's nginx, one with unstable's: what CI runs
#     matrix.sh bare       `make run` and `make test` on a bare Debian 13 (root, debootstrap)
#     matrix.sh full       every build, and `bare`
#     matrix.sh RELEASE dynamic|static [FLAG]      one build, with FLAG on nginx's configure line
#
# nginx's sources come from Debian's archive by apt-get, with lists and state of their own: the machine's are not touched.
# The archive's address is that of the machine's own sources. Everything is in build/matrix; a source that is there already
# is not fetched again. A release whose source cannot be had is skipped, and the table says so. The logs of a build are in
# build/matrix/RELEASE/BUILD/.
#
# The objects of src/scim, src/store and src/service do not depend on nginx: all builds but the first take those of
# build/obj, which `make scimctl` has made. The first, Debian 12's plain dynamic one, compiles all of them with nginx's flags.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
work=$repo/build/matrix
jobs=${JOBS:-$(nproc)}

# A user's life, error pages, filters, groups, HTTP/2, SSI, reload, PATCH.
smoke='t/020-users.t t/025-errors.t t/026-filters.t t/032-groups.t t/051-tls-http2.t t/052-ssi.t t/061-reload.t
       t/081-complaints.t'

rows=()
failed=0

say() { printf '%s\n' "$*" >&2; }

# row RELEASE VERSION LINKING FLAG BUILT LOADED TESTS: one line of the table
row() {
    rows+=("$(printf '| %-8s | %-7s | %-7s | %-13s | %-7s | %-6s | %s' "$@")")
    say "${rows[-1]}"
}

# The address of Debian's archive in the machine's own sources.
archive() {
    apt-get indextargets --format '$(LABEL) $(SITE)' 'Created-By: Packages' | sed -n '/^Debian /{s///p;q}'
}

# fetch RELEASE: nginx's source as RELEASE/nginx_VERSION.orig.tar.gz; false if the archive does not have it
fetch() {
    local dir=$work/$1 apt=$work/$1/apt
    if compgen -G "$dir/nginx_*.orig.tar.gz" >/dev/null; then return; fi
    mkdir -p "$apt"/{lists,cache/archives}/partial "$apt/parts"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(archive) $1 main" >"$apt/sources.list"
    (
        cd "$dir"
        set -- -qq -o "Dir::Etc::SourceList=$apt/sources.list" -o "Dir::Etc::SourceParts=$apt/parts" -o "Dir::State=$apt" \
            -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root
        apt-get "$@" update && apt-get "$@" --tar-only --download-only source nginx
    ) >"$dir/fetch.log" 2>&1
}

# build DIR SOURCE LINKING FLAG: DIR/objs/nginx and, if LINKING is "dynamic", DIR/objs/ngx_http_scim_module.so
build() {
    local dir=$1 source=$2 add=--add-module
    if [ "$3" = dynamic ]; then add=--add-dynamic-module; fi
    rm -rf "$dir"
    mkdir -p "$dir"
    (
        cd "$source"
        if [ -d /usr/lib/ccache ]; then export PATH=/usr/lib/ccache:$PATH CCACHE_NOHASHDIR=1; fi
        ./configure --prefix="$dir" --builddir="$dir/objs" --with-threads --with-http_ssl_module --with-http_v2_module \
            --with-http_auth_request_module $4 $add="$repo" || exit 1
        if [ "$dir" != "$work/bookworm/dynamic" ]; then
            for part in scim store service; do cp "$repo/build/obj/$part"/*.o "$dir/objs/addon/$part/" || exit 1; done
        fi
        make -s -j"$jobs" -f "$dir/objs/Makefile" binary modules
    ) >"$dir/build.log" 2>&1
}

# environment DIR LINKING: what the tests of this build are told
environment() {
    echo TEST_NGINX_BINARY="$1/objs/nginx" TEST_SCIMCTL="$repo/build/scimctl" TEST_POKE="$repo/build/poke" \
        TEST_FAULTS="$repo/build/faults.so" TEST_ALLOCATIONS="$repo/build/allocations.so"
    if [ "$2" = dynamic ]; then echo TEST_NGINX_MODULE="$1/objs/ngx_http_scim_module.so"; fi
}

# loads DIR LINKING: `nginx -t` accepts a location of the module
loads() {
    local dir=$1
    mkdir -p "$dir/logs"
    {
        if [ "$2" = dynamic ]; then echo "load_module $dir/objs/ngx_http_scim_module.so;"; fi
        echo "events {} http { scim_store main $dir/store; server { location /scim/v2 { scim main; } } }"
    } >"$dir/load.conf"
    "$dir/objs/nginx" -t -p "$dir" -c "$dir/load.conf" >"$dir/load.log" 2>&1
}

# leg RELEASE LINKING [FLAG]: one build and its tests
leg() {
    local release=$1 linking=$2 flag=${3:-} tarball source dir version
    dir=$work/$release/$linking$flag
    if ! fetch "$release"; then
        row "$release" '-' "$linking" "$flag" skipped '-' "not to be had: $(grep -m 1 '^E:' "$work/$release/fetch.log")"
        return
    fi
    tarball=$(echo "$work/$release"/nginx_*.orig.tar.gz)
    version=${tarball##*/nginx_}
    version=${version%.orig.tar.gz}
    source=$work/$release/source
    if [ ! -d "$source" ]; then mkdir "$source" && tar -xf "$tarball" -C "$source" --strip-components=1; fi
    if ! build "$dir" "$source" "$linking" "$flag"; then
        tail -n 20 "$dir/build.log" >&2
        failed=1
        row "$release" "$version" "$linking" "$flag" FAILED '-' '-'
    elif ! loads "$dir" "$linking"; then
        cat "$dir/load.log" >&2
        failed=1
        row "$release" "$version" "$linking" "$flag" yes FAILED '-'
    elif ! (cd "$repo" && env -u TEST_NGINX_MODULE $(environment "$dir" "$linking") prove -j"$jobs" $smoke) >"$dir/test.log" 2>&1; then
        tail -n 60 "$dir/test.log" >&2
        failed=1
        row "$release" "$version" "$linking" "$flag" yes yes FAILED
    else
        row "$release" "$version" "$linking" "$flag" yes yes "$(sed -n 's/^\(Files=[^,]*, Tests=[^,]*\).*/\1/p' "$dir/test.log")"
    fi
}

# in_root ROOT COMMAND: a shell in a chroot, with mounts and processes of its own
in_root() {
    unshare --mount --pid --fork --kill-child bash -c '
        mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /bin/bash -ec "$1"' "$1" \
        "export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 JOBS=$jobs; $2"
}

# README's commands on a Debian 13 that has nothing but debootstrap's minbase.
bare() {
    local release=trixie root=$work/bare log=$work/bare.log version
    if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
        row $release '-' package '' skipped '-' 'needs root and debootstrap'
        return
    fi
    rm -rf "$root"
    mkdir -p "$work/packages" "$root"
    if ! debootstrap --variant=minbase --cache-dir="$work/packages" $release "$root" "$(archive)" >"$log" 2>&1; then
        row $release '-' package '' skipped '-' "debootstrap: $(tail -n 1 "$log")"
        return
    fi
    cp /etc/resolv.conf "$root/etc/"
    mkdir "$root/root/nginx-scim"
    (cd "$repo" && git ls-files -z | tar -c --null -T - | tar -x -C "$root/root/nginx-scim")
    if ! in_root "$root" 'apt-get -q update; apt-get -q install -y --no-install-recommends make git' >>"$log" 2>&1; then
        row $release '-' package '' skipped '-' "apt-get: $(grep -m 1 '^E:' "$log")"
    elif ! in_root "$root" 'cd ~/nginx-scim; make run DAEMON=1; make stop' >>"$log" 2>&1; then
        tail -n 40 "$log" >&2
        failed=1
        row $release '-' package '' FAILED '-' 'make run'
    else
        version=$(in_root "$root" 'nginx -v' 2>&1 | sed 's,.*/,,')
        if in_root "$root" 'cd ~/nginx-scim; make test' >>"$log" 2>&1; then
            row $release "$version" package '' yes yes "$(sed -n 's/^\(Files=[^,]*, Tests=[^,]*\).*/\1/p' "$log" | tail -n 1)"
        else
            tail -n 60 "$log" >&2
            failed=1
            row $release "$version" package '' yes yes 'FAILED: make test'
        fi
    fi
}

case ${1:-} in
    short)
        leg bookworm dynamic
        leg bookworm static
        leg sid dynamic
        ;;
    full)
        for release in bookworm trixie sid; do
            leg $release dynamic
            leg $release dynamic --with-debug
            leg $release dynamic --with-compat
            leg $release static
            leg $release static --with-debug
        done
        bare
        ;;
    bare) bare ;;
    ?*) leg "$@" ;;
    *) say 'usage: matrix.sh short|bare|full|RELEASE dynamic|static [FLAG]'; exit 2 ;;
esac

printf '| %-8s | %-7s | %-7s | %-13s | %-7s | %-6s | %s\n' Debian nginx linked with built loaded tests
printf '|----------|---------|---------|---------------|---------|--------|------\n'
printf '%s\n' "${rows[@]}"
exit $failed
