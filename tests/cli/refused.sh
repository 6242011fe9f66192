#!/usr/bin/env bash
# A folder that a restore may not use is left as it is, with all that is in it.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

# Another user's folder that this one may write to, and may not change the mode of.
is_root || skip_all "only root can make a folder of somebody else"
as_nobody() {
    python3 -c 'import subprocess, sys
sys.exit(subprocess.run(sys.argv[1:], user=65534, group=65534, extra_groups=[]).returncode)' "$@"
}
chmod a+rwx "$work"
share_program

mkdir -p src/folder
echo new >src/folder/first
ln src/folder/first src/folder/second
ln src/folder/first src/outside
chown -R 65534:65534 src
export REPO_REPOSITORY=$work/store
as_nobody "$program" init -q --encryption none
expect_code 0 as_nobody "$program" snapshot src

mkdir -p target/folder
echo old >target/folder/first
echo new >target/folder/second
touch target/folder/third
chown 65534:65534 target target/folder/*
chown 0:65534 target/folder
chmod 0570 target/folder
before=$(listing target/folder)

# refused OPTION...: the folder is named once, and as it was.
refused() {
    expect_code 1 as_nobody "$program" restore "latest:$work/src" -t target --verify --delete "$@"
    expect_error "folder: cannot make it writable: Operation not permitted"
    expect_equal "$(grep -c folder err)" 1
    expect_equal "$(listing target/folder)" "$before"
}
refused
expect_equal "$(cat target/outside)" new
refused -i first -i second -i third
echo "all as expected"
