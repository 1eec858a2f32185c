#!/usr/bin/env bash
# Runs a Clique network with 1-second blocks on this machine (two miners, a follower, two lesd, four
# light clients of go-ethereum 1.10.26 and 1.12.0), reorganises it, and shows that every light client
# stays with its servers and on the miners' head. Last line: "N passed, 0 failed".
#
#   scripts/network.sh [REORGANISATIONS] [KILLS]
#
# 20 reorganisations of depth 1 to 30, three of them of 20 or more, take about 20 minutes; fewer than
# 20 are of depth 1 to 12. KILLS: so often a third lesd is killed meanwhile; its store must be whole
# after each, and it must catch up. $LESD is the program; without it, lesd is built (release). $SEED
# repeats a run. Needs Go and a C compiler; what it builds stays in $LES_INTEROP_DIR (build/interop).
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
scripts/interop-tools.sh geth-1.10.26 geth-1.12.0 harness
[[ -n ${LESD:-} ]] || { cargo build --release --locked -p lesd; LESD=${CARGO_TARGET_DIR:-target}/release/lesd; }
exec "$tools/harness" --tools "$tools" --lesd "$LESD" --network "${1:-20}" --kills "${2:-0}" \
    ${SEED:+--seed "$SEED"}
