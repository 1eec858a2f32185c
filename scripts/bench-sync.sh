#!/usr/bin/env bash
# Compares a full sync over loopback from go-ethereum 1.10.26 with `lesd import` of the same blocks:
# 300 blocks of 60 transfers and 40 token transfers. Both in turn, from the start of the program to
# the last block. Prints each round and the ratio of the medians; fails below 0.8.
#
#   scripts/bench-sync.sh [ROUNDS]
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
geth= lesd=
trap 'kill $geth $lesd 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

full=$folder/full
"$tools/geth-1.10.26" --datadir "$full" init "$chain/genesis.json" >"$folder/log" 2>&1
"$tools/geth-1.10.26" --datadir "$full" import "$chain/chain.rlp" >>"$folder/log" 2>&1
network=$(sed -n 's/.*"networkId": *\([0-9]*\).*/\1/p' "$chain/manifest.json")
last=$(sed -n 's/.*"blocks": *\([0-9]*\).*/\1/p' "$chain/manifest.json")
port=$((20000 + RANDOM % 10000))
"$tools/geth-1.10.26" --datadir "$full" --syncmode full --nodiscover --networkid "$network" \
    --port "$port" --authrpc.port $((port + 1)) --nat none >>"$folder/log" 2>&1 &
geth=$!
until [[ -S $full/geth.ipc ]]; do
    kill -0 "$geth" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    sleep 0.1
done
enode=$("$tools/geth-1.10.26" attach --exec admin.nodeInfo.enode "$full/geth.ipc" |
    sed "s/^\"//; s/@.*/@127.0.0.1:$port/")
milliseconds() { echo $((($(date +%s%N) - $1) / 1000000)); }

imports=() syncs=()
for ((round = 1; round <= rounds; round++)); do
    for kind in import sync; do
        rm -rf "$folder/data"
        "$LESD" init --datadir "$folder/data" "$chain/genesis.json" >"$folder/$kind" 2>&1
        begin=$(date +%s%N)
        if [[ $kind == import ]]; then
            "$LESD" import --datadir "$folder/data" "$chain/chain.rlp" >>"$folder/$kind" 2>&1
            imports+=("$(milliseconds "$begin")")
        else
            "$LESD" node --datadir "$folder/data" --port 0 --nodiscover --networkid "$network" \
                --staticpeers "$enode" >>"$folder/$kind" 2>&1 &
            lesd=$!
            until grep -q "Imported.* number=$last " "$folder/$kind"; do
                kill -0 "$lesd" 2>/dev/null || { cat "$folder/$kind" >&2; exit 1; }
                sleep 0.02
            done
            syncs+=("$(milliseconds "$begin")")
            kill "$lesd"
            wait "$lesd" || true
            lesd=
        fi
    done
    echo "round $round: import ${imports[-1]} ms, sync ${syncs[-1]} ms"
done
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
awk -v import="$(median "${imports[@]}")" -v sync="$(median "${syncs[@]}")" 'BEGIN {
    printf "sync runs at %.2f of the speed of an import (goal 0.8)\n", import / sync
    exit import / sync < 0.8
}'
