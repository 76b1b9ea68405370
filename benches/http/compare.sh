#!/usr/bin/env bash
# Loads Gatepost and others with the same question in turns, on loopback only, on one core and on two: nginx's constant 204,
# Cedar's own evaluator behind the same server, Cerbos, OPA and cedar-agent, over TCP (wrk), and the first two over Unix
# sockets too (h2load). Then loads the first two with half of what nginx managed, with requests that are due at fixed
# times (gatepost bench --rate). Prints the medians and the ratios of each round, and writes into OUT:
#
#   rounds.jsonl    every measurement
#   summary.jsonl   the medians; one line for each number of cores and transport
#   compare.svg     the chart
#
# benches/README.md tells the method. Needs nginx, wrk, h2load, curl, python3, two cores; and npm, Go and cargo for others.
#
#   ROUNDS=8         measurements of each server
#   DURATION=3       seconds of load for each of them
#   CONNECTIONS=32   kept-alive connections
#   CORES="one two"  one: a core for the server and another for the load; two: the same two for both
#   TRANSPORTS="tcp unix"
#   SERVERS="nginx gatepost cedar cerbos opa cedar-agent"     over TCP; those that cannot be had are left out
#   HALF_LOAD=yes    whether half load is measured as well
#   PORT=7190        the first of a dozen TCP ports
#   OUT=target/compare
#   GATEPOST=… CEDAR_SERVER=…   the programs to load; built from this tree if they are not given
set -euo pipefail
export LC_ALL=C

ROUNDS=${ROUNDS:-8}
DURATION=${DURATION:-3}
CONNECTIONS=${CONNECTIONS:-32}
CORES=${CORES:-one two}
TRANSPORTS=${TRANSPORTS:-tcp unix}
SERVERS=${SERVERS:-nginx gatepost cedar cerbos opa cedar-agent}
HALF_LOAD=${HALF_LOAD:-yes}
PORT=${PORT:-7190}

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
OUT=${OUT:-$root/target/compare}

fail() {
    echo "compare.sh: $*" >&2
    exit 1
}

# shellcheck source=tools.sh
. "$here/tools.sh"
# shellcheck source=servers.sh
. "$here/servers.sh"

# ------------------------------------------------------------------------------------------------------ what is needed

missing=()
for pair in nginx:nginx wrk:wrk h2load:nghttp2-client curl:curl taskset:util-linux python3:python3; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
[ ${#missing[@]} -eq 0 ] || fail "missing programs: apt-get install ${missing[*]}"
[ "$(nproc)" -ge 2 ] || fail "two cores are needed"
case " $SERVERS " in *" nginx "*) ;; *) fail "nginx is the measure, and must be among SERVERS" ;; esac
case " $SERVERS " in *" gatepost "*) ;; *) fail "Gatepost must be among SERVERS" ;; esac

build=${CARGO_TARGET_DIR:-$root/target}/release
if [ -z "${GATEPOST:-}" ]; then
    echo "building Gatepost, as a release" >&2
    (cd "$root" && cargo build --release --quiet --bin gatepost)
    GATEPOST=$build/gatepost
fi
servers=
for server in $SERVERS; do
    case $server in
    nginx | gatepost) ;;
    cedar)
        if [ -z "${CEDAR_SERVER:-}" ]; then
            echo "building the server around Cedar, as a release" >&2
            (cd "$root" && cargo build --release --quiet --example cedar_server)
            CEDAR_SERVER=$build/examples/cedar_server
        fi
        ;;
    cerbos | opa | cedar-agent)
        have "$server" || { echo "compare.sh: $server is left out" >&2; continue; }
        declare "${server//-/_}=$tool"
        ;;
    *) fail "\`$server\` is no server that is known" ;;
    esac
    servers="$servers $server"
done

