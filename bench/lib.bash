# What copy.sh, history.sh and prune.sh share: the program that is measured, a working folder, the
# repository in it, and how time and memory are taken. Sourced by each as its first step; REPO_BIN and WORK are as each says.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck disable=SC2034  # for who sources this
repo=$(realpath "${REPO_BIN:-build/release/cli/repo}")
own_work=""
[ -n "${WORK-}" ] || own_work=$(mktemp -d)
work=$(realpath "${WORK:-$own_work}")
remove_own_work() { [ -z "$own_work" ] || rm -rf "$own_work"; }
trap remove_own_work EXIT
export REPO_REPOSITORY=$work/repository REPO_CACHE_DIR=$work/cache REPO_KEY_FILE=$work/key
unset REPO_PASSWORD REPO_PASSWORD_FILE REPO_PASSWORD_COMMAND

# timed NAME COMMAND...: seconds and peak memory, what is on the disk included.
timed() {
    local name=$1 seconds peak
    shift
    sync -f "$work"
    # shellcheck disable=SC2016  # for the inner shell
    read -r seconds peak < <(/usr/bin/time -f '%e %M' bash -c '"$@" >/dev/null && sync -f "$0"' "$work" "$@" 2>&1 | tail -n 1)
    printf '%-34s %8.2f s  %6d MiB peak\n' "$name" "$seconds" $((peak / 1024))
}
