#!/usr/bin/env bash
# Every command on a full disk: the repository's, the cache's, or the one restored to. It says so, earlier
# snapshots are whole, and when there is room again the next run just works.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/../cli/lib.bash"

full=21 # exit code
mount_tmpfs disk 24m || {
    echo "skipped: a tmpfs needs root"
    exit 77
}
mount_tmpfs small_cache 24m

fill() { dd if=/dev/zero of="$1/ballast" bs=64k 2>/dev/null || true; }
make_room() { rm -f "$1/ballast"; }

# On a full disk all that reads still works.
expect_readable() {
    local what=$1
    expect_code 0 repo check --read-data
    expect_code 0 repo ls "$first"
    "$program" cat "$first" "$work/src.first/noise" | cmp - src.first/noise || fail "$what: cat"
    rm -rf restored
    expect_code 0 repo restore "$first:$work/src.first" -t restored
    expect_same_tree src.first restored
}

mkdir -p src.first src.second
head -c 3000000 /dev/urandom >src.first/noise
seq 1 100000 >src.first/numbers
head -c 30000000 /dev/urandom >src.second/noise
export REPO_REPOSITORY=$work/disk/store REPO_KEY_FILE=$work/key

# Nothing fits: there is no repository, and then there is one.
fill disk
expect_code $full repo init -q
make_room disk
expect_code 0 repo init -q
expect_code 0 repo snapshot -q src.first
first=$(snapshot_ids)

# Full from the beginning, and full in the middle.
fill disk
expect_readable "full"
expect_code $full repo snapshot -q src.second
expect_readable "after a snapshot on a full disk"
make_room disk
expect_code $full repo snapshot -q src.second
expect_readable "after a snapshot that filled the disk"
expect_lines <(snapshot_ids) "$first"

# Room for a little at a time: each run ends with the code, none does harm.
for kib in 4 64 512 2048 8192; do
    fill disk
    truncate -s -"$((kib * 1024))" disk/ballast
    code=0
    repo snapshot -q src.second >out 2>err || code=$?
    [ "$code" = $full ] || fail "exit code $code with $kib KiB of room: $(head -c 400 err)"
done
make_room disk
expect_readable "after snapshots in little room"

# With room again the next run works, and goes on from what was stored.
expect_code 0 mount -o remount,size=128m disk
expect_code 0 repo snapshot -q src.second
rm -rf restored
second=$(snapshot_ids | tail -n 1)
expect_code 0 repo restore "$second:$work/src.second" -t restored
expect_same_tree src.second restored
expect_readable "with room again"

# Most of what is stored is needed by nobody, but in packs of which a little is needed; and the disk is full to
# the last block. Forgetting and pruning alone make room again.
mkdir src.third
for i in 1 2 3 4 5 6 7 8; do head -c 4000000 /dev/urandom >src.third/$i; done
expect_code 0 repo snapshot -q src.third
for i in 1 2 3 4 5 6 7 8; do truncate -s 200000 src.third/$i; done
expect_code 0 repo snapshot -q src.third
expect_code 0 repo prune -q
used() { du -sk --apparent-size disk/store/packs | cut -f 1; }
before=$(used)
third=$(snapshot_ids | tail -n 2 | head -n 1)
expect_code 0 repo forget -q "$third"
expect_code 0 repo prune -q --max-unused unlimited
fill disk
dd if=/dev/zero of=disk/ballast.rest bs=1k 2>/dev/null || true
for ((run = 1; run <= 20; ++run)); do
    code=0
    repo prune -q >out 2>err || code=$?
    [ "$code" = 0 ] || [ "$code" = $full ] || fail "prune on the full disk exits with $code"
    [ "$code" != 0 ] || break
done
[ "$code" = 0 ] || fail "prune finds no room: $before KiB, now $(used)"
[ "$(used)" -lt $((before - 25000)) ] || fail "prune freed little: $before KiB, now $(used)"
expect_code 0 repo check --read-data
rm -rf restored
expect_code 0 repo restore "latest:$work/src.third" -t restored
expect_same_tree src.third restored

# What a forget had to take from the reserve, others have filled since: a forget that prunes still finds room.
mkdir src.fourth
for i in 1 2 3; do
    head -c 3000000 /dev/urandom >src.fourth/$i
    expect_code 0 repo snapshot -q src.fourth
    rm src.fourth/$i
done
rm disk/store/reserve
expect_code 0 repo forget -q "$(snapshot_ids | tail -n 3 | head -n 1)"
dd if=/dev/zero of=disk/ballast.more bs=1k 2>/dev/null || true
expect_code $full repo forget -q "$(snapshot_ids | tail -n 2 | head -n 1)"
expect_code 0 repo forget -q --prune --max-unused unlimited "$(snapshot_ids | tail -n 2 | head -n 1)"
expect_lines <(snapshot_ids | wc -l) 4
expect_code 0 repo check --read-data
rm disk/ballast.more disk/ballast.rest
make_room disk

# A damaged pack that is smaller than the reserve, and no room: a repair takes the reserve.
expect_code 0 repo prune -q
mkdir src.fifth
head -c 1000000 /dev/urandom >src.fifth/noise
touch before
expect_code 0 repo snapshot -q src.fifth
pack=$(find disk/store/packs -type f -newer before -size +900k)
printf 'damaged' | dd of="$pack" bs=1 seek=500000 conv=notrunc 2>/dev/null
fill disk
dd if=/dev/zero of=disk/ballast.rest bs=1k 2>/dev/null || true
expect_code 20 repo repair --apply
[ ! -e "$pack" ] || fail "the damaged pack is still there"
[ ! -e disk/store/reserve ] || fail "the reserve was not needed"
rm disk/ballast.rest
make_room disk
expect_code 0 repo repair --apply --from src.fifth
expect_code 0 repo prune -q
[ -e disk/store/reserve ] || fail "the reserve is not there again"

# The cache's disk is full: commands fail and say so, or do without.
fill small_cache
for command in "check" "ls $first" "snapshot -q src.first"; do
    code=0
    # shellcheck disable=SC2086
    "$program" --cache-dir "$work/small_cache" $command >out 2>err || code=$?
    if [ "$code" = 0 ]; then continue; fi
    [ "$code" = 1 ] || [ "$code" = $full ] || fail "\`$command\` exits with $code: $(head -c 400 err)"
    expect_error "No space left"
done
make_room small_cache
[ -z "$(find small_cache -name '*.new-*')" ] || fail "left behind: $(find small_cache -name '*.new-*')"
expect_code 0 repo --cache-dir "$work/small_cache" check
expect_code 0 repo --cache-dir "$work/small_cache" snapshot -q src.first

# What is restored does not fit: it says which, what is there is exact, and the next restore completes it.
mkdir -p small_cache/target
fill small_cache
truncate -s -4000000 small_cache/ballast
code=0
repo restore "$second:$work/src.second" -t small_cache/target >out 2>err || code=$?
[ "$code" != 0 ] || fail "restored 30 MB into 4 MB"
grep -q "No space left" err out || fail "restore does not say what is wrong: $(head -c 400 err)"
make_room small_cache
expect_code 0 mount -o remount,size=128m small_cache
expect_code 0 repo restore "$second:$work/src.second" -t small_cache/target
expect_same_tree src.second small_cache/target

echo "full disk: init, snapshot (7 times), check, ls, cat, restore, forget, prune, repair; 0 lost"
