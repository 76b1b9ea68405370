# shellcheck shell=bash disable=SC2034,SC2153,SC2154 # variables are shared with compare.sh
# Installs what compare.sh compares with, into target/bench-tools. Sourced; `have NAME` sets `tool` to the program, or
# says why there is none and fails.

CERBOS_VERSION=0.55.0
OPA_VERSION=1.22.2
CEDAR_AGENT_VERSION=0.2.2-x86.64-unknown-linux-gnu
tools=${BENCH_TOOLS:-$root/target/bench-tools}

have() {
    case $1 in
    cerbos)
        tool=$tools/cerbos-$CERBOS_VERSION/node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64
        [ -x "$tool" ] && return
        needs npm "apt-get install npm" || return
        installing "Cerbos $CERBOS_VERSION"
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools/cerbos-$CERBOS_VERSION" \
            "@cerbos/cerbos-linux-x64@$CERBOS_VERSION" >/dev/null
        ;;
    opa)
        tool=$tools/opa-$OPA_VERSION/opa
        [ -x "$tool" ] && return
        needs go "Go 1.26 or newer; Debian's golang may be too old" || return
        installing "OPA $OPA_VERSION, some minutes"
        # As its own releases for Linux are built, but for WebAssembly, which is not used.
        CGO_ENABLED=0 GOBIN=$tools/opa-$OPA_VERSION go install -ldflags '-s -w' "github.com/open-policy-agent/opa@v$OPA_VERSION"
        ;;
    cedar-agent)
        tool=$tools/cedar-agent-$CEDAR_AGENT_VERSION/bin/cedar-agent
        [ -x "$tool" ] && return
        installing "cedar-agent $CEDAR_AGENT_VERSION, some minutes"
        cargo install --quiet --root "$tools/cedar-agent-$CEDAR_AGENT_VERSION" --version "=$CEDAR_AGENT_VERSION" cedar-agent
        ;;
    esac
}

needs() {
    command -v "$1" >/dev/null && return
    echo "compare.sh: no $1: $2" >&2
    return 1
}

installing() {
    echo "installing $1" >&2
    mkdir -p "$tools"
}
