#!/usr/bin/env bash
# A repository and a key file on a disk whose file system has no links, as FAT and exFAT.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

strace -f -qq -o /dev/null -e inject=linkat:error=EPERM true 2>/dev/null ||
    skip_all "strace cannot inject errors here"

without_links() {
    strace -f -qq -o /dev/null -e trace=link,linkat -e inject=link,linkat:error=EPERM "$program" "$@"
}

mkdir src
head -c 100000 /dev/urandom >src/file
export REPO_REPOSITORY=$work/store REPO_KEY_FILE=$work/stick
expect_code 0 without_links init
expect_code 0 without_links snapshot -q src
expect_code 0 repo check --read-data
expect_code 0 without_links restore -q latest -t restored
cmp src/file "restored$work/src/file"
# A key file that is there is taken, not written anew.
cp stick before
expect_code 0 without_links init -r another
cmp stick before
# Others have links, and a name that is given may replace one.
expect_code 0 env REPO_KEY_FILE="$work/linked" strace -f -qq -o /dev/null -e trace=renameat2 \
    -e inject=renameat2:error=EINVAL "$program" init -r third
expect_code 0 env REPO_KEY_FILE="$work/linked" "$program" snapshots -r third
[ -z "$(find . -name '.tmp-*' -o -name '*.new-*')" ] || fail "a temporary file is left"
