#!/usr/bin/env bash
# Loads Gatepost's /check/nginx and nginx's constant 204 with the same request, in turns, over TCP (wrk) and over Unix
# sockets (h2load), on loopback only. Prints the medians, the ratio of each pair's requests per second, and one line of
# JSON for each transport. benches/README.md tells the method. Needs nginx, wrk, h2load, curl and two cores.
#
#   ROUNDS=8         pairs for each transport
#   DURATION=3       seconds of load for each server in each round
#   CONNECTIONS=32   kept-alive connections
#   TRANSPORTS="tcp unix"
#   SERVER_CPUS=0    cores of the server under load, as taskset takes them
#   LOAD_CPUS=1      cores of the load generator
#   PORT=7190        the first of three TCP ports
#   GATEPOST=…       the program to load; built from this tree if it is not given
set -euo pipefail
export LC_ALL=C

ROUNDS=${ROUNDS:-8}
DURATION=${DURATION:-3}
CONNECTIONS=${CONNECTIONS:-32}
TRANSPORTS=${TRANSPORTS:-tcp unix}
SERVER_CPUS=${SERVER_CPUS:-0}
LOAD_CPUS=${LOAD_CPUS:-1}
PORT=${PORT:-7190}

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

fail() {
    echo "compare.sh: $*" >&2
    exit 1
}

