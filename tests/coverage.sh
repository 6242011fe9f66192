#!/usr/bin/env bash
# Measures how much of format/ its tests reach; below 95 % of lines or branches it fails.
#
#   tests/coverage.sh     builds build/coverage, writes build/coverage/format.html
#
# Branches that only exceptions of called functions take are not counted.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake -S . -B build/coverage -G Ninja -DCMAKE_BUILD_TYPE="" -DCMAKE_CXX_FLAGS="-O0 --coverage" >/dev/null
cmake --build build/coverage --target coffre_tests >/dev/null
find build/coverage -name '*.gcda' -delete
build/coverage/tests/coffre_tests --gtest_brief=1 \
    --gtest_filter='Bytes*:Wire*:Id*:Object*:Config*:Slot*:Pack*:Bundle*:Content*:Recipe*:Lists*:Node*:Tree*:Digest*:Snapshot*:Session*:LogRecord*:Forget*:Padding*:Padme*:Hostile*:Golden*:*/Golden*'
gcovr --root . --filter 'format/' --object-directory build/coverage \
    --exclude-throw-branches --exclude-unreachable-branches \
    --html-details build/coverage/format.html --print-summary \
    --fail-under-line 95 --fail-under-branch 95
