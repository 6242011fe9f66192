#!/usr/bin/env bash
# The program is killed at, or given an error by, its N-th call of the system that changes anything, for
# N = 1, 2, ... until it ends by itself: done and sound, or failed and nothing lost.
#
# COFFRE_PROOF_LONG=1: every N; else every second one. strace counts calls by thread, so each call has a
# pass of its own; what other threads did by then varies.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/../cli/lib.bash"

strace -f --seccomp-bpf -o "$work/trace" -e inject=fsync:error=EIO:when=1 true 2>/dev/null || {
    echo "skipped: strace cannot be used here"
    exit 77
}

limit=400 # of N: more than any run makes
stride=1
[ "${COFFRE_PROOF_LONG-}" = 1 ] || stride=2
runs=0 failed_runs=0 unannounced=0

make_source() {
    mkdir -p src/deep
    head -c 150000 /dev/urandom >src/noise
    seq 1 20000 >src/numbers
    seq 1 "$1" >src/deep/small
}

# What a round starts from, and how it gets back there.
keep() { rm -rf base && mkdir base && cp -a store cache base/; }
put_back() { rm -rf store cache key.new store.new && cp -a base/. .; }

# inject SYSTEM-CALLS WHAT N COMMAND...: its exit code in $code; false when no call was met.
inject() {
    local calls=$1 what=$2 number=$3
    shift 3
    code=0
    # In braces, for the shell to be silent about the kill.
    { strace -f --seccomp-bpf -o trace -e trace="$calls" -e "inject=$calls:$what:when=$number" \
        "$program" --threads 1 "$@" >out 2>err; } 2>/dev/null || code=$?
    runs=$((runs + 1))
    grep -q INJECTED trace || [ "$code" = 137 ]
}

# Snapshots that were there before are whole, and so is the next one.
expect_goes_on() {
    local what=$1 listed
    code_of "$what" check --read-data
    snapshot_ids >listed
    grep -q "$first" listed || fail "$what: the first snapshot is lost"
    listed=$(wc -l <listed)
    [ "$code" = 0 ] && [ "$listed" != 2 ] && fail "$what: success, and no snapshot"
    if [ "$code" != 0 ] && [ "$listed" != 1 ]; then unannounced=$((unannounced + 1)); fi
    rm -rf restored
    code_of "$what" restore "$first:$work/src" -t restored
    expect_same_tree src.first restored
    code_of "$what" snapshot -q src
    rm -rf restored
    code_of "$what" restore "latest:$work/src" -t restored
    expect_same_tree src restored
}

code_of() {
    local what=$1
    shift
    "$program" "$@" >out 2>err || fail "$what: then \`repo $1\` exits with $?: $(head -c 600 err)"
}

# every_n SYSTEM-CALLS WHAT: of a snapshot.
every_n() {
    local calls=$1 what=$2 number
    for ((number = 1; number < limit; number += stride)); do
        put_back
        inject "$calls" "$what" "$number" snapshot -q src || break
        if [ "$code" != 0 ]; then failed_runs=$((failed_runs + 1)); fi
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
        if [ "$code" != 0 ]; then failed_runs=$((failed_runs + 1)); fi
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