missing=()
for pair in nginx:nginx wrk:wrk h2load:nghttp2-client curl:curl taskset:util-linux; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
[ ${#missing[@]} -eq 0 ] || fail "missing programs: apt-get install ${missing[*]}"
[ "$(nproc)" -ge 2 ] || fail "two cores are needed, one for the server and one for the load"

if [ -z "${GATEPOST:-}" ]; then
    echo "building Gatepost, as a release" >&2
    (cd "$root" && cargo build --release --quiet --bin gatepost)
    GATEPOST=${CARGO_TARGET_DIR:-$root/target}/release/gatepost
fi

work=$(mktemp -d)
servers=()
stop_servers() {
    for pid in "${servers[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    servers=()
}
clean_up() {
    stop_servers
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# ------------------------------------------------------------------------------------------------------- the servers

# start_nginx: on TCP and on a Unix socket.
start_nginx() {
    local workers
    workers=$(taskset -c "$SERVER_CPUS" nproc)
    mkdir -p "$work/nginx"
    sed -e "s|WORKERS|$workers|; s|PORT|$((PORT + 2))|; s|SOCKET|$work/nginx.sock|" "$here/nginx.conf" >"$work/nginx/nginx.conf"
    taskset -c "$SERVER_CPUS" nginx -p "$work/nginx" -e "$work/nginx/error.log" -c "$work/nginx/nginx.conf" &
    servers+=($!)
    nginx_pid=$!
}

# start_gatepost LISTEN: seeded for demonstration, with its decision log in a file; reads what it says about itself.
start_gatepost() {
    : >"$work/demo.json"
    (
        cd "$work"
        export GATEPOST_DECISION_LISTEN=$1 GATEPOST_PORTAL_LISTEN=127.0.0.1:$((PORT + 1))
        export GATEPOST_LOG_DECISIONS=$work/decisions.log GATEPOST_LOG_LEVEL=warn
        exec taskset -c "$SERVER_CPUS" "$GATEPOST" serve --demo --output json
    ) >"$work/demo.json" 2>"$work/gatepost.log" &
    servers+=($!)
    gatepost_pid=$!
    for _ in $(seq 300); do
        if [ "$(wc -l <"$work/demo.json")" -ge 1 ]; then
            read_demo
            return
        fi
        kill -0 "$gatepost_pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$work/gatepost.log" >&2
    fail "Gatepost did not start"
}

# The application, and the key of its operator.
read_demo() {
    local line operator
    line=$(head -n 1 "$work/demo.json")
    operator=$(tr '{}' '\n\n' <<<"$line" | grep '"username":"oleg"') || fail "the demonstration has no user oleg"
    key=$(grep -o '"api_key":"[^"]*"' <<<"$operator" | cut -d '"' -f 4)
    application=$(tr '{}' '\n\n' <<<"$line" | grep '"name":"thermostat"' | grep -o '"id":"[^"]*"' | cut -d '"' -f 4)
    [ -n "$key" ] && [ -n "$application" ] || fail "the demonstration has no key or no application"
}

# ------------------------------------------------------------------------------------------------------- the request

# What nginx sends for it, as deploy/nginx is configured. `headers KEY` sets the array `header`.
headers() {
    header=(
        -H "X-Original-Method: POST"
        -H "X-Original-URI: /applications/$application/devices/7/actions/restart"
        -H "X-Original-Host: app.example.com"
        -H "X-Original-Proto: https"
        -H "X-Real-IP: 192.0.2.1"
        -H "Authorization: Bearer $1"
        -H "Accept: */*"
    )
}

# reach SERVER TRANSPORT: sets the array `curl_to` and the variables `url` and `socket`.
reach() {
    socket=$work/$1.sock
    if [ "$2" = tcp ]; then
        url=http://127.0.0.1:$([ "$1" = nginx ] && echo $((PORT + 2)) || echo "$PORT")/check/nginx
        curl_to=("$url")
    else
        url=http://localhost/check/nginx
        curl_to=(--unix-socket "$socket" "$url")
    fi
}

# One request that must be allowed with the identity, one that must be refused, and nginx's 204.
assert_answers() {
    local answer
    reach gatepost "$1"
    headers "$key"
    answer=$(curl -sS -i "${header[@]}" "${curl_to[@]}" | tr -d '\r')
    grep -q '^HTTP/1.1 200' <<<"$answer" || fail "the operator was not allowed: $(head -n 1 <<<"$answer")"
    grep -qi '^remote-user: oleg$' <<<"$answer" || fail "the answer has no Remote-User: oleg"
    headers "${key%?}!"
    answer=$(curl -sS -i "${header[@]}" "${curl_to[@]}")
    grep -q '^HTTP/1.1 401' <<<"$answer" || fail "a bad key was not refused: $(head -n 1 <<<"$answer")"
    reach nginx "$1"
    headers "$key"
    answer=$(curl -sS -i "${header[@]}" "${curl_to[@]}")
    grep -q '^HTTP/1.1 204' <<<"$answer" || fail "nginx did not answer 204: $(head -n 1 <<<"$answer")"
}

# ---------------------------------------------------------------------------------------------------------- the load

# cpu_ticks PID: the processor time that it and its children have taken.
cpu_ticks() {
    local pid total=0 ticks
    for pid in "$1" $(cat "/proc/$1/task/"*/children 2>/dev/null); do
        ticks=$(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }')
        total=$((total + ticks))
    done
    echo "$total"
}

# load SERVER TRANSPORT SECONDS: sets `rate` (requests/s), `p99` (µs; `-` where it is not known), and fails on any answer
# that is not 2xx.
load() {
    reach "$1" "$2"
    headers "$key"
    local out=$work/load.txt
    if [ "$2" = tcp ]; then
        taskset -c "$LOAD_CPUS" wrk -t1 "-c$CONNECTIONS" "-d${3}s" --latency "${header[@]}" "$url" >"$out"
        ! grep -q -e 'Non-2xx' -e 'Socket errors' "$out" || fail "not every answer was good: $(tail -n 4 "$out")"
        rate=$(awk '/^Requests\/sec:/ { print $2 }' "$out")
        p99=$(awk '$1 == "99%" {
            unit = $2; sub(/[0-9.]+/, "", unit)
            print $2 * (unit == "us" ? 1 : unit == "ms" ? 1000 : 1000000) }' "$out")
    else
        taskset -c "$LOAD_CPUS" h2load --h1 -t1 "-c$CONNECTIONS" "-D$3" "${header[@]}" "--base-uri=unix:$socket" "$url" >"$out"
        grep -q '^status codes: [1-9][0-9]* 2xx, 0 3xx, 0 4xx, 0 5xx' "$out" || fail "not every answer was good: $(cat "$out")"
        rate=$(awk '/^finished in/ { print $4 }' "$out")
        p99=-
    fi
    [ -n "$rate" ] || fail "the load's report was not understood: $(cat "$out")"
}

# measure SERVER TRANSPORT: loads it for a while and adds a line `rate cpu_us busy p99` to its results.
measure() {
    local pid=$gatepost_pid before after
    [ "$1" = gatepost ] || pid=$nginx_pid
    before=$(cpu_ticks "$pid")
    load "$1" "$2" "$DURATION"
    after=$(cpu_ticks "$pid")
    awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v rate="$rate" -v secs="$DURATION" -v p99="$p99" \
        'BEGIN { cpu = ticks / hz; print rate, cpu * 1e6 / (rate * secs), cpu / secs, p99 }' >>"$work/$2-$1.txt"
    # The log would fill the disk. Its next line goes to the new end.
    : >"$work/decisions.log"
}

# ------------------------------------------------------------------------------------------------------- the results

# median FILE COLUMN [HUNDREDTHS]: of numbers; `-` where there are none.
median() {
    awk -v column="$2" '{ print $column }' "$1" | sort -g | awk -v part="${3:-50}" '
        { value[NR] = $1 }
        END {
            at = 1 + (NR - 1) * part / 100
            low = int(at)
            high = low < NR ? low + 1 : low
            print value[1] == "-" ? "-" : value[low] + (at - low) * (value[high] - value[low])
        }'
}

report() {
    local transport=$1 server file dropped=$2
    paste -d ' ' "$work/$transport-gatepost.txt" "$work/$transport-nginx.txt" |
        awk '{ print $1 / $5, $2 / $6, ($4 == "-" ? "-" : $4 / $8) }' >"$work/$transport-ratio.txt"
    printf '\n%-20s %12s %16s %10s %8s\n' "$transport, $ROUNDS rounds" requests/s "CPU µs/request" "p99 µs" busy
    for server in nginx gatepost; do
        file=$work/$transport-$server.txt
        printf '%-20s %12.0f %15.2f %10s %7.0f%%\n' "$server" "$(median "$file" 1)" "$(median "$file" 2)" \
            "$(median "$file" 4)" "$(awk -v busy="$(median "$file" 3)" 'BEGIN { print busy * 100 }')"
    done
    file=$work/$transport-ratio.txt
    printf '%-20s %12.3f (%.3f to %.3f); CPU per request %.2f times; p99 %s times; %s log records dropped\n' \
        "gatepost / nginx" "$(median "$file" 1)" "$(median "$file" 1 25)" "$(median "$file" 1 75)" \
        "$(median "$file" 2)" "$(median "$file" 3 | sed 's/\(\.[0-9][0-9]\)[0-9]*/\1/')" "$dropped"
    if [ "$(awk -v busy="$(median "$work/$transport-nginx.txt" 3)" 'BEGIN { print busy < 0.9 }')" = 1 ]; then
        echo "note: nginx had less than nine tenths of a core, so other programs were running or the load was too slow:" \
            "only the processor time per request tells anything"
    fi
    json="$json{\"bench\":\"http/compare\",\"transport\":\"$transport\",\"rounds\":$ROUNDS,\"seconds\":$DURATION"
    json="$json,\"connections\":$CONNECTIONS,\"server_cpus\":\"$SERVER_CPUS\",\"load_cpus\":\"$LOAD_CPUS\""
    for server in nginx gatepost; do
        file=$work/$transport-$server.txt
        json="$json,\"$server\":{\"requests_per_s\":$(median "$file" 1),\"cpu_us\":$(median "$file" 2),\"busy\":$(median "$file" 3)"
        json="$json,\"p99_us\":$(median "$file" 4 | sed 's/^-$/null/')}"
    done
    file=$work/$transport-ratio.txt
    json="$json,\"ratio\":$(median "$file" 1),\"ratio_quartiles\":[$(median "$file" 1 25),$(median "$file" 1 75)]"
    json="$json,\"cpu_ratio\":$(median "$file" 2),\"dropped\":$dropped}"$'\n'
}

# dropped TRANSPORT: how many records Gatepost's log has lost so far.
dropped() {
    reach gatepost "$1"
    curl -sS "${curl_to[@]/check\/nginx/metrics}" | awk '$1 == "gatepost_decision_log_dropped_total" { print $2 }'
}

json=
start_nginx
for transport in $TRANSPORTS; do
    case $transport in
    tcp) start_gatepost "127.0.0.1:$PORT" ;;
    unix) start_gatepost "unix:$work/gatepost.sock" ;;
    *) fail "\`$transport\` is no transport: tcp or unix" ;;
    esac
    assert_answers "$transport"
    for server in nginx gatepost; do
        load "$server" "$transport" 1
    done
    for round in $(seq "$ROUNDS"); do
        # Each goes first as often as the other.
        if [ $((round % 2)) -eq 0 ]; then order="nginx gatepost"; else order="gatepost nginx"; fi
        for server in $order; do
            measure "$server" "$transport"
        done
    done
    report "$transport" "$(dropped "$transport")"
    kill "$gatepost_pid"
    wait "$gatepost_pid" 2>/dev/null || true
    servers=("$nginx_pid")
done
printf '\n%s' "$json"
