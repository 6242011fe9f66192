#!/usr/bin/env bash
# Standard input and commands as files of a snapshot, several at a time, whole or not at all.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

new_repository store
head -c 9000000 /dev/urandom >random
seq 500000 >numbers
: >nothing

expect_code 0 repo snapshot --stdin <random
repo cat latest:/stdin | cmp - random
expect_code 0 repo snapshot --stdin --stdin-filename dump.sql <numbers
repo cat latest:/dump.sql | cmp - numbers
expect_code 0 repo snapshot --stdin --stdin-filename empty <nothing
repo cat latest:/empty | cmp - nothing
# One that was not is missed, whichever job ran in between.
expect_code 3 repo snapshot --stdin <nothing
expect_error "/stdin: is empty, and was not before"
repo cat latest:/stdin | cmp - nothing
seq 500000 | repo snapshot -q --stdin
repo dump latest:stdin | cmp - numbers

# All that follows -- belongs to the command, options too; its messages are passed on.
expect_code 0 repo snapshot --stdin-filename db --stdin-from-command -- \
    sh -c 'echo note >&2; shift; cat "$@"' sh --tag random numbers
expect_error note
cat random numbers | cmp - <(repo cat latest:/db)
# A command has no standard input. A stream that was not empty before is missed until that is meant.
for ((i = 0; i < 2; i++)); do
    expect_code 3 repo snapshot --stdin-filename db --stdin-from-command -- cat
    expect_error "/db: is empty, and was not before"
    repo cat latest:/db | cmp - nothing
done
expect_code 0 repo snapshot --force --stdin-filename db --stdin-from-command -- cat
expect_code 0 repo snapshot --stdin-filename db --stdin-from-command -- cat

# Two streams and a folder in one snapshot. Each command waits for the other in the middle of more
# output than a pipe holds: read one after the other, they would wait for ever.
mkfifo there back
mkdir folder && echo 1 >folder/file
expect_code 0 timeout 120 "$program" snapshot folder \
    --stream first='cat random; echo go >there; cat back; cat random' \
    --stream second='cat there; cat numbers numbers; echo gone >back; cat numbers'
(cat random && echo gone && cat random) | cmp - <(repo cat latest:/first)
(echo go && cat numbers numbers numbers) | cmp - <(repo cat latest:second)
expect_code 0 repo restore latest -t restored
expect_same_tree folder "restored$work/folder"
cmp <(repo cat latest:/first) restored/first
expect_equal "$(stat -c %a restored/second)" 600
expect_code 0 repo snapshots --json
expect_equal "$(python3 -c 'import json; s = json.load(open("out"))[-1]; print(s["streams"], s["paths"])')" \
    "['first', 'second'] ['$work/folder']"

# A command that fails is noticed, even by a child of who does not want to hear of children.
expect_code 22 python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$program" snapshot --stream first='cat numbers; exit 3'
expect_error "exit code 3"

# What was stored once is stored once, whichever way it comes.
packs() { find store/packs -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }'; }
before=$(packs)
expect_code 0 repo snapshot --stream again='cat random'
[ $(($(packs) - before)) -lt 100000 ] || fail "a known stream was stored again"
expect_code 0 repo snapshot --stream again='cat random' --skip-if-unchanged
repo cat latest:/again | cmp - random

# A name is one component of a path, and each is there once.
before=$(snapshot_ids)
for name in a/b . ..; do
    expect_code 22 repo snapshot --stream "$name=echo 1"
    expect_error "one component"
    expect_code 22 repo snapshot --stdin --stdin-filename "$name" <numbers
done
expect_code 22 repo snapshot --stream "$(printf 'x%.0s' {1..256})=echo 1"
expect_code 22 repo snapshot --stream same='echo 1' --stream same='echo 2'
expect_code 22 repo snapshot --stream stdin='echo 1' --stdin <numbers
expect_code 22 repo snapshot folder --stream "$(cut -d / -f 2 <<<"$work")=echo 1"
expect_error "taken"
expect_code 2 repo snapshot --stream =true
expect_error "NAME=COMMAND"
# An empty variable.
for stream in app.sql= 'app.sql= '; do
    expect_code 2 repo snapshot --stream "$stream"
    expect_error "has no command"
done
expect_equal "$(snapshot_ids)" "$before"
expect_code 0 repo snapshot --stream $'odd\n\xff=echo "a=b"'
expect_equal "$(repo cat "latest:/"$'odd\n\xff')" "a=b"
expect_code 0 repo ls latest
expect_lines out '/odd\x0a\xff'

# One that fails takes the others with it; nothing of a dry run is kept.
before=$(snapshot_ids)
expect_code 22 repo snapshot --stream whole='cat random' --stream broken='cat numbers; exit 3'
expect_error '"broken"'
expect_code 0 repo snapshot -n --stream new='seq 600000'
expect_equal "$(snapshot_ids)" "$before"
expect_code 0 repo check --read-data

# None is started when something else is wrong.
for mistake in "--time yesterday" "--exclude [a-" "--files-from missing" "--require-offsite $work"; do
    # shellcheck disable=SC2086
    ! repo snapshot --stream early='touch started' $mistake >out 2>err || fail "$mistake is taken"
done
[ ! -e started ] || fail "a command was run for nothing"

# Not even when another has nothing to say and no end.
mkfifo never
expect_code 22 timeout -k 1 20 "$program" snapshot --stream broken='exit 3' --stream endless='cat never'
expect_error '"broken"'
# Nor one that does not end when it is asked to.
expect_code 22 timeout -k 1 60 "$program" snapshot --stream broken='exit 3' \
    --stream stubborn='trap "" TERM INT; echo $$ >pid; cat never & while :; do wait; done'
expect_error '"broken"'
[ ! -s pid ] || ! kill -0 "$(cat pid)" 2>/dev/null || fail "a stream's command goes on"
echo "all as expected"
