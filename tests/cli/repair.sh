#!/usr/bin/env bash
# repo repair: what a newcomer does on the day when something is broken.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

new_repository store
mkdir src
for n in $(seq 1 30); do head -c 100000 /dev/urandom >"src/file$n"; done
expect_code 0 repo snapshot -q src
largest() { find store/packs -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2; }

expect_code 0 repo repair
expect_output 'every file of every snapshot can be restored'
expect_code 2 repo repair --from src
expect_code 2 repo repair --apply --from typo
expect_error "typo: No such file"

# A byte is changed: some files are hurt, the others are not, and nothing is destroyed.
pack=$(largest)
printf x | dd of="$pack" bs=1 seek=5000 conv=notrunc status=none
cp "$pack" damaged
expect_code 20 repo repair
expect_output 'nothing was changed'
expect_output "hurt  $work/src/file"
[ -e "$pack" ] || fail "a dry run moved a pack"
expect_code 20 repo repair --json
hurt=$(field hurt)
expect_equal "$(field chunks_lost)" None
expect_code 20 repo repair --apply
expect_output 'saved from damaged packs'
cmp damaged store/quarantine/packs-* || fail "the damaged pack is not what was set aside"
[ ! -e "$pack" ] || fail "the damaged pack is still there"
expect_code 20 repo restore latest:"$work/src" -t partly
[ "$(find partly -type f | wc -l)" = $((30 - hurt)) ] || fail "not all others were restored"
# The source still has it.
expect_code 0 repo repair --apply --from src
expect_output 'every file of every snapshot can be restored'
expect_code 0 repo check --read-data
expect_code 0 repo check --scrub
expect_code 0 repo restore latest:"$work/src" -t back --verify
# What saved the files again is not among the snapshots.
expect_code 0 repo snapshots
[ "$(grep -c "$work/src" out)" = 1 ] || fail "there are other snapshots than before"
expect_code 0 repo snapshots --forgotten
expect_output '0 snapshots'
expect_equal "$(find store/forgets -type f | wc -l)" 1
expect_code 0 repo repair --apply --from src
expect_equal "$(find store/forgets -type f | wc -l)" 1 # nothing was saved once more
diff -r src back || fail "the restored tree differs"

# All bundles, and this machine's cache, are gone.
rm -r store/bundles/* cache
expect_code 20 repo check
expect_code 20 repo repair
expect_output 'packs in no bundle'
expect_code 0 repo repair --apply
rm -rf cache back
expect_code 0 repo check --read-data
expect_code 0 repo restore latest:"$work/src" -t back --verify

# A pack is deleted: what it held is lost, and said.
rm "$(largest)"
expect_code 20 repo repair --apply --skip-data
expect_output 'missing packs'
expect_code 0 repo repair --apply --from src
expect_code 0 repo check --read-data
expect_code 0 repo prune

# A record of a session that cannot be read keeps no collection waiting.
echo junk >"store/sessions/$(printf '%032d' 0)"
expect_code 20 repo check
expect_code 20 repo repair
expect_output 'damaged session records'
expect_code 0 repo repair --apply
expect_code 0 repo check
expect_code 0 repo prune
expect_code 0 repo check

# A folder in the place of a bundle cannot be moved, and is not said to be.
stuck=store/bundles/$(printf '%032d' 0)
mkdir "$stuck"
expect_code 20 repo repair --apply
expect_output 'set aside, but for what cannot be moved'
expect_error "it stays where it is"
expect_code 20 repo repair --apply --json
expect_equal "$(field unmoved)" 1
expect_equal "$(field chunks_lost)" 0
rmdir "$stuck"
expect_code 0 repo repair
echo "all as expected"
