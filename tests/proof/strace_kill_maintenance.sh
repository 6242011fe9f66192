#!/usr/bin/env bash
# forget, prune, copy, repair and changes of keys are killed at, or given an error by, their N-th call of the system
# that changes anything, for N = 1, 2, ... until they end by themselves. Then the same command does its work, and
# nothing that was not forgotten is lost.
#
# COFFRE_PROOF_LONG=1: every N; else every second one.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.bash
. "$here/../cli/lib.bash"
# shellcheck source=tests/proof/strace.bash
. "$here/strace.bash"

put_back() { rm -rf store cache there key.new && cp -a base/. .; }

is_listed() { snapshot_ids >listed && grep -q "$1" listed; }

# What each command is told to do, after what.
before_forget() { arguments=(forget --allow-many "$second"); }
before_prune() {
    repo forget --allow-many "$second" >out
    arguments=(prune --max-unused 0%)
}
before_copy() { arguments=(-r there --key-file there.key copy --from store --from-key-file store.key); }
before_repair() {
    rm -f store/bundles/*
    arguments=(repair --apply)
}
before_key() { arguments=(key add --new-key-file key.new); }

# What it is told the second time: the same, but for this.
again_forget() { is_listed "$second" || arguments=(snapshots); }
again_prune() { :; }
again_copy() { :; }
again_repair() { :; }
# Made durable before it is added: then it may be one that opens nothing.
again_key() { rm -f key.new; }

finally_copy() {
    code_of "$1" -r there --key-file there.key check --read-data
    rm -rf restored
    code_of "$1" -r there --key-file there.key restore "latest:$work/src" -t restored
    expect_listed src restored src.listing
}
finally_key() { code_of "$1" --key-file key.new snapshots; }
finally_forget() { ! is_listed "$second" || fail "$1: is not forgotten"; }
finally_prune() { expect_code 0 repo prune --max-unused 0% --dry-run; }
finally_repair() { code_of "$1" repair; }

# every_n_of COMMAND SYSTEM-CALLS WHAT
every_n_of() {
    local command=$1 calls=$2 what=$3 number round
    for ((number = 1; number < limit; number += stride)); do
        put_back
        "before_$command"
        inject "$calls" "$what" "$number" "${arguments[@]}" || break
        round="$what at $calls $number of $command"
        if [ "$code" != 0 ]; then
            "again_$command"
            code_of "$round" "${arguments[@]}"
        fi
        "finally_$command" "$round"
        code_of "$round" check --read-data
        expect_whole "$round"
    done
    [ "$number" -lt "$limit" ] || fail "$command: $calls: never ends by itself"
}

# In memory where that is allowed: what a power cut leaves of the disk is no matter here.
if mount_tmpfs "$work/memory" 200M; then
    work=$work/memory
    export REPO_CACHE_DIR=$work/cache
    cd "$work"
fi
new_repository store
expect_code 0 repo -r there --key-file there.key init -q
make_source 10
expect_code 0 repo snapshot -q src
first=$(snapshot_ids)
cp -a src src.first
head -c 150000 /dev/urandom >src/noise
expect_code 0 repo snapshot -q src
second=$(snapshot_ids | tail -n 1)
make_source 3000
note_sources
expect_code 0 repo snapshot -q src
mkdir base
cp -a store cache there base/

for command in forget prune copy repair key; do
    for calls in linkat fsync,fdatasync pwrite64,write,writev unlink,unlinkat rename,renameat2; do
        every_n_of $command $calls signal=KILL
    done
    every_n_of $command fsync,fdatasync,syncfs error=EIO
    every_n_of $command write,pwrite64,writev error=ENOSPC
    every_n_of $command linkat error=EIO
    every_n_of $command unlink,unlinkat error=EACCES
done

echo "strace: $runs runs, $failed_runs of them ended early; 0 lost"
