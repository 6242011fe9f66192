#!/usr/bin/env bash
# Whoever mistypes a word is told which, and what it may mean; help and version are where one looks.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

says() { # says WORDS COMMAND...: on standard error, with wrong usage
    local words=$1
    shift
    expect_code 2 repo "$@"
    expect_error "$words"
    expect_error "See \`repo --help\`."
    expect_no_output
}

says "no such command: restroe; did you mean restore?" restroe latest
says "no such command: snapshto; did you mean snapshot?" snapshto src -r somewhere
says "no such command: mount" mount
says "no such command: unlock; there are no locks" unlock
says "no such command: lst; did you mean list?" key lst
says "no such option: --form; did you mean --from?" copy --form x
says "--encryption belongs after the command" -r somewhere --encryption none init
says "no such option: --vrbose; did you mean --verbose?" snapshots --vrbose
says "no such option: --qqqqqqqq" check --qqqqqqqq=5
grep -q "mean" err && fail "a meaning is guessed where there is none"
expect_code 2 repo --json restroe latest
grep -q '"code":2' err || fail "no document: $(cat err)"
for options in "--json --threads x" "--threads x --json"; do
    # shellcheck disable=SC2086
    expect_code 2 repo $options snapshots
    grep -q '"code":2' err || fail "no document: $(cat err)"
done
# What is known and incomplete is told of as before.
expect_code 2 repo copy
expect_error "--from is required"
expect_code 2 repo snapshots extra
expect_error "extra"

expect_code 0 repo --version
expect_equal "$(cat out)" "$(repo version)"
expect_code 0 repo help
expect_output "restore"
expect_output "find files in all snapshots"
expect_code 0 repo help restore
expect_output "repo restore [OPTIONS]"
expect_output "--target"
expect_code 0 repo help key add
expect_output "--recovery"
expect_code 2 repo help nonsense
expect_error "no such command: nonsense"

# A word in brackets is one word; a value that is empty is told, and takes no other word for it.
new_repository store
mkdir '[a,b]' '[Live]'
echo 1 >'[a,b]/1'
echo 2 >'[Live]/2'
expect_code 0 repo snapshot '[a,b]' '[Live]' --exclude '[xy]'
expect_code 0 repo find '[1-2]'
expect_output '[a,b]/1'
expect_output '[Live]/2'
expect_code 0 repo snapshot --stdin-from-command -- printf '[%s]' '[.a,.b]'
expect_equal "$(repo cat latest:/stdin)" '[[.a,.b]]'
for empty in "status --max-age" "forget --keep-last 1 --keep-daily" "snapshot . --time" "prune --max-repack-size"; do
    # shellcheck disable=SC2086
    expect_code 2 repo $empty ''
    expect_error "its value is empty"
    # shellcheck disable=SC2086
    expect_code 2 repo $empty= --threads 1
    expect_error "its value is empty"
done
expect_code 0 repo snapshots --tag= --json
expect_equal "$(python3 -c 'import json; print(len(json.load(open("out"))))')" 2
expect_code 0 repo snapshots --tag '' --json
expect_equal "$(python3 -c 'import json; print(len(json.load(open("out"))))')" 2

# What is meant for whole snapshots takes no path.
for whole in "forget" "tag --add x"; do
    # shellcheck disable=SC2086
    expect_code 2 repo $whole "latest:/some/folder"
    expect_error "without a path"
done
expect_code 2 repo snapshot . --parent latest:/some/folder
expect_code 2 repo snapshot . --parent latest --force
expect_equal "$(snapshot_ids | wc -l)" 2

# What follows "--" is no option, wherever that stands.
mkdir -p dashes/sub
echo 1 >dashes/-dash
cd dashes || exit
expect_code 0 repo snapshot sub -- -dash
expect_code 2 repo snapshot sub -dash
cd .. || exit
expect_code 0 repo cat "latest:$work/dashes/-dash"
expect_output 1

# What other programs reach over a network is no folder of that name.
for location in s3:bucket sftp:user@host:/srv rest:http://host/ file:///srv; do
    expect_code 2 repo -r "$location" --key-file net.key init
    expect_error "a repository is a folder of this machine"
done
expect_code 0 repo -r ./s3:bucket --key-file net.key init -q
expect_code 1 repo -r nowhere/store --key-file net.key init
expect_error "the one above it is not there"

# An ID that a script has kept.
old=$(snapshot_ids | tail -n 1)
expect_code 0 repo tag "$old" --add kept
expect_code 1 repo ls "$old"
expect_error "is $(snapshot_ids | tail -n 1 | cut -c -8) now"

# Options win over the environment, whatever they are; two of a kind are no choice.
echo "$work/store" >name
expect_code 10 env REPO_REPOSITORY="$work/none" "$program" --key-file none snapshots
expect_code 0 env REPO_REPOSITORY="$work/none" "$program" --repository-file name snapshots
expect_code 2 repo -r store --repository-file name snapshots
expect_error "exclude each other"

# A key file that cannot be read opens nothing; a folder for the index must be there.
expect_code 12 repo --key-file "$work" snapshots
expect_error "cannot read the key file"
expect_code 1 repo --cache-dir /proc/none snapshots
expect_error "--cache-dir"
expect_code 1 repo init -q -r fresh --cache-dir /proc/none
expect_code 0 repo init -q -r fresh

# A list that cannot be read is no short list.
mkdir list
for option in --files-from --files-from-raw --exclude-file; do
    expect_code 1 repo snapshot . "$option" list
    expect_error "list: cannot be read"
done
expect_code 2 repo snapshot --stdin --files-from -
echo "all as expected"
