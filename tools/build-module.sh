#!/bin/bash
# Builds ngx_http_scim_module.so for the nginx of Debian's nginx-dev. Does not need root.
#
#     build-module.sh OUT FLAVOUR      OUT/objs/ngx_http_scim_module.so; FLAVOUR is "", sanitize or coverage
#
# Runs configure (8 s) only if config, the version of nginx-dev, the flags or the list of sources have changed.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
flavour=${2:-}
nginx_src=/usr/share/nginx/src
objs=$out/objs

case $repo in
    *[[:space:]]*) echo "nginx's configure cannot build in a path that contains blanks: $repo" >&2; exit 1 ;;
esac

cd "$repo"
case $flavour in
    # CXXFLAGS, because nginx compiles C and C++ with the same flags and CFLAGS of Debian 13 has some that C++ lacks.
    '') cc="$(dpkg-buildflags --get CXXFLAGS) $(dpkg-buildflags --get CPPFLAGS)" ld=$(dpkg-buildflags --get LDFLAGS) ;;
    sanitize)
        # The sanitizers' code causes false warnings of gcc (-Wmaybe-uninitialized).
        cc='-O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -Wno-maybe-uninitialized'
        ld='-fsanitize=address,undefined -Wl,-z,nodelete' ;; # frames of an unloaded module would have no names
    coverage) cc='-O0 --coverage -fprofile-update=atomic' ld=--coverage ;;
    *) echo "unknown flavour \"$flavour\", it must be \"\", sanitize or coverage" >&2; exit 1 ;;
esac

key=$(
    echo "$cc / $ld"
    dpkg-query -W -f '${Package} ${Version}\n' nginx-dev
    cat config "$0"
    ls src/{scim/*,store,service,nginx}/*.cc 2>/dev/null
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

    # All objects depend on these two headers: keep their times if they have not changed, so that nothing is rebuilt.
    for header in ngx_auto_config.h ngx_auto_headers.h; do
        if cmp -s "$objs/$header" "$objs/$header.before"; then touch -r "$objs/$header.before" "$objs/$header"; fi
    done
    echo "$key" >"$out/objs.key"
fi

exec "${MAKE:-make}" -s -f "$objs/Makefile" -C $nginx_src modules
