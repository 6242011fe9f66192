#!/usr/bin/env bash
# repo forget, prune and tag: rules, dry runs, what comes back, what is freed.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

new_repository store
mkdir src
for n in 1 2 3 4; do
    head -c 300000 /dev/urandom >src/changing
    head -c 50000 /dev/urandom >"src/kept$n"
    expect_code 0 repo snapshot -q src --time "2026-03-0$n 12:00:00"
done
size() { find store -type f -printf '%s\n' | awk '{ n += $1 } END { print n }'; }
ids() { repo snapshots --json | python3 -c 'import json, sys; print(*[s["id"] for s in json.load(sys.stdin)])'; }
count() { find "store/$1" -type f | wc -l; }

expect_code 2 repo forget
expect_code 2 repo forget --keep-last none
expect_code 2 repo forget --keep-within 3
expect_code 2 repo forget --keep-last 1 --group-by paths,names
expect_code 1 repo forget --keep-last 1
expect_error --allow-many

# What is wrong in a command is told before anything is done.
for options in "--max-unused foo" "--max-unused 101%" "--max-unused 5.x%" "--max-unused .%" "--max-unused 1.2.3%" "--max-repack-size x" "--max-repack-size 10iB" "--time-budget 3" "--time-budget 999999d" "--compression none"; do
    # shellcheck disable=SC2086
    expect_code 2 repo forget --keep-last 2 --prune $options
    # shellcheck disable=SC2086
    expect_code 2 repo prune $options -r nowhere
done
expect_code 2 repo forget --keep-last 2 --max-unused 0%
expect_error "--max-unused is for what --prune does"
expect_code 2 repo forget latest --keep-last 2
expect_error "either IDs or rules"
for options in latest "--keep-last 2" --prune --dry-run "--max-unused 5%" "--host x"; do
    # shellcheck disable=SC2086
    expect_code 2 repo forget --undo 3f2a91c0 $options
    expect_error "--undo takes the ID of one snapshot"
done
expect_equal "$(count forgets)" 0

# Nor is a plan refused: it says what the real run needs.
expect_code 0 repo forget --keep-last 1 --dry-run
expect_output "would forget "
expect_output "without --dry-run that needs --allow-many"
expect_code 0 repo forget --keep-last 1 --dry-run --json
expect_equal "$(field needs_allow_many)" True
expect_code 0 repo forget latest --prune --dry-run
expect_output "would forget 1 snapshot"
expect_output "to move "
! grep -E "^  keep|--undo" out || fail "a forget by name tells of what stays"
expect_equal "$(count forgets)" 0

# A dry run says why, and changes nothing.
expect_code 0 repo forget --keep-last 1 --keep-daily 2 --dry-run
expect_output '12:00:00  last, daily'
expect_output '12:00:00  frees 293.'
expect_output 'would forget 2 snapshots'
expect_equal "$(count forgets)" 0
expect_code 0 repo forget --keep-last 2 --dry-run --json
expect_equal "$(field removed)" 2

expect_code 0 repo forget --keep-last 2
expect_equal "$(ids | wc -w)" 2

# One comes back, under a new ID.
gone=$(find store/forgets -type f -printf '%f\n' | head -n 1)
expect_code 0 repo snapshots --forgotten
expect_output "${gone:0:8}"
expect_code 0 repo forget --undo "${gone:0:12}"
expect_equal "$(ids | wc -w)" 3
expect_code 0 repo forget --keep-last 2 -q

before=$(size)
expect_code 0 repo prune --dry-run --json
expect_equal "$(size)" "$before"
expect_code 0 repo prune --max-unused 0%
expect_output 'removed  '
after=$(size)
[ $((before - after)) -gt 500000 ] || fail "freed only $((before - after)) bytes"
expect_code 1 repo forget --undo "${gone:0:12}"
expect_code 0 repo check --read-data
expect_code 0 repo restore latest:"$work/src" -t restored
diff -r src restored || fail "the restored tree differs"

# Pinned snapshots stay, whatever is asked.
expect_code 0 repo tag latest --pin --add release,spring
expect_code 0 repo snapshots
expect_output '(pinned)'
read -r _ pinned <<<"$(ids)"
expect_code 1 repo forget "$pinned" --allow-many
expect_error pinned
expect_code 0 repo forget --keep-tag nothing --allow-many
expect_equal "$(ids)" "$pinned"
expect_code 0 repo tag latest "$pinned" --add named-twice
expect_output 'changed 1 snapshot'
expect_code 2 repo tag latest
expect_code 2 repo tag --add x
expect_code 0 repo tag --tag release,spring --remove release,spring --unpin --json
expect_code 0 repo snapshots --tag spring
! grep -q spring out || fail "of two tags that were to go one is left"
expect_code 0 repo forget latest --allow-many --prune
! grep -e --undo out || fail "what is pruned cannot be taken back"
expect_equal "$(ids)" ""
expect_equal "$(count packs)" 0
expect_code 0 repo check --read-data

# The same machine and another one go on.
expect_code 0 repo snapshot -q src
rm -rf cache
expect_code 0 repo check --read-data

# Small packs of short runs are moved together, unless nothing is to be moved.
for n in 1 2 3 4 5 6 7 8; do
    echo "$n" >"src/short$n"
    expect_code 0 repo snapshot -q src
done
nothing="{'bytes': 0, 'packs': 0}"
expect_code 0 repo prune --dry-run --max-unused 100% --json
[ "$(field repacked)" != "$nothing" ] || fail "nothing would be moved"
expect_code 0 repo prune --dry-run --max-unused 1T --json
[ "$(field repacked)" != "$nothing" ] || fail "nothing would be moved"
expect_code 0 repo prune --dry-run --max-unused unlimited --json
expect_equal "$(field repacked)" "$nothing"
expect_code 0 repo prune --max-unused unlimited --json
expect_equal "$(field removed)" "$nothing"
expect_code 0 repo prune --json
[ "$(field removed)" != "$nothing" ] || fail "nothing was moved"

# A pack that is found damaged when it is to be moved stays; the rest is collected, and the exit code tells of it.
export REPO_REPOSITORY=$work/other
expect_code 0 repo init -q
head -c 300000 /dev/urandom >src/changing
expect_code 0 repo snapshot -q src
partly=$(find other/packs -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)
rm src/changing
head -c 300000 /dev/urandom >src/gone
expect_code 0 repo snapshot -q src
rm src/gone
expect_code 0 repo snapshot -q src
expect_code 0 repo forget -q --keep-last 1 --allow-many
printf junk | dd of="$partly" bs=1 seek=1000 conv=notrunc status=none
expect_code 20 repo prune --max-unused 0% --json
expect_error "${partly#other/}"
expect_equal "$(field damaged | grep -c "${partly#other/}")" 1
[ -e "$partly" ] || fail "a damaged pack is gone"
expect_code 0 repo prune --json
expect_equal "$(field damaged)" "[]"
