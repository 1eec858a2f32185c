#!/usr/bin/env bash
# Compares the CPU that go-ethereum's LES server (1.10.26) and lesd burn for a request: one chain
# (36,000 blocks, 1 M accounts) imported in both, the same client, the servers in turn. Prints each
# kind of request and the wallet mix with the ratio; fails if one misses its goal.
#
#   scripts/bench-server.sh [--rounds N]
#
# The programs are $LESD and $LES_LOAD; without them, both are built (release). The chain and the
# imported data stay in $LES_INTEROP_DIR (build/interop): 2 GB, and 10 minutes when they are new.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
scripts/interop-tools.sh geth-1.10.26 harness
scripts/make-chain.sh bench
target=${CARGO_TARGET_DIR:-target}/release
[[ -n ${LESD:-} ]] || { cargo build --release -p lesd; LESD=$target/lesd; }
[[ -n ${LES_LOAD:-} ]] || { cargo build --release -p les-load; LES_LOAD=$target/les-load; }
exec "$tools/harness" --bench --tools "$tools" --lesd "$LESD" --les-load "$LES_LOAD" "$@"
