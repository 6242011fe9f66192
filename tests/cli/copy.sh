#!/usr/bin/env bash
# repo copy: into a repository with other keys, again and again, with and without what is damaged.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

printf 'first passphrase' >first
printf 'second passphrase' >second
expect_code 0 repo init -r here -p first
expect_code 0 repo init -r there -p second
mkdir src
head -c 400000 /dev/urandom >src/picture
echo one >src/note
expect_code 0 repo snapshot -q -r here -p first src --tag nightly

copy=(repo copy -r there -p second --from here --from-password-file first)
expect_code 12 repo copy -r there -p second --from here
expect_code 1 repo copy -r here -p first --from here
expect_error 'same repository'
expect_code 2 repo copy -r there -p second
expect_code 0 "${copy[@]}" --dry-run
expect_output 'would copy snapshot'
expect_equal "$(find there/packs -type f | wc -l)" 0
expect_code 0 "${copy[@]}"
expect_output '1 copied, 0 there before'
expect_code 0 "${copy[@]}" --json
expect_equal "$(field snapshots_there)" 1

echo two >src/note
expect_code 0 repo snapshot -q -r here -p first src
expect_code 0 "${copy[@]}"
expect_output '1 copied, 1 there before'
[ "$(du -sk there/packs | cut -f 1)" -lt 3000 ] || fail "the picture was stored twice"
expect_code 0 repo status -r here -p first
expect_output "copied    to $work/there: the newest of"
expect_code 0 repo status -r here -p first --json
expect_output "\"destination\":\"$work/there\""
expect_code 0 repo copy -r there/ -p second --from here --from-password-file first
expect_code 0 repo status -r here -p first --json
expect_output "\"destination\":\"$work/there\""

# The first repository is gone: the second one has it all.
mv here lost
expect_code 0 repo check -r there -p second --read-data
expect_code 0 repo restore -r there -p second latest:"$work/src" -t back --verify
diff -r src back || fail "the restored tree differs"
expect_code 0 repo snapshots -r there -p second --tag nightly
expect_output nightly

# What is damaged is named, what is not is copied.
mv lost here
find here/packs -type f -size +300k | while read -r pack; do printf x | dd of="$pack" bs=1 seek=5000 conv=notrunc status=none; done
echo sound >other
expect_code 0 repo snapshot -q -r here -p first other
expect_code 0 repo init -r third -p second
expect_code 20 repo copy -r third -p second --from here --from-password-file first
expect_error 'is not copied'
expect_output '1 copied'
expect_code 0 repo check -r third -p second --read-data

# What is lost here comes back, into the snapshots that are here already.
expect_code 0 repo init -r good -p first
expect_code 0 repo snapshot -q -r good -p first src
expect_code 0 repo init -r hurt -p second
back=(repo copy -r hurt -p second --from good --from-password-file first)
expect_code 0 "${back[@]}"
find hurt/packs -type f -size +300k -delete
expect_code 20 repo repair -q --apply -r hurt -p second
expect_code 0 "${back[@]}"
expect_code 20 repo check -q -r hurt -p second
expect_code 0 "${back[@]}" --heal --dry-run
expect_output 'would heal'
expect_code 20 repo check -q -r hurt -p second
expect_code 0 "${back[@]}" --heal
expect_output '0 copied, 1 there before (1 of them healed)'
expect_code 0 repo check -r hurt -p second --read-data
expect_code 0 "${back[@]}" --heal --json
expect_equal "$(field snapshots_there) $(field snapshots_healed)" "1 0"

# From one that is not encrypted, if that is said.
expect_code 0 repo init -r plain --encryption none
env -u REPO_PASSWORD -u REPO_PASSWORD_FILE -u REPO_KEY_FILE "$program" snapshot -q -r plain src
expect_code 0 repo init -r sealed -p second
expect_code 11 repo copy -r sealed -p second --from plain
expect_code 2 repo copy -r sealed -p second --from plain --from-unencrypted --from-password-file first
expect_code 0 repo copy -r sealed -p second --from plain --from-unencrypted
expect_output '1 copied'
expect_code 12 repo copy -r sealed -p second --from good --from-unencrypted

# What was copied is told at once: a run that ends early has said so.
if mount_tmpfs disk 12m; then
    expect_code 0 repo init -r disk/fourth -p second
    expect_code 0 repo init -r sound -p first
    expect_code 0 repo snapshot -q -r sound -p first other
    head -c 20000000 /dev/urandom >large
    expect_code 0 repo snapshot -q -r sound -p first large
    expect_code 21 repo copy --json -r disk/fourth -p second --from sound --from-password-file first
    expect_equal "$(field message_type)" copied
    mv out told
    expect_code 0 repo snapshots --json -r disk/fourth -p second
    expect_output "\"id\":\"$(python3 -c 'import json; print(json.load(open("told"))["id"])')\""
    expect_code 21 repo copy -r disk/fourth -p second --from sound --from-password-file first
    expect_error "What was saved before is whole. Make room"
else
    skip "full disk: tmpfs cannot be mounted here"
fi
# One passphrase for both, from a pipe.
expect_code 0 repo init -q -r twin -p first
expect_code 0 repo copy -q -r twin --from sound -p <(cat first)
echo "all as expected"
