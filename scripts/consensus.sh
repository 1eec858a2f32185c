#!/bin/sh
# Runs every BlockchainTests file under a folder through the real import into a real store.
# usage: scripts/consensus.sh DIR
# Prints last `N passed, N failed, N skipped`; exit code 1 if any failed or none passed.
set -eu
if [ $# -ne 1 ] || [ ! -d "$1" ]; then
    echo "usage: scripts/consensus.sh DIR (a folder of consensus tests)" >&2
    exit 2
fi
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
# Each test makes a store of its own: in memory they need no disk.
if [ -z "${TMPDIR:-}" ] && [ -d /dev/shm ] && [ -w /dev/shm ]; then
    export TMPDIR=/dev/shm
fi
exec cargo run --quiet --release --locked -p chain-backend --example consensus-vectors -- "$folder"
