#!/usr/bin/env bash
# Loads Gatepost behind nginx, as deploy/nginx/minimal.conf has it, with requests that are due at fixed times (gatepost bench
# --rate), in pairs: once with nothing else going on, once while the policies are edited and put into force again and again
# (SIGHUP). Each edit is a new generation. Every request must be answered with 200, or it fails. Prints the latencies of both,
# and the median of the ratios of each pair, as text and as a line of JSON. benches/README.md tells the method.
#
#   ROUNDS=9         pairs
#   DURATION=3       seconds of load for each
#   RATE=2000        requests per second
#   CONNECTIONS=16   kept-alive connections
#   EVERY=0.1        seconds between two edits
#   POLICIES=0       how many policies there are besides the shipped ones
#   PORT=7190        the first of three TCP ports
#   GATEPOST=…       the program to load; built from this tree if it is not given
set -euo pipefail
export LC_ALL=C

ROUNDS=${ROUNDS:-9}
DURATION=${DURATION:-3}
RATE=${RATE:-2000}
CONNECTIONS=${CONNECTIONS:-16}
EVERY=${EVERY:-0.1}
POLICIES=${POLICIES:-0}
PORT=${PORT:-7190}

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

fail() {
    echo "reload.sh: $*" >&2
    exit 1
}

missing=()
for pair in nginx:nginx curl:curl python3:python3; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
[ ${#missing[@]} -eq 0 ] || fail "missing programs: apt-get install ${missing[*]}"
if [ -z "${GATEPOST:-}" ]; then
    echo "building Gatepost, as a release" >&2
    (cd "$root" && cargo build --release --quiet --bin gatepost)
    GATEPOST=${CARGO_TARGET_DIR:-$root/target}/release/gatepost
fi

work=$(mktemp -d)
pids=()
clean_up() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# ---------------------------------------------------------------------------------------------------------- the servers

mkdir "$work/policies" "$work/nginx"
cp "$root"/policies/*.cedar "$work/policies"
for number in $(seq "$POLICIES"); do
    printf '@id("more-%s")\npermit (principal, action == Action::"View", resource == Application::"none-%s");\n' "$number" "$number"
done >"$work/policies/more.cedar"

env -C "$work" GATEPOST_DECISION_LISTEN="127.0.0.1:$PORT" GATEPOST_PORTAL_LISTEN="127.0.0.1:$((PORT + 1))" \
    GATEPOST_LOG_DECISIONS="$work/decisions.log" GATEPOST_LOG_LEVEL=warn GATEPOST_POLICY_WATCH=false \
    GATEPOST_POLICY_POLICIES="$work/policies" "$GATEPOST" serve --demo --output json >"$work/demo.json" 2>"$work/gatepost.log" &
gatepost=$!
pids+=("$gatepost")
for _ in $(seq 300); do
    [ -s "$work/demo.json" ] && break
    kill -0 "$gatepost" 2>/dev/null || fail "gatepost did not start: $(tail -n 5 "$work/gatepost.log")"
    sleep 0.1
done
python3 "$here/questions.py" "$work/demo.json" "$work"

sed -e "s|listen 80 default_server|listen 127.0.0.1:$((PORT + 2)) default_server backlog=1024|" \
    "$root/deploy/nginx/minimal.conf" >"$work/nginx/site.conf"
sed -e '/^upstream app /,/^}/d' -e "s|server 127.0.0.1:7180|server 127.0.0.1:$PORT|" \
    "$root/deploy/nginx/upstreams.conf" >"$work/nginx/upstreams.conf"
cat >"$work/nginx/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream app { server unix:$work/nginx/app.sock; keepalive 64; }
    server { listen unix:$work/nginx/app.sock; location / { return 200 "the application"; } }
    include upstreams.conf;
    include site.conf;
}
CONF
nginx -p "$work/nginx" -e "$work/nginx/error.log" -c "$work/nginx/nginx.conf" &
pids+=($!)
for _ in $(seq 100); do
    curl -s -o "$work/answer" "http://127.0.0.1:$((PORT + 2))/" && break
    sleep 0.1
done

generation() {
    curl -sS "http://127.0.0.1:$PORT/metrics" | awk '$1 == "gatepost_policy_generation" { print $2 }'
}

# ------------------------------------------------------------------------------------------------------------- the load

# load NAME: how it went goes to NAME.json.
load() {
    GATEPOST_BENCH_KEY=$(<"$work/key") "$GATEPOST" bench \
        "http://127.0.0.1:$((PORT + 2))/applications/$(<"$work/application")/devices/7/actions/restart" --method POST \
        --connections "$CONNECTIONS" --warm-up 500ms --duration "${DURATION}s" --rate "$RATE" --output json >"$work/$1.json" ||
        fail "not every request was answered with 200: $(cat "$work/$1.json") $(tail -n 3 "$work/gatepost.log")"
    : >"$work/decisions.log"
}

edit_again_and_again() {
    local number=0
    while :; do
        number=$((number + 1))
        printf '@id("edit-%s")\nforbid (principal, action == Action::"Push", resource);\n' "$number" >"$work/edit"
        mv "$work/edit" "$work/policies/edit.cedar"
        kill -HUP "$gatepost"
        sleep "$EVERY"
    done
}

load warm
for _ in $(seq "$ROUNDS"); do
    load quiet
    before=$(generation)
    edit_again_and_again &
    editor=$!
    pids+=("$editor")
    load reloading
    kill "$editor"
    wait "$editor" 2>/dev/null || true
    printf '{"quiet":%s,"reloading":%s,"generations":%s}\n' "$(<"$work/quiet.json")" "$(<"$work/reloading.json")" \
        $(($(generation) - before)) >>"$work/rounds.jsonl"
done
python3 "$here/reload.py" "$work/rounds.jsonl" "$POLICIES" "$RATE"
