#!/usr/bin/env bash
# `repo restore` is given an error by, or killed at, its N-th call of the system that changes anything, for N = 1, 2,
# ... until it ends by itself. When it ends with an error, each file it has made is whole; the next restore is.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.bash
. "$here/../cli/lib.bash"

# shellcheck source=tests/proof/strace.bash
. "$here/strace.bash"

# Files may be missing: what could not be written is named, and not left half done.
expect_none_wrong() {
    local what=$1 file
    [ "$code" != 0 ] || fail "$what: success, though a call has failed"
    while IFS= read -r file; do
        cmp -s "restored/$file" "src/$file" || fail "$what: $file is wrong"
    done < <(cd restored 2>/dev/null && find . -type f)
}

# every_n_of_restore SYSTEM-CALLS WHAT
every_n_of_restore() {
    local calls=$1 what=$2 number round
    for ((number = 1; number < limit; number++)); do
        rm -rf restored
        inject "$calls" "$what" "$number" restore "latest:$work/src" -t restored || break
        round="$what at $calls $number"
        case $what in error=*) expect_none_wrong "$round" ;; esac
        code_of "$round" restore "latest:$work/src" -t restored
        expect_same_tree src restored
    done
    [ "$number" -lt "$limit" ] || fail "$calls: never ends by itself"
}

new_repository store
make_source 10
# Several blocks, which share pages of the file; the last one ends within a page.
head -c 5000077 /dev/urandom >src/video
repo snapshot -q src

every_n_of_restore pwrite64 error=ENOSPC
every_n_of_restore pwrite64 error=EIO
every_n_of_restore fallocate,ftruncate error=ENOSPC
every_n_of_restore syncfs error=EIO
every_n_of_restore pwrite64 signal=KILL

echo "strace: $runs runs of restore, $failed_runs of them ended early; 0 files wrong"
