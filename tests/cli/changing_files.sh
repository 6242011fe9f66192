#!/usr/bin/env bash
# Files that change, vanish or fail while they are saved: each is named, the exit code is 3, and all
# the rest is saved as it is. No race is left to luck: strace stops the program at a known call.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

work_on_ext4 1G || true # not needed, but fast

# Read in three parts and more.
make_large() { head -c 12000000 /dev/urandom >"$1"; }

make_source() {
    mkdir -p src/folder/deep src/long
    seq 10000 >src/folder/numbers
    echo 1 >src/folder/deep/file
    ln src/folder/numbers src/folder/deep/another
    ln -s file src/folder/deep/link
    make_large src/changes
    # So many that listing them takes several calls.
    local i name
    name=$(printf 'x%.0s' {1..200})
    for ((i = 0; i < 300; ++i)); do : >"src/long/$name$i"; done
}

# A snapshot stopped after the Nth CALL on what is named.
begin() { stop_at "$1" "$2" "$3" "$program" snapshot src; }
# The Nth part of src/NAME has been read, which is not as it was saved before.
begin_reading() {
    touch "src/$2"
    touch -r "src/$2" time
    begin pread64 "$1" "$work/src/$2"
}

# with_error CALL ERROR N PATH [OPTION]: a snapshot in which that call fails.
with_error() {
    expect_code 3 strace -f -qq -o trace -P "$4" -e "trace=$1" -e "inject=$1:error=$2:when=$3" \
        "$program" snapshot "${@:5}" src
    grep -q INJECTED trace || fail "$1 was not called $3 times on $4"
}

# expect_named PATH TEXT: the one thing that went wrong, in the words of the program, in its count,
# and in the snapshot.
expect_named() {
    expect_error "repo: $work/src/$1: $2"
    expect_error "repo: 1 source could not be read whole; the rest is saved"
    expect_equal "$(wc -l <err)" 2
    expect_output " saved"
    expect_code 0 repo snapshots --json
    expect_equal "$(python3 -c 'import json; print(json.load(open("out"))[-1]["summary"]["failures"])')" 1
}

# What was saved comes back without an error; but for what is named it is what is there now.
expect_rest_is_whole() {
    local path
    rm -rf found expected
    expect_code 0 repo restore "latest:$work/src" -t found --verify
    if repo snapshots | tail -n 2 | grep -q '(incomplete)'; then
        expect_error "this snapshot is incomplete"
        expect_equal "$(wc -l <err)" 1
    else
        expect_no_error
    fi
    cp -a src expected
    for path in "$@"; do rm -rf "expected/$path" "found/$path"; done
    (cd expected && find . -type d -exec touch -d 2001-01-01 {} +)
    (cd found && find . -type d -exec touch -d 2001-01-01 {} +)
    expect_same_tree expected found
}

restored() { repo cat "latest:$work/src/$1"; }

# expect_prefix FILE WHOLE SMALLEST LARGEST: the file is the beginning of the other.
expect_prefix() {
    local size
    size=$(stat -c %s "$1")
    if [ "$size" -lt "$3" ] || [ "$size" -gt "$4" ]; then fail "$1 has $size bytes, expected $3 to $4"; fi
    cmp -n "$size" "$1" "$2"
}

# Undisturbed again, everything is saved.
expect_whole_next_time() {
    expect_code 0 repo snapshot --json src
    expect_no_error
    expect_equal "$(field failures)" 0
    rm -rf found
    expect_code 0 repo restore "latest:$work/src" -t found --verify
    expect_same_tree src found
}

make_source
new_repository store
require_strace pread64 "$work/src/changes" "$program" snapshot -n src
wait_until_settled

# Grows.
cp src/changes before
begin_reading 1 changes
head -c 5000000 /dev/urandom >>src/changes
go_on 3
expect_named changes "changed while it was read: saved as it was found"
restored changes >saved
expect_prefix saved src/changes 12000000 17000000
expect_rest_is_whole changes
expect_whole_next_time

# Shrinks below what has been read.
cp src/changes before
begin_reading 3 changes
truncate -s 1000 src/changes
go_on 3
expect_named changes "changed while it was read: saved as it was found"
restored changes >saved
expect_prefix saved before 4000000 16000000
expect_rest_is_whole changes
make_large src/changes
expect_whole_next_time

# Changes without another size, and somebody puts its time back.
begin_reading 1 changes
printf 'other' | dd of=src/changes bs=1 seek=1000 conv=notrunc status=none
printf 'other' | dd of=src/changes bs=1 seek=11000000 conv=notrunc status=none
touch -r time src/changes
go_on 3
expect_named changes "changed while it was read: saved as it was found"
restored changes >saved
expect_equal "$(stat -c %s saved)" 12000000
expect_rest_is_whole changes
expect_whole_next_time
# The same between two runs.
wait_until_settled
expect_code 0 repo snapshot -q src
touch -r src/changes time
printf 'again' | dd of=src/changes bs=1 seek=1000 conv=notrunc status=none
touch -r time src/changes
expect_code 0 repo snapshot --json src
expect_equal "$(field files_changed) $(field bytes_read)" "1 12000000"
restored changes | cmp - src/changes

# Replaced by rename: what was opened is read to its end; the next run has the other one, though its
# size and time are the same.
cp src/changes before
make_large replacement
begin_reading 2 changes
touch -r src/changes replacement
mv replacement src/changes
go_on 0
expect_no_error
restored changes | cmp - before
expect_rest_is_whole changes
expect_whole_next_time
# Between its listing and its opening: the new one is read, whole.
make_large replacement
touch src/changes
begin newfstatat 1 changes
mv replacement src/changes
go_on 0
restored changes | cmp - src/changes
expect_rest_is_whole