work=$(mktemp -d)
clean_up() {
    stop
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# ------------------------------------------------------------------------------------------------------------ the load

# cpu_ticks PID: the processor time that it and its children have taken.
cpu_ticks() {
    local pid total=0 ticks
    for pid in "$1" $(cat "/proc/$1/task/"*/children 2>/dev/null); do
        ticks=$(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }')
        total=$((total + ticks))
    done
    echo "$total"
}

# load SERVER TRANSPORT SECONDS: sets `rate` (requests/s), `p99` (µs; `null` where it is not known), and fails on any
# answer that is not 2xx.
load() {
    local out=$work/load.txt
    reach "$1" "$2"
    if [ "$2" = tcp ]; then
        taskset -c "$load_cpus" wrk -t1 "-c$CONNECTIONS" "-d${3}s" --latency "${load_with[@]}" "$url" >"$out"
        ! grep -q -e 'Non-2xx' -e 'Socket errors' "$out" || fail "not every answer of $1 was good: $(tail -n 4 "$out")"
        rate=$(awk '/^Requests\/sec:/ { print $2 }' "$out")
        p99=$(awk '$1 == "99%" {
            unit = $2; sub(/[0-9.]+/, "", unit)
            print $2 * (unit == "us" ? 1 : unit == "ms" ? 1000 : 1000000) }' "$out")
    else
        taskset -c "$load_cpus" h2load --h1 -t1 "-c$CONNECTIONS" "-D$3" "${load_with[@]}" "--base-uri=unix:$socket" "$url" >"$out"
        grep -q '^status codes: [1-9][0-9]* 2xx, 0 3xx, 0 4xx, 0 5xx' "$out" || fail "not every answer of $1 was good: $(cat "$out")"
        rate=$(awk '/^finished in/ { print $4 }' "$out")
        p99=null
    fi
    if [ -z "$rate" ] || [ -z "$p99" ]; then fail "the load's report was not understood: $(cat "$out")"; fi
}

# measure SERVER TRANSPORT ROUND: loads it for a while, and writes down how it went.
measure() {
    local before after
    before=$(cpu_ticks "${pid_of[$1]}")
    load "$1" "$2" "$DURATION"
    after=$(cpu_ticks "${pid_of[$1]}")
    awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v rate="$rate" -v secs="$DURATION" 'BEGIN {
        cpu = ticks / hz
        printf "\"requests_per_s\":%s,\"cpu_us\":%.3f,\"busy\":%.3f", rate, cpu * 1e6 / (rate * secs), cpu / secs }' |
        write closed "$1" "$2" "$3" "\"p99_us\":$p99,"
    empty_log
}

# half SERVER TRANSPORT ROUND RATE: the same with requests that are due at a fixed rate. Its report is taken as it is.
half() {
    local to=$url
    reach "$1" "$2"
    [ "$2" = unix ] && to=unix:$socket || to=${url%/check/nginx}
    GATEPOST_BENCH_KEY=$key taskset -c "$load_cpus" "$GATEPOST" bench "$to" --dialect nginx --method POST \
        --host app.example.com --path "/applications/$application/devices/7/actions/restart" --client 192.0.2.1 \
        --connections "$CONNECTIONS" --warm-up 500ms --duration "${DURATION}s" --rate "$4" --output json >"$work/half.json" ||
        fail "not every answer of $1 was good: $(cat "$work/half.json")"
    printf '"report":%s' "$(<"$work/half.json")" | write half "$1" "$2" "$3" ""
    empty_log
}

# write KIND SERVER TRANSPORT ROUND MORE: a line of the results, the end of which is on standard input.
write() {
    printf '{"kind":"%s","cores":"%s","transport":"%s","server":"%s","round":%s,%s%s}\n' "$1" "$cores" "$3" "$2" "$4" "$5" \
        "$(cat)" >>"$OUT/rounds.jsonl"
}

# The log would fill the disk. Its next line goes to the new end.
empty_log() {
    : >"$work/decisions.log"
}

