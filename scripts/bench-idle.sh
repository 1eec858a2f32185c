#!/usr/bin/env bash
# Counts the resident memory that an idle connected light client costs a fresh server. Fails above
# 8 KiB.
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
ulimit -n $((connections + 256)) || {
    echo "allow $((connections + 256)) open files first: ulimit -n" >&2
    exit 1
}
folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT

worst=0
for ((round = 1; round <= rounds; round++)); do
    "$LESD" node --port 0 --nodiscover --light.maxpeers "$connections" \
        >"$folder/out" 2>"$folder/log" &
    server=$!
    until enode=$(grep -m 1 '^enode:' "$folder/out"); do
        kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
        sleep 0.1
    done
    "$LES_LOAD" --kind idle --connections "$connections" --seconds 5 --pid "$server" "$enode" \
        >"$folder/load"
    bytes=$(sed -n 's/^server memory: .*, \(-\{0,1\}[0-9]*\) bytes more per connection$/\1/p' "$folder/load")
    [[ -n $bytes ]] || { cat "$folder/load" >&2; exit 1; }
    echo "round $round: $bytes bytes for each of $connections idle clients"
    ((bytes <= worst)) || worst=$bytes
    kill "$server"
    wait "$server" || true
    server=
done
echo "worst of $rounds: $worst bytes a client, limit $limit"
((worst > 0 && worst <= limit))
