#!/usr/bin/env bash
# Reads the sources without running them; says nothing when all is well.
#
#   tests/lint.sh [tool...]   runs these tools, or all of them
#   tests/lint.sh --list      names the tools
#
# clang-tidy wants build/clang/compile_commands.json: `cmake --preset clang` writes it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

tools=(clang-format clang-tidy layering map codespell shellcheck)

# The files of this checkout that match, tracked or new, each ended by a zero byte.
files() {
    git ls-files -z --cached --others --exclude-standard -- "$@" | while IFS= read -r -d '' file; do
        if [ -f "$file" ]; then printf '%s\0' "$file"; fi
    done
}

check_clang_format() {
    files {engine,cli,format,tests,bench}/'*.'{h,cc} |
        xargs -0 -r clang-format-14 --dry-run -Werror
}

check_clang_tidy() {
    [ -f build/clang/compile_commands.json ] || {
        echo "build/clang/compile_commands.json is missing: run cmake --preset clang"
        return 1
    }
    # Most of what a file takes is the libraries' headers: the folders' sources are read together.
    python3 -c '
import json
for unit in json.load(open("build/clang/compile_commands.json")):
    if any(f"CMakeFiles/{target}.dir" in unit["command"] for target in ("coffre_format", "coffre", "repo")):
        print(unit["file"], end="\0")' |
        xargs -0 -r -n 1 -P "$(nproc)" clang-tidy-14 --quiet -p build/clang
}

check_layering() {
    tests/layering.sh && tests/layering.sh --self-test
}

# Every source has its place in the map of docs/architecture.md.
check_map() {
    files {engine,cli,format}/'*.'{h,cc} | xargs -0 -r -n 1 basename | sed 's/\.[a-z]*$//' | sort -u |
        while IFS= read -r name; do
            grep -qE "\`$name(\.h)?\`" docs/architecture.md || echo "docs/architecture.md: no place for $name"
        done | { ! grep .; }
}

check_codespell() {
    files '*.md' '*.h' '*.cc' '*.sh' '*.py' '*.txt' '*.cmake' '.ci/*' 'tests/run' \
        ':!tests/golden' ':!tests/fuzz/corpus' |
        xargs -0 -r codespell --quiet-level 3 --ignore-regex '\\[nt]'
}

# Everything that is named *.sh or starts with the name of a shell.
check_shellcheck() {
    {
        files '*.sh'
        files ':!*.sh' ':!tests/golden' ':!tests/fuzz/corpus' |
            xargs -0 -r awk 'FNR == 1 && /^#!.*[\/ ](ba|da)?sh/ { printf "%s%c", FILENAME, 0 } { nextfile }'
    } | xargs -0 -r shellcheck -x
}

[ "${1-}" != --list ] || {
    printf '%s\n' "${tools[@]}"
    exit
}
# An unreadable checkout would otherwise be an empty list of files, and all would be well.
git ls-files >/dev/null || exit 1

run_tool() {
    case $1 in
        clang-format) check_clang_format ;;
        clang-tidy) check_clang_tidy ;;
        layering) check_layering ;;
        map) check_map ;;
        codespell) check_codespell ;;
        shellcheck) check_shellcheck ;;
        *) echo "no such tool; there are: ${tools[*]}" && false ;;
    esac
}

failed=0
for tool in "${@:-${tools[@]}}"; do
    output=$(run_tool "$tool" 2>&1) || {
        printf '%s\n%s: failed\n' "$(grep -vE '^[0-9]+ warnings? generated' <<<"$output")" "$tool"
        failed=1
    }
done
exit $failed