# What Gatepost's log has lost would have been dearer to keep.
count_dropped() {
    reach gatepost "$1"
    curl -sS "${curl_to[@]/check\/nginx/metrics}" | awk '$1 == "gatepost_decision_log_dropped_total" { printf "\"count\":%s", $2 }' |
        write dropped gatepost "$1" 0 ""
}

# turns TRANSPORT ACTION SERVERS…: each server in each round, beginning with another one each time.
turns() {
    local transport=$1 action=$2 round at
    shift 2
    local all=("$@")
    for round in $(seq "$ROUNDS"); do
        for at in "${!all[@]}"; do
            $action "${all[$(((at + round) % ${#all[@]}))]}" "$transport" "$round" ${half_rate:+"$half_rate"}
        done
    done
}

# ------------------------------------------------------------------------------------------------------------- all of it

mkdir -p "$OUT"
# loaded SERVER VERSION: the version, if the server is loaded.
loaded() { case "$servers " in *" $1 "*) echo "$2" ;; esac; }
version() { "$@" 2>&1 | grep -o '[0-9][0-9]*\.[0-9][0-9.]*' | head -n 1; }
{
    printf '{"kind":"run","date":"%s","commit":"%s"' "$(date -u +%F)" "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)"
    printf ',"machine":"%s, %s cores, Linux %s"' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)"
    printf ',"rounds":%s,"seconds":%s,"connections":%s' "$ROUNDS" "$DURATION" "$CONNECTIONS"
    printf ',"versions":{"gatepost":"%s","nginx":"%s","wrk":"%s","h2load":"%s","cedar":"%s"' "$(version "$GATEPOST" --version)" \
        "$(version nginx -v)" "$(version wrk -v)" "$(version h2load --version)" \
        "$(sed -n '/^name = "cedar-policy"$/{n;s/.*"\(.*\)"/\1/p}' "$root/Cargo.lock")"
    printf ',"cerbos":"%s","opa":"%s","cedar-agent":"%s"}}\n' "$(loaded cerbos "$CERBOS_VERSION")" \
        "$(loaded opa "$OPA_VERSION")" "$(loaded cedar-agent "${CEDAR_AGENT_VERSION%%-*}")"
} >"$OUT/rounds.jsonl"

application=none
for cores in $CORES; do
    case $cores in
    one) server_cpus=0 load_cpus=1 ;;
    two) server_cpus=0,1 load_cpus=0,1 ;;
    *) fail "\`$cores\` is no number of cores: one or two" ;;
    esac
    for transport in $TRANSPORTS; do
        case $transport in
        tcp) loaded=$servers ;;
        unix) loaded="nginx gatepost" ;;
        *) fail "\`$transport\` is no transport: tcp or unix" ;;
        esac
        # Gatepost knows what the others are asked.
        start gatepost "$transport"
        for server in $loaded; do
            [ "$server" = gatepost ] || start "$server" "$transport"
            check "$server" "$transport"
            load "$server" "$transport" 1
        done
        half_rate=
        # shellcheck disable=SC2086 # the words are separate servers
        turns "$transport" measure $loaded
        if [ "$HALF_LOAD" = yes ]; then
            half_rate=$(python3 "$here/summary.py" --half-rate "$cores" "$transport" "$OUT/rounds.jsonl")
            turns "$transport" half nginx gatepost
        fi
        for server in $loaded; do
            check "$server" "$transport"
        done
        count_dropped "$transport"
        stop
    done
done
python3 "$here/summary.py" "$OUT/rounds.jsonl" "$OUT/summary.jsonl"
python3 "$here/chart.py" "$OUT/summary.jsonl" "$OUT/compare.svg"
echo "chart: $OUT/compare.svg" >&2
if grep '"kind":"dropped"' "$OUT/rounds.jsonl" | grep -qv '"count":0}'; then
    fail "the decision log has dropped records, so Gatepost's figures are too good: see above"
fi
