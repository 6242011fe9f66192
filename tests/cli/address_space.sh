#!/usr/bin/env bash
# Where a process may have little address space, or the processor has little, the index makes do with it.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

mkdir src
head -c 300000 /dev/urandom >src/file
new_repository store
for mib in 1024 8192 400000; do
    (
        ulimit -v $((mib * 1024))
        expect_code 0 repo snapshot --force -q src
        expect_code 0 repo check --read-data -q
        expect_code 0 repo restore latest -q -t "out$mib"
    ) || fail "with $mib MiB of address space"
    expect_same_tree src "out$mib$work/src"
done
