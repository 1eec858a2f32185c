#!/usr/bin/env bash
# Kills importing processes and shows that nothing is lost or half there.
#
#   scripts/kill-import.sh N
#
# N kills: every second one between two writes of one block (the store aborts the process right
# before a chosen write), the others by SIGKILL after a random time. After each kill `lesd db
# verify` must find nothing, and the next import goes on in the same directory. A finished
# directory must have the head, and with it the state root, of an import that nobody disturbed.
# Prints last `N passed, M failed`. $LESD is the program; without it one is built (release).
# $SEED repeats a run.
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${1:?"usage: kill-import.sh N"}
chain=fixtures/chain/small
if [[ -z ${LESD:-} ]]; then
    cargo build --quiet --release --locked -p lesd
    LESD=${CARGO_TARGET_DIR:-target}/release/lesd
fi
RANDOM=${SEED:-$$}
echo "seed ${SEED:-$$}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

start() { "$LESD" init --datadir "$1" "$chain/genesis.json" >>"$folder/log" 2>&1; }
import() { "$LESD" import --datadir "$1" "$chain/chain.rlp.gz" >>"$folder/log" 2>&1; }
verify() { "$LESD" db verify --datadir "$1" >>"$folder/log" 2>&1; }
head_of() { "$LESD" db stats --datadir "$1" | grep -m 1 '^head '; }

start "$folder/whole"
begin=$(date +%s%N)
import "$folder/whole"
milliseconds=$((($(date +%s%N) - begin) / 1000000 + 1))
expected=$(head_of "$folder/whole")
echo "undisturbed: $expected, $milliseconds ms"

passed=0 failed=0 killed=0 between=0 finished=0 round=0
start "$folder/0"
while ((killed < kills || finished == 0)); do
    data=$folder/$round
    status=0
    if ((killed >= kills)); then
        import "$data" || status=$?
    elif ((killed % 2 == 0)); then
        # A block is five writes; none of 2 to 5 is its first.
        write=$((5 * (RANDOM % 8) + 2 + RANDOM % 4))
        LESD_TEST_ABORT_AT_WRITE=$write import "$data" 2>/dev/null || status=$?
    else
        delay=$(printf '0.%03d' $((RANDOM % (milliseconds < 999 ? milliseconds : 999))))
        "$LESD" import --datadir "$data" "$chain/chain.rlp.gz" >>"$folder/log" 2>&1 &
        sleep "$delay"
        kill -KILL $! 2>/dev/null || true
        wait $! 2>/dev/null || status=$?
    fi
    case $status in
        0)
            finished=$((finished + 1))
            found=$(head_of "$data")
            if [[ $found == "$expected" ]] && verify "$data"; then
                passed=$((passed + 1))
            else
                failed=$((failed + 1))
                echo "FAILED: finished with $found"
            fi
            rm -rf "$data"
            round=$((round + 1))
            start "$folder/$round"
            ;;
        134 | 137)
            killed=$((killed + 1))
            ((status == 137)) || between=$((between + 1))
            if verify "$data"; then
                passed=$((passed + 1))
            else
                failed=$((failed + 1))
                echo "FAILED: kill $killed, after which verify says:"
                tail -n 3 "$folder/log"
            fi
            ;;
        *)
            echo "FAILED: import ended with status $status:"
            tail -n 5 "$folder/log"
            echo "$passed passed, $((failed + 1)) failed"
            exit 1
            ;;
    esac
done
echo "$killed kills, $between of them between two writes of one block, $finished imports finished"
echo "$passed passed, $failed failed"
((failed == 0))
