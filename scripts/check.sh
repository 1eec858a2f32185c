#!/usr/bin/env bash
# Everything that must hold before a change is merged, fast things first. CI runs this and more.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; "$@"; }

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
step cargo test --workspace --exclude les-benches --locked
RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --no-deps --document-private-items --locked
if command -v cargo-deny >/dev/null; then
  step cargo deny --locked check bans licenses sources
elif [ -n "${CI:-}" ]; then
  echo "cargo-deny is missing; install it with: cargo install --locked cargo-deny" >&2
  exit 1
else
  echo "SKIPPED: cargo deny (install it with: cargo install --locked cargo-deny)"
fi
