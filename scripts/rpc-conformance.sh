#!/usr/bin/env bash
# Asks go-ethereum 1.10.26 and lesd the same over JSON-RPC, on the same chain, and compares the
# answers. Last line: "N passed, 0 failed".
#
#   scripts/rpc-conformance.sh [--write]
#
# --write writes the table in docs/rpc.md; without it the table must be up to date. The server is
# the program $LESD; without it, lesd is built. Needs Go for go-ethereum, which stays in
# $LES_INTEROP_DIR (build/interop).
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${LES_INTEROP_DIR:-$PWD/build/interop}
scripts/interop-tools.sh geth-1.10.26
if [[ -z ${LESD:-} ]]; then
    cargo build -p lesd
    LESD=${CARGO_TARGET_DIR:-target}/debug/lesd
fi
exec cargo run -q -p les-tests --bin rpc-conformance -- \
    "$tools/geth-1.10.26" "$LESD" fixtures/chain/forks docs/rpc.md "$@"
