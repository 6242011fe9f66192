#!/usr/bin/env bash
# What a restore says of itself: each file that is written, or would be; and sums that add up.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

mkdir src
for i in {10..39}; do head -c 100000 /dev/urandom >"src/$i"; done
ln src/10 src/linked
new_repository store
expect_code 0 repo snapshot src
source="latest:$work/src"

# Nothing is there: all would be written, and is.
expect_code 0 repo restore "$source" -t target -n -vv
expect_output "files     31: 31 would be restored, 0 unchanged, 0 skipped"
expect_output "data      2.86 MiB of 2.96 MiB would be written"
expect_equal "$(grep -c '^new  ' err)" 31
[ ! -e target ] || fail "a dry run made the target"
expect_code 0 repo restore "$source" -t target -vv
expect_output "files     31: 31 restored, 0 unchanged, 0 skipped"
expect_output "data      2.86 MiB of 2.96 MiB written"
expect_equal "$(grep -c '^new  ' err)" 31

# A part of one file differs, another is gone, one is too much.
printf changed | dd of=target/20 conv=notrunc status=none
rm target/30 target/linked
touch target/more
for dry in -n ''; do
    expect_code 0 repo restore "$source" -t target --delete -vv ${dry:+"$dry"} --json
    sed 's/.*"action":"\([a-z]*\)".*"item":"\([^"]*\)".*/\1 \2/' err >said
    expect_lines said "changed 20" "new 30" "new linked" "deleted more"
    expect_equal "$(field files_restored) $(field files_unchanged) $(field files_deleted)" "3 28 1"
    written=$(($(field bytes_restored) + $(field bytes_to_restore)))
    if [ "$written" -le 100000 ] || [ "$written" -gt 200000 ]; then fail "$written bytes"; fi
done
expect_same_tree src target
expect_code 0 repo restore "$source" -t target -n -vv
expect_no_error
expect_output "0 would be restored, 31 unchanged"
expect_output "data      0 B of"

# A folder that is in a file's place counts with what is in it.
rm target/20
mkdir -p target/20/sub
touch target/20/sub/file
for dry in -n ''; do
    expect_code 0 repo restore "$source" -t target --delete -vv ${dry:+"$dry"} --json
    sed 's/.*"action":"\([a-z]*\)".*"item":"\([^"]*\)".*/\1 \2/' err >said
    expect_equal "$(grep -c ^deleted said) $(field files_deleted)" "3 3"
done
expect_same_tree src target

# What is damaged is not restored, and not counted as if it were.
rm -r target
pack=$(find store/packs -type f -size +1M)
cp "$pack" whole
: >"$pack"
expect_code 20 repo restore "$source" -t target
expect_output "files     31: 0 restored, 0 unchanged, 0 skipped"
expect_error "damaged in the repository and not restored: 30"
cp whole "$pack"

# Nothing that matches is no success.
expect_code 1 repo restore "$source" -t other -i /no/such/thing
expect_error "nothing in the snapshot matches --include"
expect_code 0 repo restore "$source" -t other -i 20

# The target is named when it cannot be used.
expect_code 1 repo restore "$source" -t src/10
expect_error "the folder src/10: Not a directory"
expect_code 1 repo restore "$source" -t "$work/src/10/below"
expect_error "$work/src/10/below: cannot create folder: Not a directory"
if is_root; then
    share_program
    mkdir -m 700 private
    chmod a+rx "$work"
    chown -R 65534:65534 store store.key cache
    expect_code 1 python3 -c 'import subprocess, sys
sys.exit(subprocess.run(sys.argv[1:], user=65534, group=65534, extra_groups=[]).returncode)' \
        "$program" restore "$source" -t "$work/private/out"
    expect_error "$work/private/out: cannot create folder: Permission denied"
else
    skip "a target that may not be used: only root can become an ordinary user"
fi

# A dry run knows what becomes of all names of a file.
mkdir named partly
echo one >named/a
ln named/a named/b
expect_code 0 repo snapshot named
echo 'two!' >partly/a
ln partly/a partly/b
expect_code 0 repo restore "latest:$work/named" -t partly -n --json
expect_equal "$(field files_restored) $(field files_unchanged)" "2 0"
expect_code 0 repo restore "latest:$work/named" -t partly --json
expect_equal "$(field files_restored) $(field files_unchanged)" "2 0"
expect_code 0 repo restore "latest:$work/named" -t partly -n --json
expect_equal "$(field files_restored) $(field files_unchanged)" "0 2"

# An ordinary user gets attributes back of what he may not write to himself.
mkdir forbidden
echo text >forbidden/file
if setfattr -n user.origin -v here forbidden/file 2>/dev/null; then
    setfattr -n user.origin -v there forbidden
    chmod 444 forbidden/file
    chmod 555 forbidden
    who=()
    if is_root && command -v setpriv >/dev/null; then
        chown -R 12345 .
        who=(setpriv --reuid=12345 --clear-groups)
    fi
    expect_code 0 "${who[@]}" "$program" snapshot forbidden
    for changed in nothing contents attribute; do
        [ $changed != contents ] || { chmod u+w again/file && echo other >again/file; }
        [ $changed != attribute ] || setfattr -n user.origin -v other again/file
        expect_code 0 "${who[@]}" "$program" restore "latest:$work/forbidden" -t again
        expect_equal "$(getfattr --only-values -n user.origin again/file)" here
        expect_equal "$(getfattr --only-values -n user.origin again)" there
        expect_equal "$(stat -c %a again again/file | xargs)" "555 444"
    done
else
    skip "attributes: this file system has none"
fi
echo "all as expected"
