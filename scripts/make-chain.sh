#!/usr/bin/env bash
# Makes one of the chains that lesd and go-ethereum are compared on: genesis.json, chain.rlp and
# manifest.json in $LES_INTEROP_DIR/chains/NAME (build/interop/chains/NAME). A chain that is there
# is kept: the same name gives the same bytes in every run.
#
#   scripts/make-chain.sh NAME [--check]
#
#   small   430 blocks with a bit of everything; a fixture
#   forks   100 Clique blocks from Frontier to London, signers voted in and out; a fixture
#   pow     100 ethash blocks without work (--fakepow), Frontier to London, uncles; a fixture
#   merge   proof of work, then Paris, Shanghai, Cancun and Prague; a fixture
#   busy    300 blocks of 60 transfers and 40 token transfers
#   follow  540 blocks of 180 transfers and 120 token transfers
#   long    33,100 sparse blocks: one helper-trie section
#   bench   36,000 blocks, 1 M accounts, a token with 100,000 slots, 128 full blocks at the head
#           (4 minutes, 4 GB of memory)
#
# --check also lets both go-ethereum versions import the chain as full nodes. "pow" is checked by
# 1.10.26 alone (1.12.0 has no --fakepow), "merge" by its generator (it needs a newer version).
set -euo pipefail
cd "$(dirname "$0")/.."
name=${1:?"usage: make-chain.sh NAME [--check]"}
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
folder=$tools/chains/$name
generator=chaingen
[[ $name != merge ]] || generator=chaingen-merge

if [[ ! -s $folder/manifest.json ]]; then
    scripts/interop-tools.sh "$generator"
    "$tools/$generator" "$name" "$folder"
fi
[[ ${2:-} == --check && $name != merge ]] || exit 0

versions="1.10.26 1.12.0"
options=()
if [[ $name == pow ]]; then
    versions=1.10.26 options=(--fakepow)
fi
head=$(sed -n 's/^ "headHash": "0x\(.*\)",$/\1/p' "$folder/manifest.json")
for version in $versions; do
    scripts/interop-tools.sh "geth-$version"
    data=$(mktemp -d)
    trap 'rm -rf "$data"' EXIT
    "$tools/geth-$version" --datadir "$data" init "$folder/genesis.json" 2>"$data/log"
    "$tools/geth-$version" --datadir "$data" --snapshot=false "${options[@]}" \
        import "$folder/chain.rlp" \
        >"$data/figures" 2>>"$data/log" || { tail -n 20 "$data/log" >&2; exit 1; }
    # The log shortens a hash to its first and last six digits.
    grep -q "Imported new chain segment.*hash=${head:0:6}..${head: -6}" "$data/log" ||
        { echo "geth $version does not end at $head" >&2; exit 1; }
    echo "geth $version imports $name, head $head"
    rm -rf "$data"
done
