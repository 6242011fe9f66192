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
expect_code 0 repo help restore
expect_output "repo restore [OPTIONS]"
expect_output "--target"
expect_code 0 repo help key add
expect_output "--recovery"
expect_code 2 repo help nonsense
expect_error "no such command: nonsense"
echo "all as expected"
