#!/bin/bash
# The house's arrows (HACKING.md) as greps: src/scim <- src/store <- src/service <- src/nginx, src/scimctl.
#
#     check-layers.sh [REPO]      prints each offending line; exit 1 if there was one
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2
shopt -s nullglob
failed=0

# deny "RULE" REGEX FILES…: no line of FILES may match REGEX (comments aside).
deny() {
    local rule=$1 regex=$2 file found
    shift 2
    for file in "$@"; do
        found=$(sed 's,//.*,,' "$file" | grep -nP "$regex") || continue
        printf '%s\n' "$found" | sed "s,^,$file:," >&2
        echo "    ^ $rule" >&2
        failed=1
    done
}

# files DIR… [! FILE…]: the sources of DIRs without FILEs.
files() {
    local dir file
    local -a dirs=()
    while [ $# -gt 0 ] && [ "$1" != ! ]; do dirs+=("$1"); shift; done
    for dir in "${dirs[@]}"; do
        for file in src/"$dir"/*.{h,cc}; do
            case " $* " in *" $file "*) ;; *) echo "$file" ;; esac
        done
    done
}

include='^\s*#\s*include\s*[<"]'

deny 'src/scim knows the protocol only' "$include(store|service|nginx|scimctl)/" $(files scim)
deny 'src/scim: values in, values out; no clock, randomness, I/O, threads' \
    "$include(chrono|ctime|time\.h|random|fstream|iostream|filesystem|thread|mutex|atomic|unistd\.h|fcntl\.h|sys/|openssl/rand)" \
    $(files scim)
deny 'src/scim: no clock, randomness or I/O' \
    '(?<![\w.>:])(std::)?(time|clock_gettime|gettimeofday|rand|random|getrandom|getenv|fopen|f?printf|puts)\s*\(' \
    $(files scim)
deny 'src/store knows neither the service nor nginx' "$include(service|nginx|scimctl)/" $(files store)
deny 'src/service knows neither nginx nor the tool' "$include(nginx|scimctl)/" $(files service)
deny 'src/nginx does not know the tool' "$include(scimctl)/" $(files nginx)
deny 'src/scimctl does not know nginx' "$include(nginx)/" $(files scimctl)

deny 'LMDB belongs to src/store' "$include(lmdb\.h)|\b(mdb_|MDB_)\w" $(files scim service nginx scimctl)
deny "LMDB's codes are known in src/store/lmdb.cc alone" '\bMDB_[A-Z]' $(files store ! src/store/lmdb.cc)
deny 'decided against: these lose data or corrupt it' '\bMDB_(WRITEMAP|NOSYNC|NOMETASYNC|MAPASYNC|NOLOCK|DUPSORT)\b' \
    $(files store)

deny "nginx's headers come in through src/nginx/ngx.h alone" "$include(ngx_|nginx\.h)" \
    $(files scim store service nginx scimctl ! src/nginx/ngx.h)
deny 'ngx_… belongs to src/nginx' '\bngx_\w' $(files scim store service scimctl)
deny 'ngx_notify is one slot and the thread pool has it' '\bngx_notify\s*\(' $(files nginx)
deny "ngx_alloc is suppressed in tools/lsan.supp: a leak of ours would hide there" '\bngx_(alloc|calloc)\s*\(' \
    $(files nginx)

deny 'untrusted JSON enters through scim::parse_json alone' '\bjson_load\w*\s*\(' \
    $(files scim store service nginx scimctl ! src/scim/json.cc)
deny 'includes are written from src/' '^\s*#\s*include\s*"[^/"]*"' $(files scim store service nginx scimctl)

for file in $(files scim store service nginx scimctl); do
    case $file in
        *.h) head -n 1 "$file" | grep -qx '#pragma once' || { echo "$file: opens with #pragma once" >&2; failed=1; } ;;
    esac
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 500 ] && ! grep -q '// Longer than 500 lines because' "$file"; then
        echo "$file: $lines lines; split it, or say '// Longer than 500 lines because …'" >&2
        failed=1
    fi
done

exit $failed
