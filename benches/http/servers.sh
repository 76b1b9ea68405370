# shellcheck shell=bash disable=SC2034,SC2153,SC2154 # variables are shared with compare.sh
# The servers that compare.sh compares, each configured as its own documentation recommends for speed. Sourced.
#
# `start NAME TRANSPORT` starts one on the cores `server_cpus` and waits until it listens; `check NAME TRANSPORT` makes
# sure of its answers: what the operator may do is allowed, and what the operator may not do, or a bad key, is not.
# `reach NAME TRANSPORT` sets `url`, `socket` (Unix only), the array `curl_to`, and what the load needs besides: the array
# `load_with`.

declare -A pid_of
ports=(nginx gatepost cedar cerbos opa cedar-agent)

port_of() {
    local at
    for at in "${!ports[@]}"; do
        if [ "${ports[$at]}" = "$1" ]; then echo $((PORT + at)); fi
    done
}

run() {
    local name=$1
    shift
    taskset -c "$server_cpus" "$@" &
    pid_of[$name]=$!
}

stop() {
    local name
    for name in "${!pid_of[@]}"; do
        kill "${pid_of[$name]}" 2>/dev/null || true
        wait "${pid_of[$name]}" 2>/dev/null || true
    done
    pid_of=()
}

start() {
    local port
    port=$(port_of "$1")
    case $1 in
    nginx)
        mkdir -p "$work/nginx"
        sed -e "s|WORKERS|$(taskset -c "$server_cpus" nproc)|; s|PORT|$port|; s|SOCKET|$work/nginx.sock|" \
            "$here/nginx.conf" >"$work/nginx/nginx.conf"
        run nginx nginx -p "$work/nginx" -e "$work/nginx/error.log" -c "$work/nginx/nginx.conf"
        ;;
    gatepost)
        local listen=127.0.0.1:$port
        [ "$2" = tcp ] || listen=unix:$work/gatepost.sock
        : >"$work/demo.json"
        # With its decision log, which is what an installation has.
        run gatepost env -C "$work" GATEPOST_DECISION_LISTEN="$listen" \
            GATEPOST_PORTAL_LISTEN="127.0.0.1:$((PORT + 10))" GATEPOST_LOG_DECISIONS="$work/decisions.log" \
            GATEPOST_LOG_LEVEL=warn "$GATEPOST" serve --demo --output json >"$work/demo.json" 2>"$work/gatepost.log"
        await_line "$work/demo.json" gatepost
        python3 "$here/questions.py" "$work/demo.json" "$work"
        key=$(<"$work/key")
        application=$(<"$work/application")
        ;;
    cedar)
        : >"$work/cedar.json"
        run cedar "$CEDAR_SERVER" "127.0.0.1:$port" >"$work/cedar.json" 2>"$work/cedar.log"
        await_line "$work/cedar.json" cedar
        cedar_key=$(sed 's/.*"api_key":"\([^"]*\)".*/\1/' "$work/cedar.json")
        cedar_application=$(sed 's/.*"application":"\([^"]*\)".*/\1/' "$work/cedar.json")
        ;;
    cerbos)
        run cerbos env COMPARE_HTTP_PORT="$port" COMPARE_GRPC_PORT=$((PORT + 11)) \
            COMPARE_POLICIES="$here/cerbos/policies" "$cerbos" server --config "$here/cerbos/config.yaml" \
            --log-level error 2>"$work/cerbos.log"
        ;;
    opa)
        # No decision log, which is its default; https://www.openpolicyagent.org/docs/policy-performance.
        run opa "$opa" run --server --addr "127.0.0.1:$port" --log-level error --skip-version-check \
            --optimize-store-for-read-speed "$here/opa/matrix.rego" "$work/opa.data.json" 2>"$work/opa.log"
        ;;
    cedar-agent)
        run cedar-agent env ROCKET_LOG_LEVEL=off "$cedar_agent" --addr 127.0.0.1 --port "$port" --log-level off \
            --policies "$work/cedar-agent.policies.json" --data "$work/cedar-agent.data.json" >"$work/cedar-agent.log" 2>&1
        ;;
    esac
    await_answer "$1" "$2"
}

