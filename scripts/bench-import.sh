#!/usr/bin/env bash
# Compares `lesd import` with `geth import` 1.10.26 on one file: 300 blocks of 60 transfers and 40
# token transfers. The programs run in turn; start and shutdown are part of the time. Prints wall
# and CPU time of each run and the ratios of the medians; fails if that of the wall times, which is
# that of the gas per second, misses its goal of 2.5.
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

run() { # NAME PROGRAM OPTIONS...: wall and CPU milliseconds of an import into a new directory
    local name=$1 program=$2
    shift 2
    rm -rf "$folder/data"
    "$program" --datadir "$folder/data" init "$chain/genesis.json" >"$folder/$name" 2>&1 ||
        "$program" init --datadir "$folder/data" "$chain/genesis.json" >"$folder/$name" 2>&1
    local TIMEFORMAT='%R %U %S' wall user system
    {
        time "$program" "$@" "$chain/chain.rlp" >>"$folder/$name" 2>&1 ||
            { cat "$folder/$name" >&2; exit 1; }
    } 2>"$folder/time"
    read -r wall user system <"$folder/time"
    awk -v w="$wall" -v u="$user" -v s="$system" 'BEGIN { print int(w * 1000), int((u + s) * 1000) }'
}
median() { # COLUMN LINES...
    local column=$1
    shift
    printf '%s\n' "$@" | cut -d ' ' -f "$column" | sort -n | sed -n "$((($# + 1) / 2))p"
}

geth=() lesd=()
for ((round = 1; round <= rounds; round++)); do
    geth+=("$(run geth "$tools/geth-1.10.26" --datadir "$folder/data" import)")
    lesd+=("$(run lesd "$LESD" import --datadir "$folder/data")")
    echo "round $round: wall and CPU ms: geth ${geth[-1]}, lesd ${lesd[-1]}"
done
mgas=$(sed -n 's/.* mgas=\([0-9.]*\).*/\1/p' "$folder/lesd" | tail -n 1)
awk -v mgas="$mgas" -v slow="$(median 1 "${geth[@]}")" -v fast="$(median 1 "${lesd[@]}")" \
    -v slow_cpu="$(median 2 "${geth[@]}")" -v fast_cpu="$(median 2 "${lesd[@]}")" 'BEGIN {
    printf "geth %.0f Mgas/s, lesd %.0f Mgas/s: %.2f times as fast (goal 2.5)\n",
        mgas / slow * 1000, mgas / fast * 1000, slow / fast
    printf "CPU: geth %d ms, lesd %d ms: %.2f\n", slow_cpu, fast_cpu, slow_cpu / fast_cpu
    exit slow / fast < 2.5
}'
