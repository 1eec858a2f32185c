#!/usr/bin/env bash
# What reader threads are for: 50 clients ask for proofs of a state that is on the disk only, while 50
# others ask for headers that are in memory. lesd without readers and with its own number of them in
# turn; all the while the state is dropped from the page cache, as if memory had no room for it.
# Prints what both crowds got, and the medians' ratio; fails if headers do not come 1.2 times as fast.
#
#   scripts/bench-cold.sh [ROUNDS]
#
# The programs are $LESD and $LES_LOAD; without them, both are built (release). The chain and the
# imported data stay in $LES_INTEROP_DIR (build/interop): 1 GB, and minutes when they are new. Needs
# GNU coreutils, and a data directory on a disk, not in memory.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
scripts/make-chain.sh bench
chain=$tools/chains/bench
data=$tools/bench-data/lesd
target=${CARGO_TARGET_DIR:-target}/release
[[ -n ${LESD:-} ]] || { cargo build --release --locked -p lesd; LESD=$target/lesd; }
[[ -n ${LES_LOAD:-} ]] || { cargo build --release --locked -p les-load; LES_LOAD=$target/les-load; }
if [[ ! -e $tools/bench-data/lesd.done ]]; then
    "$LESD" init --datadir "$data" "$chain/genesis.json"
    "$LESD" import --datadir "$data" "$chain/chain.rlp"
    touch "$tools/bench-data/lesd.done"
fi
folder=$(mktemp -d)
server= forgetting= crowds=()
trap 'kill $server $forgetting ${crowds[@]} 2>/dev/null || true; rm -rf "$folder"' EXIT
forget() { # the page cache of the state
    dd if="$data/chain/kv.redb" iflag=nocache count=0 status=none
}
load() { # KIND
    "$LES_LOAD" --kind "$1" --seconds 5 --pid "$server" "$enode" \
        >"$folder/$1" 2>&1 &
    crowds+=($!)
}
rate() { # KIND: requests per second
    sed -n 's/.* in [0-9]* s, \([0-9]*\) per second$/\1/p' "$folder/$1"
}
milliseconds() { # KIND: of the median request
    sed -n 's/^latency: p50 \([0-9]*\) us.*/\1/p' "$folder/$1" | awk '{ printf "%.1f", $1 / 1000 }'
}
run() { # FLAGS of the server
    forget
    : >"$folder/out"
    "$LESD" node --datadir "$data" --port 0 --nodiscover --cache 1 "$@" \
        >"$folder/out" 2>"$folder/log" &
    server=$!
    until enode=$(grep -m 1 '^enode:' "$folder/out"); do
        kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
        sleep 0.1
    done
    while :; do
        forget
        sleep 0.02
    done &
    forgetting=$!
    load header
    load account-proof
    for crowd in "${crowds[@]}"; do
        wait "$crowd" || { cat "$folder"/{header,account-proof} >&2; exit 1; }
    done
    kill "$server" "$forgetting"
    wait "$server" "$forgetting" || true
    server= forgetting= crowds=()
}

declare -A headers proofs
for ((round = 1; round <= rounds; round++)); do
    for readers in without with; do
        flags=()
        [[ $readers == with ]] || flags=(--readers 0)
        run "${flags[@]}"
        headers[$readers]+=" $(rate header)"
        proofs[$readers]+=" $(rate account-proof)"
        echo "round $round, $readers readers:" \
            "$(rate header) headers per second, p50 $(milliseconds header) ms;" \
            "$(rate account-proof) proofs per second, p50 $(milliseconds account-proof) ms"
    done
done
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
# shellcheck disable=SC2086 # a list of numbers
awk -v header="$(median ${headers[with]})" -v header_alone="$(median ${headers[without]})" \
    -v proof="$(median ${proofs[with]})" -v proof_alone="$(median ${proofs[without]})" 'BEGIN {
    printf "with readers: %.2f times the headers (goal 1.2), %.2f times the proofs\n",
        header / header_alone, proof / proof_alone
    exit header / header_alone < 1.2
}'
