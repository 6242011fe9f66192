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
chown -R $user:$user src
expect_code 0 repo snapshot -q src
chmod -R a+rX store
mkdir -p theirs/there
for mode in "${modes[@]}"; do echo other >"theirs/there/$mode"; done
chown -R $user:$user theirs

for target in new there there; do
    expect_code 0 as_user restore "latest:$work/src" -t "$work/theirs/$target" --verify --json
    expect_equal "$(field files_verified)" 8
    expect_same_tree src "theirs/$target"
done
echo "all as expected"
