#!/bin/bash
# Builds ngx_http_scim_module.so against Debian's nginx-dev, without root.
#
#     build-module.sh OUT FLAVOUR      OUT/objs/ngx_http_scim_module.so; FLAVOUR is "", sanitize or coverage
#
# configure (8 s) runs only when what it depends on has changed: config, nginx-dev, the flags, the list of sources.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
flavour=${2:-}
nginx_src=/usr/share/nginx/src
objs=$out/objs

case $repo in
    *[[:space:]]*) echo "nginx's configure cannot build in a path with blanks: $repo" >&2; exit 1 ;;
esac

cd "$repo"
case $flavour in
    # C++'s flags: newer Debians' C flags have some that C++ does not know, and nginx gives both languages the same.
    '') cc="$(dpkg-buildflags --get CXXFLAGS) $(dpkg-buildflags --get CPPFLAGS)" ld=$(dpkg-buildflags --get LDFLAGS) ;;
    sanitize)
        # What the sanitizers add makes gcc see uninitialised values where none are (-Wmaybe-uninitialized).
        cc='-O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -Wno-maybe-uninitialized'
        ld='-fsanitize=address,undefined -Wl,-z,nodelete' ;; # an unloaded module's frames have no names
    coverage) cc='-O0 --coverage -fprofile-update=atomic' ld=--coverage ;;
    *) echo "no such flavour: $flavour" >&2; exit 1 ;;
esac

key=$(
    echo "$cc / $ld"
    dpkg-query -W -f '${Package} ${Version}\n' nginx-dev
    cat config "$0"
    ls src/{scim,store,service,nginx}/*.cc 2>/dev/null
)

if [ ! -f "$objs/Makefile" ] || [ "$key" != "$(cat "$out/objs.key" 2>/dev/null)" ]; then
    rm -f "$out/objs.key" "$objs/ngx_http_scim_module.so"
    for header in ngx_auto_config.h ngx_auto_headers.h; do
        if [ -f "$objs/$header" ]; then cp -p "$objs/$header" "$objs/$header.before"; fi
    done

    cd $nginx_src # configure reads ./auto/*
    . ./conf_flags # Debian's own configure line
    SCIM_DEPFILES=YES ASAN_OPTIONS=detect_leaks=0 ./configure \
        --with-cc-opt="$cc -fPIC -MMD -MP" --with-ld-opt="$ld -fPIC" \
        "${NGX_CONF_FLAGS[@]}" --add-dynamic-module="$repo" --builddir="$objs" >"$out/configure.log" 2>&1 ||
        { tail -n 20 "$out/configure.log" >&2; exit 1; }
    echo "-include \$(wildcard $objs/addon/*/*.d)" >>"$objs/Makefile"

    # All objects depend on these two: a new source file alone must not rebuild the others.
    for header in ngx_auto_config.h ngx_auto_headers.h; do
        if cmp -s "$objs/$header" "$objs/$header.before"; then touch -r "$objs/$header.before" "$objs/$header"; fi
    done
    echo "$key" >"$out/objs.key"
fi

exec "${MAKE:-make}" -s -f "$objs/Makefile" -C $nginx_src modules
