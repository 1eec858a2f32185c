#!/usr/bin/env bash
# Compares the time for the CHT and BloomTrie of a section of 32,768 blocks: go-ethereum's own
# indexers (1.10.26) against lesd's builder, on one chain, three times in turn. Both must come to
# the same roots. Fails if lesd needs more than a fifth of go-ethereum's CPU time.
#
#   scripts/bench-cht.sh
#
# $LESD is the program that imports the chain; without it, lesd is built (release).
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
scripts/interop-tools.sh sectionbench
scripts/make-chain.sh long
target=${CARGO_TARGET_DIR:-target}/release
[[ -n ${LESD:-} ]] || { cargo build --release -p lesd; LESD=$target/lesd; }
cargo build --release -p les-benches --bin section
chain=$tools/chains/long
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$LESD" init --datadir "$work/data" "$chain/genesis.json" 2>"$work/log"
"$LESD" import --datadir "$work/data" "$chain/chain.rlp" 2>>"$work/log"

# field NAME LINE: a member of a line of JSON.
field() { sed -n "s/.*\"$1\":\"\\{0,1\\}\\([0-9a-fx.]*\\).*/\\1/p" <<<"$2"; }

printf '%8s %14s %14s %8s\n' round 'geth CPU ms' 'lesd CPU ms' ratio
for round in 1 2 3; do
    geth=$("$tools/sectionbench" "$chain/genesis.json" "$chain/chain.rlp")
    cp -r "$work/data/chain" "$work/copy"
    lesd=$("$target/section" "$work/copy")
    rm -r "$work/copy"
    for root in chtRoot bloomRoot; do
        [[ $(field "$root" "$geth") == "$(field "$root" "$lesd")" ]] ||
            { echo "$root differs: $geth $lesd" >&2; exit 1; }
    done
    awk -v round=$round -v cht="$(field chtCpuMillis "$geth")" \
        -v bloom="$(field bloomCpuMillis "$geth")" -v lesd="$(field cpuMillis "$lesd")" \
        'BEGIN { printf "%8d %14.1f %14.1f %7.1fx\n", round, cht + bloom, lesd, (cht + bloom) / lesd }' |
        tee -a "$work/rounds"
done
# The middle of three ratios.
sort -k4 -n "$work/rounds" | awk 'NR == 2 { exit !($4 + 0 >= 5) }' ||
    { echo "lesd needs more than a fifth of go-ethereum's time" >&2; exit 1; }
