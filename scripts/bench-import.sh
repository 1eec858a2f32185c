#!/usr/bin/env bash
# Compares `lesd import` with `geth import` 1.10.26 on one file: 300 blocks of 60 transfers and 40
# token transfers. Prints the gas per second of each run, the ratio of the medians, and fails if it
# misses its goal of 2.5. The programs run in turn; start, genesis and shutdown are part of the
# time.
#
#   scripts/bench-import.sh [ROUNDS]
#
# $LESD is the program; without it one is built (release).
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
scripts/interop-tools.sh geth-1.10.26
scripts/make-chain.sh busy
chain=$tools/chains/busy
if [[ -z ${LESD:-} ]]; then
    cargo build --quiet --release --locked -p lesd
    LESD=${CARGO_TARGET_DIR:-target}/release/lesd
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

run() { # NAME PROGRAM OPTIONS...: milliseconds of an import into a new directory
    local name=$1 program=$2
    shift 2
    rm -rf "$folder/data"
    "$program" --datadir "$folder/data" init "$chain/genesis.json" >"$folder/$name" 2>&1 ||
        "$program" init --datadir "$folder/data" "$chain/genesis.json" >"$folder/$name" 2>&1
    local begin
    begin=$(date +%s%N)
    "$program" "$@" "$chain/chain.rlp" >>"$folder/$name" 2>&1 || { cat "$folder/$name" >&2; exit 1; }
    echo $((($(date +%s%N) - begin) / 1000000))
}
median() { sort -n | sed -n "$((($1 + 1) / 2))p"; }

geth=() lesd=()
for ((round = 1; round <= rounds; round++)); do
    geth+=("$(run geth "$tools/geth-1.10.26" --datadir "$folder/data" import)")
    lesd+=("$(run lesd "$LESD" import --datadir "$folder/data")")
    echo "round $round: geth ${geth[-1]} ms, lesd ${lesd[-1]} ms"
done
slow=$(printf '%s\n' "${geth[@]}" | median "$rounds")
fast=$(printf '%s\n' "${lesd[@]}" | median "$rounds")
gas=$(sed -n 's/^ "gasUsed": "\?\([0-9]*\)"\?,$/\1/p' "$chain/manifest.json")
awk -v gas="${gas:-0}" -v slow="$slow" -v fast="$fast" 'BEGIN {
    if (gas) printf "geth %.0f Mgas/s, lesd %.0f Mgas/s\n", gas / slow / 1000, gas / fast / 1000
    printf "lesd is %.2f times as fast as geth (goal 2.5)\n", slow / fast
    exit slow / fast < 2.5
}'
