#!/usr/bin/env bash
# Feeds each decoder with mutations of its seeds, on the stable compiler.
#
#   scripts/fuzz.sh SECONDS [TARGET...]     all targets without a name; ends with "N passed, M failed"
#
# What is found stays in fuzz/artifacts/TARGET/. Needs a C++ compiler, which builds libFuzzer.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET...]}
shift
triple=$(rustc -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-$PWD/fuzz/target}

# Edge coverage for libFuzzer. Naming the triple keeps it out of build scripts.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table" \
  cargo build --quiet --locked --release --manifest-path fuzz/Cargo.toml \
  --target "$triple" --target-dir "$target"
program=$target/$triple/release/les-fuzz

if [ $# -eq 0 ]; then
  mapfile -t targets < <("$program")
else
  targets=("$@")
fi
passed=0 failed=0
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
for name in "${targets[@]}"; do
  seeds=fuzz/corpus/$name
  mkdir -p "fuzz/artifacts/$name" "$found/$name"
  if [ ! -d "$seeds" ]; then
    echo "$name: no seeds in $seeds"
    failed=$((failed + 1))
  elif TMPDIR=$found LES_FUZZ_TARGET=$name "$program" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=512 \
    -max_len=8192 -len_control=20 -artifact_prefix="fuzz/artifacts/$name/" -verbosity=0 \
    -print_final_stats=1 "$found/$name" "$seeds" >"$found/log" 2>&1; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: */runs /p' "$found/log")"
    passed=$((passed + 1))
  else
    cat "$found/log"
    echo "$name: FAILED"
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
