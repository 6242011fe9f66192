#!/usr/bin/env bash
# How a snapshot is named: latest, latest~N, latest@TIME, a prefix, what follows a colon, filters.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

new_repository store
mkdir -p src/sub other
# save N TIME OPTION...: the file src/n holds the snapshot's number.
save() {
    echo "$1" >src/n
    echo "sub $1" >src/sub/n
    expect_code 0 repo snapshot --json --time "$2" "${@:3}"
    ids[$1]=$(field snapshot_id)
}
ids=()
save 1 '2026-08-01 12:00' src -H web1 --tag daily,weekly
save 2 '2026-08-02 12:00:05.25' src -H web1 --tag daily
save 3 '2026-08-03T12:00:00Z' src -H web2 --tag daily --tag other
save 4 '2026-08-04T14:00:00+02:00' src other -H web2
save 5 '2026-07-01' src -H web3 --tag weekly

# expect_number N SNAPSHOT OPTION...
expect_number() {
    expect_code 0 repo cat "$2:$work/src/n" "${@:3}"
    expect_equal "$(cat out)" "$1"
}

# By age of the time they record, whatever was made first.
expect_equal "$(snapshot_ids | tr '\n' ' ')" "${ids[5]} ${ids[1]} ${ids[2]} ${ids[3]} ${ids[4]} "
expect_number 4 latest
expect_number 4 latest~0
expect_number 3 latest~1
expect_number 5 latest~4
expect_code 1 repo cat "latest~5:$work/src/n"
expect_error "only 5"
expect_code 2 repo ls latest~
expect_code 2 repo ls latest~x
expect_code 2 repo ls latest-1
expect_code 2 repo ls latest~-1

# With none.
expect_number 4 latest --tag ''
expect_number 4 latest --tag '' --tag weekly
expect_code 1 repo ls latest~1 --tag ''

# The newest not after a moment.
expect_number 1 'latest@2026-08-02'
expect_number 1 'latest@2026-08-02 12:00:05'
expect_number 2 'latest@2026-08-02 12:00:05.25'
expect_number 2 'latest@2026-08-03T13:59:59+02:00'
expect_number 3 'latest@2026-08-03T14:00:00+02:00'
expect_number 3 'latest@2026-08-03T12:00:00Z'
expect_number 3 'latest@2026-08-04 11:59'
expect_number 4 'latest@2026-08-04T12:00'
expect_number 4 'latest@2030-01-01'
TZ=Asia/Tokyo expect_number 1 'latest@2026-08-02 21:00:05'
TZ=Asia/Tokyo expect_number 2 'latest@2026-08-02 21:00:06'
expect_code 1 repo ls 'latest@2026-06-30'
expect_code 2 repo ls 'latest@2026-13-01'
expect_code 2 repo ls 'latest@2026-02-31'
expect_code 2 repo ls 'latest@2026-08-02 25:00'
expect_code 2 repo ls latest@

# A prefix of an id, as long as it takes.
for n in 1 2 3 4 5; do
    expect_number $n "${ids[n]}"
    expect_number $n "${ids[n]:0:12}"
