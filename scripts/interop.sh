#!/usr/bin/env bash
# Lets real light clients (go-ethereum 1.10.26 and 1.12.0, EthereumJS) sync from a LES server and
# compares what they read with full nodes. Last line: "N passed, 0 failed".
#
#   scripts/interop.sh [--server lesd|geth] [--only WORD]
#
# --server geth tests the harness against go-ethereum's own server. --only runs the phases whose
# name has WORD. The server is the program $LESD; without it, lesd is built (release).
# Needs Go, a C compiler and Node.js; what it builds stays in $LES_INTEROP_DIR (build/interop).
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
server=lesd
for ((i = 1; i < $#; i++)); do
    next=$((i + 1))
    [[ ${!i} != --server ]] || server=${!next}
done

scripts/interop-tools.sh geth-1.10.26 geth-1.12.0 harness wirecompare ethereumjs
for chain in small forks long; do
    scripts/make-chain.sh "$chain"
done
if [[ $server == lesd && -z ${LESD:-} ]]; then
    cargo build --release -p lesd
    LESD=${CARGO_TARGET_DIR:-target}/release/lesd
fi
exec "$tools/harness" --tools "$tools" --lesd "${LESD:-}" "$@"
