#!/usr/bin/env bash
# Times how a new head reaches many connected light clients: a development chain seals a block each
# second, and every client notes when it hears of it. Printed is how much later than at the first
# client, and the server's CPU time for each client, sealing included; beside it the same from a
# server with few clients. Fails above 100 ms (p99.9) or 20 us.
#
#   scripts/bench-announce.sh [CONNECTIONS]
#
# The programs are $LESD and $LES_LOAD; without them, both are built (release).
set -euo pipefail
cd "$(dirname "$0")/.."
connections=${1:-1000}
target=${CARGO_TARGET_DIR:-target}/release
[[ -n ${LESD:-} ]] || { cargo build --release --locked -p lesd; LESD=$target/lesd; }
[[ -n ${LES_LOAD:-} ]] || { cargo build --release --locked -p les-load; LES_LOAD=$target/les-load; }
ulimit -n $((connections + 256)) || {
    echo "allow $((connections + 256)) open files first: ulimit -n" >&2
    exit 1
}
folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
: >"$folder/out"
"$LESD" node --dev --dev.period 1 --port 0 --nodiscover --light.maxpeers "$((connections + 20))" \
    >>"$folder/out" 2>"$folder/log" &
server=$!
until enode=$(grep -o -m 1 'enode://[^ "]*' "$folder/out" | head -n 1) && [[ -n $enode ]]; do
    kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    sleep 0.1
done
heads() { # CONNECTIONS SECONDS
    "$LES_LOAD" --kind heads --connections "$1" --seconds "$2" --pid "$server" "$enode"
}
echo "10 clients:"
heads 10 10
echo "$connections clients:"
heads "$connections" 20 | tee "$folder/result"
awk '
    /^latency:/ { sub(/.*p99.9 /, ""); late = $1 }
    /^server CPU:/ { cost = $3 }
    /^stops:/ { drops = $4 }
    END {
        printf "p99.9 %.1f ms (limit 100), %.1f us of CPU a client (limit 20)\n", late / 1000, cost
        exit !(late > 0 && late <= 100000 && cost <= 20 && drops == 0)
    }' "$folder/result"
