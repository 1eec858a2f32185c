#!/usr/bin/env bash
# Measures what following blocks of 300 transactions costs, and how late replies are meanwhile.
#
# A full node that only sends what it has gives lesd the blocks of the chain "follow": first 140, one
# each second, then, to a new server, 440 at once. 20 light clients ask about the newest head, each
# ten times a second; 20 others do so at an idle server beside it, which shows what the machine adds.
# Both parts cross at least two of the checkpoints of the store, one every 128 blocks. Fails if
# following costs more than a quarter of a core, if a block is announced more than a second late, or
# if the latest reply comes more than 50 ms after the latest of the idle server. Takes 4 minutes.
#
#   scripts/bench-follow.sh
#
# The programs are $LESD and $FOLLOW; without them, both are built (release).
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
target=${CARGO_TARGET_DIR:-target}/release
[[ -n ${LESD:-} ]] || { cargo build --release --locked -p lesd; LESD=$target/lesd; }
[[ -n ${FOLLOW:-} ]] || {
    cargo build --release --locked -p les-tests --bin follow
    FOLLOW=$target/follow
}
scripts/make-chain.sh follow
chain=$tools/chains/follow
network=$(sed -n 's/.*"networkId": *\([0-9]*\).*/\1/p' "$chain/manifest.json")
folder=$(mktemp -d)
idle= server=
trap 'kill $idle $server 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

start() { # NAME
    "$LESD" init --datadir "$folder/$1" "$chain/genesis.json" >"$folder/$1.out" 2>"$folder/$1.log"
    "$LESD" node --datadir "$folder/$1" --port 0 --nodiscover --networkid "$network" \
        >>"$folder/$1.out" 2>>"$folder/$1.log" &
    process=$!
    until enode=$(grep -o -m 1 'enode://[^ "]*' "$folder/$1.out"); do
        kill -0 "$process" 2>/dev/null || { cat "$folder/$1.log" >&2; exit 1; }
        sleep 0.1
    done
}

start idle
idle=$process idle_enode=$enode
good=0
for part in "pace 380 520" "sync 100 540"; do
    read -r mode first last <<<"$part"
    start "$mode"
    server=$process
    "$FOLLOW" "$enode" "$server" "$idle_enode" "$chain/chain.rlp" "$first" "$last" "$mode" ||
        good=1
    kill "$server"
    wait "$server" || true
    server=
done
exit "$good"
