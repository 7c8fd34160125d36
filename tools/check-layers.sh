#!/bin/bash
# Checks the directions of includes (HACKING.md) with grep: src/scim <- src/store <- src/service <- src/nginx, src/scimctl;
# within src/scim: text <- schema <- resource <- filter <- patch, request.
#
#     check-layers.sh [REPO]      prints each offending line; exit status 1 if there is one
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2
shopt -s nullglob
failed=0

# deny "RULE" REGEX FILES…: no line of FILES may match REGEX, except in comments.
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

# files DIR… [! FILE…]: prints the sources in each DIR, without each FILE.
files() {
    local dir file
    local -a dirs=()
    while [ $# -gt 0 ] && [ "$1" != ! ]; do dirs+=("$1"); shift; done
    for dir in "${dirs[@]}"; do
        for file in src/"$dir"/{,*/}*.{h,cc}; do
            case " $* " in *" $file "*) ;; *) echo "$file" ;; esac
        done
    done
}

include='^\s*#\s*include\s*[<"]'

deny 'src/scim must not include other directories' "$include(store|service|nginx|scimctl)/" $(files scim)
deny 'src/scim must not include clock, randomness, I/O or threads' \
    "$include(chrono|ctime|time\.h|random|fstream|iostream|filesystem|thread|mutex|atomic|unistd\.h|fcntl\.h|sys/|openssl/rand)" \
    $(files scim)
deny 'src/scim must not use clock, randomness or I/O' \
    '(?<![\w.>:])(std::)?(time|clock_gettime|gettimeofday|rand|random|getrandom|getenv|fopen|f?printf|puts)\s*\(' \
    $(files scim)
lower=
for dir in text schema resource filter; do
    deny "src/scim/$dir must include only ${lower:+$lower and }itself" "${include}scim/(?!(${lower:+${lower// /|}|}$dir)/)" $(files scim/$dir)
    lower="${lower:+$lower }$dir"
done
deny 'src/scim/patch must not include src/scim/request' "${include}scim/request/" $(files scim/patch)
deny 'src/scim/request must not include src/scim/patch' "${include}scim/patch/" $(files scim/request)
deny 'src/store must not include service, nginx or scimctl' "$include(service|nginx|scimctl)/" $(files store)
deny 'src/service must not include nginx or scimctl' "$include(nginx|scimctl)/" $(files service)
deny 'src/nginx must not include scimctl' "$include(scimctl)/" $(files nginx)
deny 'src/scimctl must not include nginx' "$include(nginx)/" $(files scimctl)

deny 'only src/store may use LMDB' "$include(lmdb\.h)|\b(mdb_|MDB_)\w" $(files scim service nginx scimctl)
deny "only src/store/lmdb.cc and lmdb_env.cc may use LMDB's codes" '\bMDB_[A-Z]' \
    $(files store ! src/store/lmdb.cc src/store/lmdb_env.cc)
deny 'these flags are forbidden: they lose or corrupt data, or change the format' '\bMDB_(WRITEMAP|NOSYNC|NOMETASYNC|MAPASYNC|NOLOCK|DUPSORT)\b' \
    $(files store)

deny "only src/nginx/ngx.h may include nginx's headers" "$include(ngx_|nginx\.h)" \
    $(files scim store service nginx scimctl ! src/nginx/ngx.h)
deny 'only src/scimctl/http_client.cc may use libcurl' "$include(curl/)" \
    $(files scim store service nginx scimctl ! src/scimctl/http_client.cc)
deny 'only src/nginx may use ngx_…' '\bngx_\w' $(files scim store service scimctl)
deny 'ngx_notify has one slot, which the thread pool uses' '\bngx_notify\s*\(' $(files nginx)
deny "ngx_alloc is suppressed in tools/lsan.supp, which would hide leaks of the module" '\bngx_(alloc|calloc)\s*\(' \
    $(files nginx)

deny 'only scim::parse_json() may parse JSON' '\bjson_load\w*\s*\(' \
    $(files scim store service nginx scimctl ! src/scim/text/json.cc)
deny 'include paths must start at src/' '^\s*#\s*include\s*"(?!version\.h")[^/"]*"' $(files scim store service nginx scimctl)

for file in $(files scim store service nginx scimctl); do
    case $file in
        *.h) head -n 1 "$file" | grep -qx '#pragma once' || { echo "$file: the first line must be #pragma once" >&2; failed=1; } ;;
    esac
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 500 ] && ! grep -q '// Longer than 500 lines because' "$file"; then
        echo "$file: $lines lines; split it, or add a comment '// Longer than 500 lines because …'" >&2
        failed=1
    fi
done

exit $failed
