#!/usr/bin/env bash
# Measures how much of format/ its own tests reach; below 95 % of lines or branches it fails.
#
#   tests/coverage.sh     builds build/coverage, writes build/coverage/format.html
#
# Only the suites of tests/unit/format_*_test.cc run: what the engine reaches in passing is not tested by that.
# Branches that only exceptions of called functions take are not counted. The sides of faults that
# tests/mutants.sh switches on are: this build has none of them, so they count as not reached.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/coverage

# Runs the command; its output is shown only when it fails.
quietly() {
    "$@" >"$build/log" 2>&1 || {
        tail -n 100 "$build/log" >&2
        return 1
    }
}

# Counts of an older build do not fit the new one; ctest's discovery, which ends a build, leaves some as well.
forget_counts() { find "$build" -name '*.gcda' -delete; }

# Name.*:*/Name.*:... of each suite.
own_suites() {
    sed -nE 's#^TEST(_F|_P)?\((\w+),.*#\2.*:*/\2.*#p' tests/unit/format_*_test.cc | sort -u | paste -sd:
}

mkdir -p "$build"
quietly cmake --preset coverage
forget_counts
quietly cmake --build "$build" --target coffre_tests
forget_counts
"$build/tests/coffre_tests" --gtest_brief=1 --gtest_filter="$(own_suites)"
gcovr --root . --filter 'format/' --exclude-directories '.*CompilerId' "$build" \
    --exclude-throw-branches --exclude-unreachable-branches \
    --html-details "$build/format.html" --print-summary \
    --fail-under-line 95 --fail-under-branch 95
