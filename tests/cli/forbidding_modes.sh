#!/usr/bin/env bash
# Files whose modes keep also their owner from reading them are restored by an ordinary user like any others, and verified.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

is_root || skip_all "only root can save what its owner may not read"
command -v setpriv >/dev/null || skip_all "setpriv is not installed"
share_program
expect_code 0 repo -r store init -q --encryption none
export REPO_REPOSITORY=$work/store
user=65534
as_user() { setpriv --reuid=$user --regid=$user --clear-groups env REPO_CACHE_DIR="$work/theirs/cache" "$program" "$@"; }

modes=(000 200 400 644)
mkdir src
for mode in "${modes[@]}"; do
    echo "$mode" >"src/$mode"
    chmod "$mode" "src/$mode"
    ln "src/$mode" "src/again-$mode"
done
echo alone >src/alone
chmod 444 src/alone
chown -R $user:$user src
expect_code 0 repo snapshot -q src
chmod -R a+rX store
mkdir -p theirs/there
for mode in "${modes[@]}"; do echo other >"theirs/there/$mode"; done
chown -R $user:$user theirs

for target in new there there; do
    expect_code 0 as_user restore "latest:$work/src" -t "$work/theirs/$target" --verify --json
    expect_equal "$(field files_verified)" 9
    expect_same_tree src "theirs/$target"
done
# Nor do they keep what is as it was from being looked at, or tidied.
setfattr -n user.more -v 1 theirs/there/alone 2>/dev/null || skip "no attributes here"
expect_code 0 as_user restore "latest:$work/src" -t "$work/theirs/there" --overwrite if-changed --json
expect_equal "$(field files_unchanged)" 9
expect_equal "$(getfattr theirs/there/alone)" ""
expect_same_tree src theirs/there
echo "all as expected"
