#!/bin/bash
# Builds the module with the nginx of several Debian releases, as a dynamic module and as a part of
# the nginx binary, and tests each build.
#
#     matrix.sh short      two builds with Debian 12's nginx, one with unstable's, else Debian 13's
#     matrix.sh bare       `make run` and `make test` on a bare Debian 13 (root, debootstrap)
#     matrix.sh full       every build, and `bare`
#     matrix.sh RELEASE dynamic|static [FLAG]      one build, with FLAG for nginx's configure
#
# apt-get fetches the sources of nginx from Debian's archive, whose address it takes from the
# machine's list of sources. It uses its own lists and state in build/matrix and does not change the
# machine's. A source that exists as build/matrix/RELEASE/nginx_VERSION.orig.tar.gz is not fetched.
# A release whose source cannot be fetched is skipped, and the table shows that. The logs of a build
# are in build/matrix/RELEASE/VERSION/BUILD/.
#
# Builds share objects instead of compiling the same source again:
# - The objects of src/scim, src/store and src/service do not depend on nginx. Builds copy them from
#   build/obj, where `make scimctl` has compiled them. In `full`, the plain dynamic build of Debian
#   12 compiles them with nginx's flags instead.
# - A static build copies all objects from the dynamic build of the same version and flag, if this
#   run has made it. The two differ only in -fPIC. The static build tests the module order of
#   configure, the linking and the binary.
set -euo pipefail
unset MAKEFLAGS MFLAGS MAKELEVEL # set by a make that runs this script

repo=$(cd "$(dirname "$0")/.." && pwd)
work=$repo/build/matrix
jobs=${JOBS:-$(nproc)}
. "$repo/tools/chroot.sh"

# The tests of each build: configuration examples, users, errors, filters, groups, HTTP/2, SSI,
# reload, messages of refused requests (PATCH), and the access gate.
smoke='t/013-conf-examples.t t/020-users.t t/025-errors.t t/026-filters.t t/032-groups.t t/051-tls-http2.t t/052-ssi.t
       t/061-reload.t t/081-complaints.t t/091-gate-headers.t t/091-gate-login.t t/091-gate-redirects.t t/091-gate-tls.t
       t/091-gate-upstreams.t t/098-gate-recheck.t t/099-gate-endings.t'

rows=()
built=()
failed=0

say() { printf '%s\n' "$*" >&2; }

# row RELEASE VERSION LINKING FLAG BUILT LOADED TESTS: adds a line to the table
row() {
    rows+=("$(printf '| %-8s | %-7s | %-7s | %-13s | %-7s | %-6s | %s' "$@")")
    say "${rows[-1]}"
}

# tarball RELEASE: prints the path of the newest source of this release in build/matrix
tarball() { compgen -G "$work/$1/nginx_*.orig.tar.gz" | sort -V | tail -n 1; }

# fetch RELEASE: fetches nginx's source as RELEASE/nginx_VERSION.orig.tar.gz, unless one exists;
# false if that fails
fetch() {
    local dir=$work/$1 apt=$work/$1/apt
    if tarball "$1" >/dev/null; then return; fi
    rm -rf "$apt"
    mkdir -p "$apt"/{lists,cache/archives}/partial "$apt/parts" "$apt/source"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(archive) $1 main" >"$apt/sources.list"
    (
        cd "$apt/source"
        set -- -qq -o "Dir::Etc::SourceList=$apt/sources.list" -o "Dir::Etc::SourceParts=$apt/parts" -o "Dir::State=$apt" \
            -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root -o Acquire::Retries=0 \
            -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20
        apt-get "$@" update && apt-get "$@" --tar-only --download-only source nginx && mv nginx_*.orig.tar.gz "$dir/"
    ) >"$dir/fetch.log" 2>&1
}

# have RELEASE: fetches the source; if that fails, adds a line with the reason to the table
have() {
    if fetch "$1"; then return; fi
    row "$1" - - - skipped - "source not fetched: $(grep -m 1 '^[EW]:' "$work/$1/fetch.log")"
    return 1
}

