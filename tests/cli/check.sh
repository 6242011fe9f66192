#!/usr/bin/env bash
# repo check: parts of the data, what was verified longest ago, and within a time.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

new_repository store
mkdir src
for n in 1 2 3 4 5; do
    head -c 100000 /dev/urandom >"src/$n"
    expect_code 0 repo snapshot -q src
done
packs=$(find store/packs -type f | wc -l)
bytes=$(find store/packs -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')

# check_json OPTION...: leaves the document in $work/out.
check_json() {
    expect_code 0 repo check --json "$@"
    expect_no_error
}

check_json
expect_equal "$(field packs_read) $(field packs) $(field pack_bytes)" "0 $packs $bytes"
expect_equal "$(field packs_never_verified) $(field bytes_never_verified)" "$packs $bytes"

# Nothing is read without time; each slice reads other packs.
check_json --budget 0s
expect_equal "$(field packs_read)" 0
check_json --read-data-subset 1/2
first=$(field packs_read)
expect_equal "$(field packs_never_verified)" $((packs - first))
check_json --read-data-subset 2/2
expect_equal "$(field packs_read)" $((packs - first))
expect_equal "$(field packs_never_verified) $(field bytes_never_verified)" "0 0"
field oldest_verification >/dev/null
check_json --max-age 1d
expect_equal "$(field packs_read)" 0
check_json --read-data --max-age 1d --budget 10m
expect_equal "$(field packs_read)" 0
check_json --read-data --budget 10m
expect_equal "$(field packs_read) $(field bytes_read)" "$packs $bytes"
check_json --read-data-subset 10%
expect_equal "$(field packs_read)" $(((packs + 9) / 10))
check_json --read-data-subset 100%
expect_equal "$(field packs_read)" "$packs"
check_json --read-data-subset 150K
[ "$(field bytes_read)" -le 153600 ] || fail "more than 150 KiB were read"
check_json --read-data-subset 1G
expect_equal "$(field packs_read)" "$packs"

expect_code 0 repo check --read-data
expect_output "$packs of $packs packs"
expect_output "verified  all packs; the oldest"
expect_code 0 repo check
! grep -q verified out || fail "a check that reads no data tells what was verified"

# Another machine knows nothing.
expect_code 0 repo check --cache-dir elsewhere --read-data-subset 1/2
expect_output "verified  never: $((packs - first)) packs"

for odd in 0/2 3/2 1/0 /2 1/ 1/2/3 -1/2 0% 101% % x% nan% x -5 1.5 0 0G; do
    expect_code 2 repo check "--read-data-subset=$odd"
    expect_error "write 2/7"
done
expect_code 2 repo check --read-data-subset ''
expect_code 2 repo check --budget 10
expect_error "is not a duration"
expect_code 2 repo check --max-age 1w
expect_code 2 repo check --scrub --budget 10m
expect_code 2 repo check --scrub --max-age 10m
expect_code 2 repo check --scrub --read-data-subset 1/2
expect_code 2 repo check --read-data --read-data-subset 1/2
expect_error "excludes"

# A folder that a copy left out is named, with what to do.
mv store/forgets aside
expect_code 1 repo check
expect_error "forgets/: cannot list: there is no such folder"
mv aside store/forgets

# What may not be read is named like damage, and everything else looked at all the same.
if is_root && command -v setpriv >/dev/null; then
    user=$((60000 + RANDOM % 5000))
    chmod 755 "$work"
    share_program
    chown -R $user "$work"
    denied=$(find store/packs -type f | head -n 1)
    chmod 0 "$denied"
    expect_code 20 setpriv --reuid=$user --clear-groups "$program" check --read-data
    expect_error "${denied#store/}: cannot open: Permission denied"
    expect_error "errors found: 1;"
    expect_output "read      $((packs - 1)) of $packs packs"
    expect_code 20 setpriv --reuid=$user --clear-groups "$program" check --scrub
    expect_error "errors found: 1;"
    # It may be sound, so nothing is set aside.
    expect_code 1 setpriv --reuid=$user --clear-groups "$program" repair --apply
    expect_error "${denied#store/}: cannot open: Permission denied"
    [ ! -e store/quarantine ] || fail "what may not be read was set aside"
    chmod 600 "$denied"
    expect_code 0 setpriv --reuid=$user --clear-groups "$program" check --read-data
    # The root of a disk has a folder that only its administrator may look into.
    mkdir -m 700 store/lost+found
    expect_code 0 setpriv --reuid=$user --clear-groups "$program" check --scrub
    expect_code 0 setpriv --reuid=$user --clear-groups "$program" stats
    expect_code 0 setpriv --reuid=$user --clear-groups "$program" check
    rmdir store/lost+found
    # A repository may lie in a folder that its owner cannot list.
    mkdir above
    mkdir -m 700 above/store
    chmod 711 above
    chown $user above/store
    expect_code 0 setpriv --reuid=$user --clear-groups "$program" -r above/store init -q
fi
echo "all as expected"
