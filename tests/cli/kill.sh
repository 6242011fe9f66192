#!/usr/bin/env bash
# `snapshot` is killed at moments spread over its whole run; nothing acknowledged is ever lost.
#
# KILL_MOMENTS (25): how many. Each takes about 70 MB in TMPDIR and three times a run's duration.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

moments=${KILL_MOMENTS:-25}
deep_every=10
new_repository store

# 150 MB of contents that no round before had: large files that compress well, some that do not,
# many small ones.
make_source() {
    python3 - "$1" <<'PYTHON'
import os, random, sys

source = random.Random(int(sys.argv[1]))
MIB = 1 << 20

def write(path, pieces):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        for piece in pieces:
            file.write(piece)

for i in range(8):
    write(f"src/large/{i}", (source.randbytes(4096) * 16 for _ in range(12 * 16)))
for i in range(4):
    write(f"src/random/{i}", (source.randbytes(MIB) for _ in range(6)))
for i in range(2000):
    write(f"src/small/{i % 40}/{i}", [source.randbytes(512) * source.randint(1, 58)])
PYTHON
}

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

acknowledged=()
# The program said so: a summary with an id was printed.
note_acknowledged() {
    local id
    id=$(sed -n 's/.*"snapshot_id":"\([0-9a-f]*\)".*/\1/p' "$1")
    if [ -n "$id" ]; then acknowledged+=("$id"); fi
}

expect_sound() {
    local id
    expect_code 0 repo check
    snapshot_ids >listed
    for id in "${acknowledged[@]}"; do
        grep -q "$id" listed || fail "snapshot $id was acknowledged and is gone"
    done
}

expect_restores() {
    expect_code 0 repo check --read-data
    rm -rf restored
    expect_code 0 repo restore "${acknowledged[-1]}:$work/src" -t restored
    expect_same_tree src restored
}

make_source 0
start=$(milliseconds)
expect_code 0 repo snapshot --json src
whole=$(($(milliseconds) - start))
first=$whole
note_acknowledged out
expect_restores

killed=0 ended=0 resumed=0 times=()
for ((i = 1; i <= moments; ++i)); do
    make_source "$i"
    moment=$((i * whole * 11 / (10 * moments))) # a little beyond the end: the commit comes last
    start=$(milliseconds)
    code=0
    # In braces, for the shell to be silent about the kill.
    { timeout -s KILL "$((moment / 1000)).$(printf '%03d' $((moment % 1000)))" \
        "$program" snapshot --json src >out 2>err; } 2>/dev/null || code=$?
    times+=("$(($(milliseconds) - start))")
    note_acknowledged out
    case $code in
        137) killed=$((killed + 1)) ;;
        0)
            ended=$((ended + 1))
            # On a busy machine the first run may have been a slow one.
            if [ "${times[-1]}" -lt "$whole" ]; then whole=${times[-1]}; fi
            ;;
        *) fail "exit code $code after $moment ms: $(head -c 400 err)" ;;
    esac
    expect_sound
    expect_code 0 repo snapshot --json src
    note_acknowledged out
    if [ "$(field chunks_reused)" -gt 100 ]; then resumed=$((resumed + 1)); fi
    if [ $((i % deep_every)) = 0 ]; then expect_restores; fi
done
expect_sound
expect_restores
# Killed between the commit and its announcement: there, though nobody was told.
untold=$(($(wc -l <listed) - ${#acknowledged[@]}))

echo "an uninterrupted run: $first ms, the fastest $whole ms; ended after: ${times[*]} ms"
echo "$killed killed, $ended ended before; $untold snapshots were made and not announced;" \
    "$resumed next runs went on from what was stored"
[ "$killed" -ge $((moments / 3)) ] || fail "most runs were over before they were killed"
