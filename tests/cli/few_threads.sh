#!/usr/bin/env bash
# Where no more threads can be started, every command ends: with an error, or with fewer.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

is_root || skip_all "only root can become another user, whose threads are counted"
command -v setpriv >/dev/null || skip_all "setpriv is not installed"

mkdir src
head -c 300000 /dev/urandom >src/file
new_repository store
expect_code 0 repo snapshot -q src
user=$((60000 + RANDOM % 5000))
chmod 755 "$work"
share_program
chown -R $user "$work"

# with_threads N COMMAND...: of a user that may have N; its exit code is in $code.
with_threads() {
    local threads=$1
    shift
    code=0
    timeout -k 1 60 setpriv --reuid=$user --clear-groups prlimit --nproc="$threads" \
        "$program" --threads 4 "$@" >out 2>err || code=$?
}

for threads in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 20 30; do
    for command in "snapshot --force -q src" "check --read-data" "restore latest -t out$threads"; do
        # shellcheck disable=SC2086
        with_threads $threads $command
        [ $code -lt 124 ] || fail "$threads threads: \`repo $command\` ends with $code: $(head -c 300 err)"
    done
done
expect_equal "$code" 0
# A stream for which there is no thread ends the others, which have nothing to say and no end.
mkfifo never
chown $user never
for ((threads = 1; threads <= 30; ++threads)); do
    with_threads $threads snapshot -q --stream endless='exec cat never' --stream broken='exit 3'
    [ $code -lt 124 ] || fail "$threads threads: a stream is waited for: $code"
    if grep -q "no thread" err; then refused=yes; fi
done
expect_equal "$code" 22
expect_equal "${refused-no}" yes
expect_code 0 repo check --read-data
