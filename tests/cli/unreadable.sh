#!/usr/bin/env bash
# A disk that does not give back what one pack holds: that is damage of the pack, and of the files and folders in it, not
# the end of every command.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

new_repository store
for name in one two three; do
    mkdir -p "src/$name"
    head -c 200000 /dev/urandom >"src/$name/file"
    expect_code 0 repo snapshot -q src
    find store/packs -type f -printf '%s %p\n' | sort -n | cut -d ' ' -f 2 >"packs.$name"
done
require_strace pread64 "$work/store/config" "$program" snapshots

folders=$(head -n 1 packs.one)  # the smallest
pack=$(tail -n 1 packs.three)   # the largest: of a file's contents

# with_bad_disk PACK CODE COMMAND...: reading that pack fails.
with_bad_disk() {
    local bad=$1 expected=$2
    shift 2
    expect_code "$expected" strace -f -qq -o "$work/trace" -P "$work/$bad" -e trace=pread64 \
        -e inject=pread64:error=EIO "$program" "$@"
    grep -q INJECTED "$work/trace" || fail "the pack was not read"
}

# What reads folders names the one that is lost, and lists the others.
with_bad_disk "$folders" 20 ls "latest:$work/src"
expect_error "repo: $work/src/one: chunk "
expect_lines "$work/out" "$work/src/one" "$work/src/three" "$work/src/three/file" "$work/src/two" "$work/src/two/file"
with_bad_disk "$folders" 20 diff latest~2 latest
expect_error "repo: /: chunk "
with_bad_disk "$folders" 20 dump "latest:$work/src"
expect_error "$work/src/one: chunk "

with_bad_disk "$pack" 20 check --read-data
expect_error "${pack#store/}: cannot read: Input/output error"

with_bad_disk "$pack" 20 restore "latest:$work/src" -t restored
expect_error "not restored: 1"
expect_equal "$(find restored -type f -size 200000c | wc -l)" 2

with_bad_disk "$pack" 20 repair
expect_error "${pack#store/}: cannot read: Input/output error"

# Nothing of it is thrown away: another disk may read it.
with_bad_disk "$pack" 20 repair --apply
[ -f "$pack" ] || fail "the pack is gone"
expect_code 0 repo repair --apply
expect_code 0 repo check --read-data
expect_code 0 repo restore "latest:$work/src" -t whole
expect_same_tree src whole
