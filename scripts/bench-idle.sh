#!/usr/bin/env bash
# Counts the resident memory that an idle connected light client costs. Fails above 8 KiB.
#
# A first crowd uses up what a fresh server has left from its start; what a second one of the same
# size adds is counted, on three servers.
#
#   scripts/bench-idle.sh [CONNECTIONS]
#
# The programs are $LESD and $LES_LOAD; without them, both are built (release).
set -euo pipefail
cd "$(dirname "$0")/.."
connections=${1:-1000}
limit=8192
rounds=3
target=${CARGO_TARGET_DIR:-target}/release
[[ -n ${LESD:-} ]] || { cargo build --release --locked -p lesd; LESD=$target/lesd; }
[[ -n ${LES_LOAD:-} ]] || { cargo build --release --locked -p les-load; LES_LOAD=$target/les-load; }
# Both ends of every connection are open files, each in a process of its own.
ulimit -n $((2 * connections + 256)) || {
    echo "allow $((2 * connections + 256)) open files first: ulimit -n" >&2
    exit 1
}
folder=$(mktemp -d)
server= crowd=
trap 'kill $server $crowd 2>/dev/null || true; rm -rf "$folder"' EXIT
load() { # SECONDS: an idle crowd
    "$LES_LOAD" --kind idle --connections "$connections" --seconds "$1" --pid "$server" "$enode"
}
memory() { # FILE: what each of a crowd added, in bytes
    sed -n 's/^server memory: .*, \(-\{0,1\}[0-9]*\) bytes more per connection$/\1/p' "$1"
}

worst=0
for ((round = 1; round <= rounds; round++)); do
    : >"$folder/out"
    "$LESD" node --port 0 --nodiscover --light.maxpeers $((2 * connections)) \
        >>"$folder/out" 2>"$folder/log" &
    server=$!
    until enode=$(grep -m 1 '^enode:' "$folder/out"); do
        kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
        sleep 0.1
    done
    load 30 >"$folder/first" 2>&1 &
    crowd=$!
    until (($(grep -c 'Light client connected' "$folder/log") >= 1)) &&
        (($(ls "/proc/$server/fd" | wc -l) > connections)); do
        kill -0 "$crowd" 2>/dev/null || { cat "$folder/first" >&2; exit 1; }
        sleep 0.1
    done
    sleep 3
    load 5 >"$folder/second"
    bytes=$(memory "$folder/second")
    [[ -n $bytes ]] || { cat "$folder/second" >&2; exit 1; }
    echo "round $round: $bytes bytes for each of the second $connections idle clients"
    ((bytes <= worst)) || worst=$bytes
    for process in "$crowd" "$server"; do
        kill "$process"
        wait "$process" || true
    done
    server= crowd=
done
echo "worst of $rounds: $worst bytes a client, limit $limit"
((worst > 0 && worst <= limit))