# build DIR SOURCE LINKING FLAG ALL: builds DIR/objs/nginx and, if LINKING is "dynamic",
# DIR/objs/ngx_http_scim_module.so. If ALL is "all", it compiles the objects of build/obj, too.
build() {
    local dir=$1 source=$2 linking=$3 flag=$4 all=$5 add=--add-module
    if [ "$linking" = dynamic ]; then add=--add-dynamic-module; fi
    rm -rf "$dir"
    mkdir -p "$dir"
    (
        cd "$source"
        if [ -d /usr/lib/ccache ]; then export PATH=/usr/lib/ccache:$PATH CCACHE_NOHASHDIR=1; fi
        ./configure --prefix="$dir" --builddir="$dir/objs" --with-threads --with-http_ssl_module --with-http_v2_module \
            --with-http_auth_request_module $flag $add="$repo" || exit 1
        if [ "$all" != all ]; then
            for part in "$repo"/build/obj/{scim/*,store,service}; do cp "$part"/*.o "$dir/objs/addon/${part##*/}/" || exit 1; done
        fi
        if [ "$linking" = static ] && [[ " ${built[*]} " = *" ${dir%/*}/dynamic$flag "* ]]; then
            cp -r "${dir%/*}/dynamic$flag/objs"/{src,addon} "$dir/objs/" || exit 1
        fi
        make -s -j"$jobs" -f "$dir/objs/Makefile" binary modules
    ) >"$dir/build.log" 2>&1 && built+=("$dir")
}

# environment DIR LINKING: prints the environment variables for the tests of this build
environment() {
    echo TEST_NGINX_BINARY="$1/objs/nginx" TEST_SCIMCTL="$repo/build/scimctl" TEST_POKE="$repo/build/poke" \
        TEST_FAULTS="$repo/build/faults.so" TEST_ALLOCATIONS="$repo/build/allocations.so" TEST_TURNS="$repo/build/turns.so" TEST_MEMORY="$repo/build/memory.so"
    if [ "$2" = dynamic ]; then echo TEST_NGINX_MODULE="$1/objs/ngx_http_scim_module.so"; fi
}

# loads DIR LINKING: true if `nginx -t` accepts a location of the module
loads() {
    local dir=$1
    mkdir -p "$dir/logs"
    {
        if [ "$2" = dynamic ]; then echo "load_module $dir/objs/ngx_http_scim_module.so;"; fi
        echo "events {} http { scim_store main $dir/store; server { location /scim/v2 { scim main; } } }"
    } >"$dir/load.conf"
    "$dir/objs/nginx" -t -p "$dir" -c "$dir/load.conf" >"$dir/load.log" 2>&1
}

# leg RELEASE LINKING [FLAG [all]]: builds a source that was fetched and tests the build
leg() {
    local release=$1 linking=$2 flag=${3:-} version source dir
    version=$(tarball "$release")
    version=${version##*/nginx_}
    version=${version%.orig.tar.gz}
    source=$work/$release/$version/source
    dir=$work/$release/$version/$linking$flag
    if [ ! -d "$source" ]; then
        mkdir -p "$source.new"
        tar -xf "$(tarball "$release")" -C "$source.new" --strip-components=1
        mv "$source.new" "$source"
    fi
    if ! build "$dir" "$source" "$linking" "$flag" "${4:-}"; then
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

# bare: runs the commands of README.md on a Debian 13 that has only debootstrap's minbase
bare() {
    local release=trixie root=$work/bare log=$work/bare.log version
    if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
        row $release '-' package '' skipped '-' 'needs root and debootstrap'
        return
    fi
    if ! debian_root $release "$root" "$work/packages" >"$log" 2>&1; then
        row $release '-' package '' skipped '-' "debootstrap: $(tail -n 1 "$log")"
        return
    fi
    copy_source "$repo" "$root/root/nginx-scim"
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
        if have bookworm; then
            leg bookworm dynamic
            leg bookworm static
        fi
        if have sid; then
            leg sid dynamic
        elif have trixie; then
            leg trixie dynamic
        fi
        ;;
    full)
        for release in bookworm trixie sid; do
            if have $release; then
                leg $release dynamic '' $([ $release != bookworm ] || echo all)
                leg $release dynamic --with-debug
                leg $release dynamic --with-compat
                leg $release static
                leg $release static --with-debug
            fi
        done
        bare
        ;;
    bare) bare ;;
    ?*) if have "$1"; then leg "$@"; fi ;;
    *) say 'usage: matrix.sh short|bare|full|RELEASE dynamic|static [FLAG]'; exit 2 ;;
esac

printf '| %-8s | %-7s | %-7s | %-13s | %-7s | %-6s | %s\n' Debian nginx linked with built loaded tests
printf '|----------|---------|---------|---------------|---------|--------|------\n'
printf '%s\n' "${rows[@]}"
exit $failed