# await_line FILE NAME: until the server has said where it is and what to ask.
await_line() {
    for _ in $(seq 300); do
        [ "$(wc -l <"$1")" -ge 1 ] && return
        kill -0 "${pid_of[$2]}" 2>/dev/null || break
        sleep 0.1
    done
    fail "$2 did not start: $(tail -n 3 "$work/$2.log")"
}

await_answer() {
    reach "$1" "$2"
    for _ in $(seq 300); do
        curl -s -o /dev/null "${curl_to[@]}" && return
        kill -0 "${pid_of[$1]}" 2>/dev/null || break
        sleep 0.1
    done
    fail "$1 did not start: $(tail -n 3 "$work/$1.log" 2>/dev/null)"
}

reach() {
    local base
    base=http://127.0.0.1:$(port_of "$1")
    socket=
    case $1 in
    nginx | gatepost | cedar) url=$base/check/nginx ;;
    cerbos) url=$base/api/check/resources ;;
    opa) url=$base/v1/data/gatepost/allow ;;
    cedar-agent) url=$base/v1/is_authorized ;;
    esac
    curl_to=("$url")
    case $1 in
    nginx | gatepost) headers "$application" "${key:-none}" && load_with=("${header[@]}") ;;
    cedar) headers "$cedar_application" "$cedar_key" && load_with=("${header[@]}") ;;
    *) load_with=(-s "$work/$1.lua") ;;
    esac
    if [ "$2" = unix ]; then
        socket=$work/$1.sock
        url=http://localhost/check/nginx
        curl_to=(--unix-socket "$socket" "$url")
    fi
}

# headers APPLICATION KEY [PATH]: sets the array `header` to what nginx sends for it, as deploy/nginx is configured.
headers() {
    header=(
        -H "X-Original-Method: POST"
        -H "X-Original-URI: /applications/$1${3:-/devices/7/actions/restart}"
        -H "X-Original-Host: app.example.com"
        -H "X-Original-Proto: https"
        -H "X-Real-IP: 192.0.2.1"
        -H "Authorization: Bearer $2"
        -H "Accept: */*"
    )
}

check() {
    reach "$1" "$2"
    case $1 in
    nginx) expect nginx "^HTTP/1.1 204" "${load_with[@]}" ;;
    gatepost | cedar)
        local known=$key of=$application
        [ "$1" = gatepost ] || { known=$cedar_key of=$cedar_application; }
        expect "$1" "^HTTP/1.1 200" "${load_with[@]}"
        expect "$1" "^remote-user: oleg$" "${load_with[@]}"
        headers "$of" "$known" /releases
        expect "$1" "^HTTP/1.1 403" "${header[@]}"
        headers "$of" "${known%?}!"
        expect "$1" "^HTTP/1.1 401" "${header[@]}"
        ;;
    cerbos)
        expect cerbos '"DeviceAction": *"EFFECT_ALLOW"' @cerbos.allow
        expect cerbos '"Push": *"EFFECT_DENY"' @cerbos.deny
        ;;
    opa)
        expect opa '"result": *true' @opa.allow
        expect opa '"result": *false' @opa.deny
        ;;
    cedar-agent)
        expect cedar-agent '"decision": *"Allow"' @cedar-agent.allow
        expect cedar-agent '"decision": *"Deny"' @cedar-agent.deny
        ;;
    esac
}

# expect NAME PATTERN ARGUMENTS…: what curl is answered with these arguments, or with the body `@NAME`, must match.
expect() {
    local name=$1 pattern=$2 answer
    shift 2
    case $1 in @*) set -- -H 'Content-Type: application/json' --data-binary "@$work/${1#@}.json" ;; esac
    answer=$(curl -sS -i "$@" "${curl_to[@]}" | tr -d '\r')
    grep -qi -e "$pattern" <<<"$answer" || fail "$name did not answer \`$pattern\` but: $answer"
}