# Vanishes after its folder was listed, and after it was looked at; a folder, too.
echo gone >src/folder/vanishes
begin getdents64 2 "$work/src/folder" # the call that finds the end: one that is signalled stops early
rm src/folder/vanishes
go_on 3
expect_named folder/vanishes "No such file or directory"
expect_rest_is_whole
echo gone >src/folder/vanishes
begin newfstatat 1 vanishes
rm src/folder/vanishes
go_on 3
expect_named folder/vanishes "No such file or directory"
expect_rest_is_whole
mkdir -p src/folder/vanishes/inner
begin newfstatat 1 vanishes
rm -r src/folder/vanishes
go_on 3
expect_named folder/vanishes "No such file or directory"
expect_rest_is_whole
expect_whole_next_time

# Becomes something else after it was looked at: never followed, never waited for.
echo secret >secret
echo 1 >src/folder/becomes
begin newfstatat 1 becomes
ln -sf "$work/secret" src/folder/becomes
go_on 3
expect_named folder/becomes "Too many levels of symbolic links"
expect_rest_is_whole folder/becomes
rm src/folder/becomes && echo 1 >src/folder/becomes
begin newfstatat 1 becomes
rm src/folder/becomes && mkfifo src/folder/becomes
go_on 3
expect_named folder/becomes "was replaced while it was looked at"
expect_rest_is_whole folder/becomes
rm src/folder/becomes && mkdir src/folder/becomes && echo 1 >src/folder/becomes/file
begin newfstatat 1 becomes
rm -r src/folder/becomes && ln -s / src/folder/becomes
go_on 3
expect_named folder/becomes "Not a directory"
expect_rest_is_whole folder/becomes
rm src/folder/becomes
expect_whole_next_time

# A sparse file: cut off in the middle of a hole, and a hole that is filled while others are read.
make_sparse() {
    rm -f src/sparse
    truncate -s 60M src/sparse
    local i
    for i in 0 20 40; do
        head -c 9000000 /dev/urandom | dd of=src/sparse bs=1M seek=$i conv=notrunc status=none
    done
}
make_sparse
cp --sparse=always src/sparse before
begin_reading 1 sparse
truncate -s 15M src/sparse
go_on 3
expect_named sparse "changed while it was read: saved as it was found"
restored sparse >saved
cmp -n 9000000 saved before
truncate -s 70M before # what was cut off may have been read as zeros, as if the file went on
cmp -n "$(stat -c %s saved)" saved before
expect_rest_is_whole sparse
make_sparse
begin_reading 1 sparse
head -c 1000000 /dev/urandom | dd of=src/sparse bs=1M seek=15 conv=notrunc status=none
go_on 3
expect_named sparse "changed while it was read: saved as it was found"
expect_equal "$(restored sparse | wc -c)" "$(stat -c %s src/sparse)"
expect_rest_is_whole sparse
expect_whole_next_time
rm src/sparse

# Fails in the middle: left out, and named; the next run has it.
touch src/changes
with_error pread64 EIO 2 "$work/src/changes"
expect_named changes "cannot be read: Input/output error"
repo ls "latest:$work/src" >listed
if grep -qF "$work/src/changes" listed; then fail "a file that could not be read is in the snapshot"; fi
expect_rest_is_whole changes
expect_whole_next_time
make_sparse
with_error lseek EIO 2 "$work/src/sparse"
expect_named sparse "cannot be read: its holes cannot be found: Input/output error"
expect_rest_is_whole sparse
rm src/sparse
touch src/folder/numbers
with_error openat EACCES 1 another
expect_named folder/deep/another "Permission denied"
restored folder/numbers | cmp - src/folder/numbers # its other name
rm -rf found
expect_code 0 repo restore "latest:$work/src" -t found --verify
expect_equal "$(stat -c %h found/folder/numbers)" 1

# Attributes that cannot be read: the file is saved without them, and read again by the next run
# though nothing about it changed.
touch src/folder/deep/file
wait_until_settled
with_error flistxattr EIO 1 "$work/src/folder/deep/file"
expect_named folder/deep/file "cannot read the attributes: Input/output error"
restored folder/deep/file | cmp - src/folder/deep/file
expect_code 0 repo snapshot --json src
expect_equal "$(field files_changed) $(field failures)" "1 0"
expect_code 0 repo snapshot --json src
expect_equal "$(field files_changed) $(field failures)" "0 0"
with_error flistxattr EIO 1 "$work/src/folder"
expect_named folder "cannot read the attributes: Input/output error"
expect_whole_next_time

# A folder that cannot be listed to its end: what was listed is saved, and a restore deletes nothing
# there.
with_error getdents64 EIO 2 "$work/src/long"
expect_named long "Input/output error"
listed=$(repo ls "latest:$work/src/long" | wc -l)
if [ "$listed" = 0 ] || [ "$listed" -ge 300 ]; then fail "$listed entries, of 300 of which a part was listed"; fi
expect_rest_is_whole long
expect_code 1 repo restore "latest:$work/src" -t src --delete
expect_error "long: nothing was deleted here: the snapshot does not have all that was in the folder"
expect_equal "$(find src/long -type f | wc -l)" 300
with_error openat EACCES 1 "$work/src/long"
expect_whole_next_time

# As documents.
touch src/changes
with_error pread64 EIO 1 "$work/src/changes" --json
expect_equal "$(field failures)" 1
python3 - "$work/src/changes" <<'PYTHON' || fail "not the document that was expected: $(cat err)"
import json, sys
documents = [json.loads(line) for line in open("err")]
assert documents == [{"message_type": "error", "item": sys.argv[1],
                      "message": "cannot be read: Input/output error"}], documents
PYTHON
expect_code 0 repo check
echo "all as expected"
