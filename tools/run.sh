#!/bin/bash
# Starts and stops a scratch server from the build tree: `make run` and `make stop`.
#
#     DIR=build/run PORT=8080 DAEMON=1 run.sh start
#     DIR=build/run run.sh stop
#
# The configuration is conf-examples/quickstart.conf with another directory of the store and another port. Creates the tenant
# `demo` and a token with the scope `write`, and prints the token. NGINX_BINARY, MODULE and SCIMCTL name other binaries than
# those in build/.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mkdir -p "${DIR:-$repo/build/run}" && cd "${DIR:-$repo/build/run}" && pwd)
nginx=${NGINX_BINARY:-/usr/sbin/nginx}
unset NGINX # nginx would read inherited sockets from it and stay in the foreground
scimctl=${SCIMCTL:-$repo/build/scimctl}
module=${MODULE:-$repo/build/objs/ngx_http_scim_module.so}

say() { printf '%s\n' "$*" >&2; }
die() { say "run.sh: $*"; exit 1; }

# Prints the process id of the nginx that runs for this directory, or nothing. Checks the command line, because the pid file
# may be stale and its number reused by another process.
master_pid() {
    local pid
    pid=$(cat "$dir/nginx.pid" 2>/dev/null) && [ -n "$pid" ] &&
        grep -qaF "nginx: master process $nginx -p $dir " "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

# running PID: true if the process exists and is not a zombie (process 1 of a container may not reap zombies)
running() { [ "$(sed -n 's/.*) \(.\).*/\1/p' "/proc/$1/stat" 2>/dev/null || echo Z)" != Z ]; }

stop() {
    local pid waited=0
    pid=$(master_pid) || { say "No nginx of $dir is running."; return 0; }
    kill -QUIT "$pid"
    while running "$pid"; do
        sleep 0.1
        waited=$((waited + 1))
        if [ $waited = 100 ]; then # a client keeps its connection open
            say "nginx has not stopped after 10 s; closing its connections."
            kill -TERM "$pid"
        fi
        [ $waited -lt 200 ] || die "nginx (process $pid) does not stop"
    done
    say "Stopped."
}

# free PORT: true if nothing listens on the port
free() { perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1",
    LocalPort => shift, ReuseAddr => 1)' "$1"; }

choose_port() {
    local port
    if [ -n "${PORT:-}" ]; then
        free "$PORT" || die "port $PORT is in use; without PORT, a free port is chosen"
        echo "$PORT"
        return
    fi
    for port in $(seq 8080 8999); do
        if free "$port"; then echo "$port"; return; fi
    done
    die 'no port from 8080 to 8999 is free'
}

# Prints the `user` directive if this script runs as root: www-data, as on Debian, if that user can reach the directory;
# otherwise root.
user_line() {
    [ "$(id -u)" = 0 ] || return 0
    if runuser -u www-data -- test -x "$dir"; then echo 'user www-data;'; else echo 'user root;'; fi
}

http_part() {
    local example=$repo/conf-examples/quickstart.conf
    if [ ! -f "$example" ]; then
        cat <<END
scim_store main $dir/store size=1g;
server {
    listen 127.0.0.1:$port;
    location /scim/v2 { scim main; }
}
END
        return
    fi
    # write_conf() puts the example into an http block of its own.
    if grep -qE '^\s*http\s*\{' "$example"; then die "$example contains an http block; it must be a file for /etc/nginx/conf.d"; fi
    sed -E -e "s,^([[:space:]]*scim_store[[:space:]]+[^[:space:]]+[[:space:]]+)[^[:space:];]+,\1$dir/store," \
        -e "s,^([[:space:]]*listen[[:space:]]+)[^[:space:];]+,\1127.0.0.1:$port," "$example"
}

write_conf() {
    http_part >"$dir/scim.conf"
    cat >"$dir/nginx.conf" <<END
# Written by tools/run.sh.
$(user_line)
load_module $module;
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log info;
events {}
http {
    access_log $dir/access.log;
    client_body_temp_path $dir/tmp/body;
    proxy_temp_path $dir/tmp/proxy;
    fastcgi_temp_path $dir/tmp/fastcgi;
    uwsgi_temp_path $dir/tmp/uwsgi;
    scgi_temp_path $dir/tmp/scgi;
    include $dir/scim.conf;
}
END
}

# status PATH [CURL ARGUMENTS]: prints the HTTP status, 000 if there is no answer
status() { curl -s -o /dev/null -m 5 -w '%{http_code}' "${@:2}" "$base$1" || true; }

start() {
    local pid token='' deadline tail
    if pid=$(master_pid); then die "nginx runs in $dir already (process $pid); make stop DIR=$dir stops it"; fi
    port=$(choose_port)
    base=http://127.0.0.1:$port/scim/v2
    mkdir -p "$dir/tmp"
    write_conf
    : >"$dir/error.log"

    trap 'say; stop; exit 0' INT TERM
    "$nginx" -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log" ||
        { cat "$dir/error.log" >&2; die 'nginx did not start'; }

    deadline=$((SECONDS + 20)) # workers open the store after nginx listens
    while case $(status /ServiceProviderConfig) in 000 | 503) true ;; *) false ;; esac; do
        [ $SECONDS -lt $deadline ] || { tail -n 20 "$dir/error.log" >&2; stop; die "no answer from $base"; }
        sleep 0.1
    done

    "$scimctl" --store "$dir/store" tenant add demo >"$dir/tenant.log" 2>&1 ||
        grep -qiE 'exists|already' "$dir/tenant.log" ||
        { cat "$dir/tenant.log" >&2; stop; die 'cannot create the tenant'; }

    # Reuses the token of an earlier run if the store still accepts it. Otherwise the old token is revoked, because a label
    # can have only one valid token.
    if [ -s "$dir/token" ]; then token=$(cat "$dir/token"); fi
    if [ -z "$token" ] || [ "$(status /Users -H "Authorization: Bearer $token")" != 200 ]; then
        "$scimctl" --store "$dir/store" token revoke --tenant demo quickstart >/dev/null 2>&1 || true
        token=$("$scimctl" --store "$dir/store" token create --tenant demo --label quickstart --scope write --json |
            sed -nE 's/.*"token"[[:space:]]*:[[:space:]]*"([^"]+)".*/\1/p') || true
        [ -n "$token" ] || { stop; die 'cannot create the token'; }
        (umask 077 && echo "$token" >"$dir/token")
    fi

    cat <<END
nginx runs in $dir; its log is $dir/error.log

curl -H 'Authorization: Bearer $token' -H 'Content-Type: application/scim+json' $base/Users \\
    -d '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@example.com"}'

curl -H 'Authorization: Bearer $token' $base/Users

SCIM_BASE_URL=$base
SCIM_TOKEN=$token
END

    if [ -n "${DAEMON:-}" ] && [ "$DAEMON" != 0 ]; then
        say "make stop DIR=$dir stops it."
        return
    fi
    say 'Ctrl-C stops it.'
    tail --pid="$(master_pid)" -q -n 0 -f "$dir/error.log" "$dir/access.log" &
    tail=$!
    trap 'say; kill $tail 2>/dev/null || true; stop; exit 0' INT TERM
    wait $tail || true
    say 'nginx has stopped.'
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    *) die 'usage: run.sh start|stop' ;;
esac
