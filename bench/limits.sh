#!/usr/bin/env bash
# Measures what a snapshot stores and how much memory it takes at the edges:
#
#   bench/limits.sh [one-byte] [million] [huge] [killed]     all of them by default
#
# one-byte  a byte changed in a 1 GB file, at 20 places: what each snapshot stores, and the mean
# million   a directory of 1,000,000 files: first, unchanged, one more; stored bytes, peak memory
# huge      a file of HUGE_GB (20) GB: peak memory of snapshot and restore
# killed    a first snapshot of 5 GB killed near its end: what the next one reads and stores again
#
# REPO_BIN names the program (build/release/cli/repo); WORK a folder with room (a new temporary one).
set -euo pipefail
cd "$(dirname "$0")/.."

repo=$(realpath "${REPO_BIN:-build/release/cli/repo}")
own_work=""
[ -n "${WORK-}" ] || own_work=$(mktemp -d)
work=${WORK:-$own_work}
trap '[ -z "$own_work" ] || rm -rf "$own_work"' EXIT
export REPO_CACHE_DIR=$work/cache REPO_KEY_FILE=$work/key

new_repository() {
    rm -rf "$work/repository" "$work/cache"
    "$repo" init -q -r "$work/repository"
}

stored() { find "$work/repository" -type f -printf '%s\n' | awk '{sum += $1} END {printf "%.0f\n", sum}'; }

# Prints seconds, peak memory and the bytes that the repository grew by.
measured() {
    local name=$1 before
    shift
    before=$(stored)
    command time -f '%e %M' -o "$work/time" "$@" >/dev/null
    awk -v name="$name" -v grown=$(($(stored) - before)) \
        '{printf "%-32s %8.2f s  %6.0f MiB peak  %12.0f bytes stored\n", name, $1, $2 / 1024, grown}' \
        "$work/time"
}

# Incompressible and the same on every run.
# The reader leaves early: that the writer then fails is as it should be.
pseudo_random() {
    set +o pipefail
    openssl enc -aes-128-ctr -pass pass:coffre -nosalt -pbkdf2 </dev/zero 2>/dev/null | head -c "$1"
    set -o pipefail
}

one_byte() {
    new_repository
    mkdir -p "$work/one"
    pseudo_random 1000000000 >"$work/one/file"
    measured "1 GB file, first" "$repo" snapshot -r "$work/repository" "$work/one"
    local i before sum=0
    for i in $(seq 1 20); do
        tr '\0' X </dev/zero | dd of="$work/one/file" bs=1 count=1 seek=$((i * 48000000)) conv=notrunc status=none || true
        before=$(stored)
        "$repo" snapshot -q -r "$work/repository" "$work/one"
        sum=$((sum + $(stored) - before))
    done
    echo "one byte changed, mean of 20 places: $((sum / 20)) bytes stored"
    rm -rf "$work/one"
}

million() {
    new_repository
    mkdir -p "$work/million"
    python3 - "$work/million" <<'PYTHON'
import os, sys
folder = os.open(sys.argv[1], os.O_RDONLY)
for i in range(1000000):
    file = os.open(f"file-{i:07d}.txt", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
    os.write(file, b"content %d\n" % i)
    os.close(file)
PYTHON
    measured "1,000,000 files, first" "$repo" snapshot -r "$work/repository" "$work/million"
    measured "1,000,000 files, unchanged" "$repo" snapshot -r "$work/repository" "$work/million"
    echo new >"$work/million/file-0500000.new"
    measured "1,000,000 files, one more" "$repo" snapshot -r "$work/repository" "$work/million"
    measured "1,000,000 files, restore" "$repo" restore -r "$work/repository" latest -t "$work/restored"
    rm -rf "$work/million" "$work/restored"
}

huge() {
    new_repository
    mkdir -p "$work/huge"
    pseudo_random $((${HUGE_GB:-20} * 1000000000)) >"$work/huge/file"
    measured "${HUGE_GB:-20} GB file, first" "$repo" snapshot -r "$work/repository" "$work/huge"
    measured "${HUGE_GB:-20} GB file, restore" "$repo" restore -r "$work/repository" \
        "latest:$work/huge" -t "$work/restored"
    cmp "$work/huge/file" "$work/restored/file"
    rm -rf "$work/huge" "$work/restored"
}

killed() {
    new_repository
    mkdir -p "$work/killed"
    local i pid before
    for i in $(seq 1 50); do
        pseudo_random 100000000 | openssl enc -aes-128-ctr -pass "pass:$i" -nosalt -pbkdf2 \
            >"$work/killed/file-$i" 2>/dev/null
    done
    "$repo" snapshot -q -r "$work/repository" "$work/killed" &
    pid=$!
    while kill -0 "$pid" && [ "$(stored)" -lt 4500000000 ]; do :; done
    kill -KILL "$pid"
    wait "$pid" || true
    before=$(stored)
    "$repo" snapshots -r "$work/repository" | tail -n 1
    "$repo" snapshot -q -r "$work/repository" "$work/killed"
    echo "5 GB first snapshot killed after $before bytes: the next one stored" \
        "$(($(stored) - before)) bytes more"
    rm -rf "$work/killed"
}

for name in "${@:-one-byte million huge killed}"; do
    for part in $name; do
        case $part in
            one-byte) one_byte ;;
            million | huge | killed) "$part" ;;
            *) echo "no such measurement: $part" && exit 2 ;;
        esac
    done
done
