#!/usr/bin/env bash
# `repo snapshot` and `repo init` are killed at, or given an error by, their N-th call of the system that changes
# anything, for N = 1, 2, ... until they end by themselves: done and sound, or failed and nothing lost.
#
# COFFRE_PROOF_LONG=1: every N; else every second one. Each call has a pass of its own.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.bash
. "$here/../cli/lib.bash"

# shellcheck source=tests/proof/strace.bash
. "$here/strace.bash"

unannounced=0

# What a round starts from, and how it gets back there.
keep() { rm -rf base && mkdir base && cp -a store cache base/; }
put_back() { rm -rf store cache key.new store.new && cp -a base/. .; }

# Snapshots that were there before are whole, and so is the next one.
expect_goes_on() {
    local what=$1 listed
    code_of "$what" check --read-data
    snapshot_ids >listed
    grep -q "$first" listed || fail "$what: the first snapshot is lost"
    listed=$(wc -l <listed)
    [ "$code" = 0 ] && [ "$listed" != 2 ] && fail "$what: success, and no snapshot"
    if [ "$code" != 0 ] && [ "$listed" != 1 ]; then unannounced=$((unannounced + 1)); fi
    expect_whole "$what"
}

# every_n SYSTEM-CALLS WHAT: of a snapshot.
every_n() {
    local calls=$1 what=$2 number
    for ((number = 1; number < limit; number += stride)); do
        put_back
        inject "$calls" "$what" "$number" snapshot -q src || break
        expect_goes_on "$what at $calls $number"
    done
    [ "$number" -lt "$limit" ] || fail "$calls: never ends by itself"
}

# The same of init: a repository, or the way is free for one.
every_n_of_init() {
    local calls=$1 what=$2 number
    for ((number = 1; number < limit; number += stride)); do
        put_back
        inject "$calls" "$what" "$number" -r store.new --key-file key.new init -q || break
        if [ ! -e store.new/config ]; then
            code_of "$what at $calls $number of init" -r store.new --key-file key.new init -q
        fi
        code_of "$what at $calls $number of init" -r store.new --key-file key.new snapshot -q src
        code_of "$what at $calls $number of init" -r store.new --key-file key.new check --read-data
    done
}

new_repository store
make_source 10
expect_code 0 repo snapshot -q src
first=$(snapshot_ids)
cp -a src src.first
make_source 3000
note_sources
keep

for calls in linkat fsync fdatasync pwrite64 write writev mkdir rename unlink,unlinkat ftruncate; do
    every_n "$calls" signal=KILL
done
every_n fsync,fdatasync,syncfs error=EIO
every_n write,pwrite64,writev error=ENOSPC
every_n linkat error=EIO
for calls in linkat fsync,fdatasync mkdir,mkdirat write,pwrite64,writev; do
    every_n_of_init "$calls" signal=KILL
done
every_n_of_init write,pwrite64,writev error=ENOSPC
every_n_of_init fsync error=EIO

echo "strace: $runs runs, $failed_runs of them ended early; $unannounced snapshots were not announced; 0 lost"