done
expect_code 1 repo ls 0123456789abcdef
expect_error "no snapshot begins with"
expect_code 1 repo ls xyz
expect_code 1 repo ls "${ids[1]}0"
declare -A heads=()
for ((n = 6; n < 24; ++n)); do
    save $n "2025-01-01 00:00:$n" src -H many
    [ ${#heads[@]} -gt 0 ] || for id in "${ids[@]}"; do heads[${id:0:1}]+=x; done
    ambiguous=$(printf '%s\n' "${ids[@]}" | cut -c 1 | sort | uniq -d | head -n 1 || true)
    [ -z "$ambiguous" ] || break
done
expect_code 1 repo ls "$ambiguous"
expect_error "several snapshots begin with $ambiguous: give more digits"

# What follows the colon.
expect_code 0 repo ls "latest:$work/src"
expect_lines out "$work/src/n" "$work/src/sub" "$work/src/sub/n"
expect_code 0 repo ls "${ids[2]}:$work/src/sub"
expect_lines out "$work/src/sub/n"
expect_code 0 repo ls "${ids[2]}:${work#/}/src/sub/"
expect_lines out "$work/src/sub/n"
expect_code 0 repo ls "${ids[2]}" "$work/src/sub"
expect_lines out "$work/src/sub/n"
expect_code 0 repo restore "latest@2026-08-02 13:00:$work/src/sub" -t restored
expect_equal "$(cat restored/n)" "sub 2"
expect_code 1 repo ls "latest:$work/src/none"
expect_code 1 repo ls "latest:$work/src/n/beneath"
mkdir 'src/a:b' && echo colon >'src/a:b/c:d'
save 30 '2026-09-01' src -H colon
expect_equal "$(repo cat "latest:$work/src/a:b/c:d")" colon
expect_equal "$(repo cat "latest@2026-09-01 10:00:$work/src/a:b/c:d")" colon

# Filters narrow "latest" and the list.
expect_number 2 latest --host web1
expect_number 1 latest~1 -H web1
expect_number 3 latest --host web2 --tag daily
expect_number 4 latest --path "$work/src" --path "$work/other"
expect_number 1 latest --tag daily,weekly
expect_number 3 latest --tag weekly --tag other
expect_code 1 repo ls latest --host nobody
expect_error "none matches"
expect_list() {
    local numbers=$1 n expected=()
    shift
    for n in $numbers; do expected+=("${ids[n]}"); done
    expect_code 0 repo snapshots --json "$@"
    python3 -c 'import json; [print(s["id"]) for s in json.load(open("out"))]' >found
    expect_lines found "${expected[@]}"
}
expect_list "1 2" --host web1
expect_list "1 2 3 4" -H web1 --host web2
expect_list "1 2 3" --tag daily
expect_list "1" --tag weekly,daily
expect_list "1 3 5" --tag weekly --tag other
expect_list "3" --tag daily --host web2 --path "$work/src"
expect_list "4" --path "$work/other"
expect_list "4" --path other/
expect_list "4" --path ./src/../other
expect_code 0 repo snapshots --host nobody
expect_output "0 snapshots"

# A snapshot may be the one to compare with, or none is; an option of one value takes one.
parent_of_latest() { repo snapshots --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[-1].get("parent"))'; }
expect_code 0 repo snapshot src -H web1
expect_equal "$(parent_of_latest)" "${ids[2]}"
expect_code 0 repo snapshot src --parent "${ids[30]}"
expect_equal "$(parent_of_latest)" "${ids[30]}"
expect_code 0 repo snapshot --force src
expect_equal "$(parent_of_latest)" None
expect_code 1 repo snapshot src --parent ffffffffffffffff
expect_code 0 repo snapshot --tag monthly src
expect_code 0 repo ls --tag monthly "latest:$work/src/sub"
expect_lines out "$work/src/sub/n"

# A wrong clock, or a wrong --time, does not hide what is saved after it.
echo ahead >src/sub/n
expect_code 0 repo snapshot --time 2199-01-01 src
expect_equal "$(repo cat "latest:$work/src/sub/n")" ahead
echo after >src/sub/n
expect_code 0 repo snapshot src
expect_equal "$(repo cat "latest:$work/src/sub/n")" after
expect_equal "$(repo cat "latest~1:$work/src/sub/n")" ahead

expect_code 2 repo snapshot ''
expect_error "an empty path"

# One that cannot be read is given up by its full ID, and that is said.
expect_code 0 repo snapshot -q -H lost src
damaged=$(snapshot_ids | tail -n 1)
printf junk | dd of="store/snapshots/$damaged" bs=1 seek=60 conv=notrunc status=none
expect_code 0 repo forget "$damaged"
expect_output "remove  $damaged  cannot be read"
expect_output "forgot 1 snapshot"
expect_code 0 repo prune -q

# A folder that was not empty before may be a disk that is not mounted, until that is meant.
mkdir disk
echo 1 >disk/file
expect_code 0 repo snapshot -q disk
rm disk/file
for ((i = 0; i < 2; i++)); do
    expect_code 3 repo snapshot -q disk
    expect_error "disk: is empty, and was not before"
done
mkdir back
echo 1 >back/file
expect_code 1 repo restore "latest:$work/disk" -t back --delete
[ -e back/file ] || fail "what was missed was deleted"
expect_code 0 repo snapshot -q --force disk
expect_code 0 repo snapshot -q disk
expect_no_error

# A link is saved as a link, and that is said.
ln -s src link
expect_code 0 repo snapshot -q link
expect_error "link is a symbolic link, and saved as such: name $work/src"
expect_code 1 repo cat "latest:$work/link"
expect_error 'is a symbolic link to "src"'
echo link >list
expect_code 0 repo snapshot -q --files-from list
expect_error "link is a symbolic link"
ln -s /bin/echo command
expect_code 0 repo snapshot -q --stdin-from-command -- ./command said
expect_no_error
ln -s nowhere loose
expect_code 0 repo snapshot -q link src loose
expect_no_error

# What was a folder and is none now is missed: it may have moved to another disk.
mkdir moved
echo 1 >moved/file
expect_code 0 repo snapshot -q moved
mv moved there
ln -s there moved
expect_code 3 repo snapshot -q moved
expect_error "moved: was a folder before, and is a symbolic link: name what it leads to"

# Of one moment the one that was made last counts.
mkdir dated
for n in $(seq 6); do
    echo "$n" >dated/file
    expect_code 0 repo snapshot -q --time 2020-02-02 dated
done
expect_equal "$(repo cat "latest:$work/dated/file" --path "$work/dated")" 6
expect_code 0 repo forget --path "$work/dated" --keep-daily 1 --allow-many
expect_equal "$(repo cat "latest:$work/dated/file" --path "$work/dated")" 6
echo "all as expected"
