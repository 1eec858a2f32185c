#!/usr/bin/env bash
# Starts development chains (`lesd node --dev`) and types what they print: real light clients
# (go-ethereum 1.10.26 and 1.12.0) connect, follow, send from their console and read the receipt; the
# same consoles attach to lesd.ipc; a full node (1.10.26) imports every block. Last line: "N passed,
# 0 failed".
#
#   scripts/dev.sh [--only WORD]
#
# --only runs the phases whose name has WORD. The server is the program $LESD, with lesctl beside
# it; without it, both are built (release). Needs Go and a C compiler; what it builds stays in
# $LES_INTEROP_DIR (build/interop).
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
scripts/interop-tools.sh geth-1.10.26 geth-1.12.0 harness
if [[ -z ${LESD:-} ]]; then
    cargo build --release -p lesd -p lesctl
    LESD=${CARGO_TARGET_DIR:-$PWD/target}/release/lesd
fi
exec "$tools/harness" --dev --tools "$tools" --lesd "$LESD" "$@"
