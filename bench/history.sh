#!/usr/bin/env bash
# Measures the commands that read the history of a repository with many snapshots:
#
#   bench/history.sh            makes the repository if WORK has none yet, then measures
#
# A tree of 12,500 small files in FOLDERS (125) folders, SNAPSHOTS (1000) of it, 5 files changed
# between two. REPO_BIN names the program (build/release/cli/repo); WORK a folder with room for
# 400 MB (a new temporary one, removed at the end). Each figure is the median of RUNS (5), after one
# to warm up.
# shellcheck source=bench/lib.bash
. "$(dirname "$0")/lib.bash"

snapshots=${SNAPSHOTS:-1000}
folders=${FOLDERS:-125}
per_folder=$((12500 / folders))
runs=${RUNS:-5}

make_tree() {
    python3 - "$work/tree" "$folders" "$per_folder" <<'PYTHON'
import os, sys
for folder in range(int(sys.argv[2])):
    path = f"{sys.argv[1]}/folder-{folder}"
    os.makedirs(path)
    for file in range(int(sys.argv[3])):
        kind = ("txt", "jpg", "html", "pdf")[file % 4]
        with open(f"{path}/file-{file}.{kind}", "w") as out:
            out.write(f"content of {folder} {file}\n" * 8)
PYTHON
}

# The N-th change: files all over the tree, so that each is changed now and then.
change_files() {
    local i number name
    for i in 0 1 2 3 4; do
        number=$((($1 * 5 + i) * 7919 % 12500))
        name=folder-$((number / per_folder))/file-$((number % per_folder))
        for file in "$work/tree/$name".*; do echo "change $1" >>"$file"; done
    done
}

make_repository() {
    local n
    make_tree
    for ((n = 1; n <= snapshots; ++n)); do
        "$repo" snapshot -q "$work/tree"
        change_files "$n"
    done
}

# measure NAME COMMAND...: the median time, and how many lines it prints.
measure() {
    local name=$1 i start median times=()
    shift
    "$@" >"$work/out"
    for ((i = 0; i < runs; ++i)); do
        start=${EPOCHREALTIME/./}
        "$@" >"$work/out"
        times+=($((${EPOCHREALTIME/./} - start)))
    done
    median=$(printf '%s\n' "${times[@]}" | sort -n | sed -n "$(((runs + 1) / 2))p")
    printf '%-32s %5d ms  %8d lines\n' "$name" $((median / 1000)) "$(wc -l <"$work/out")"
}

if [ ! -d "$REPO_REPOSITORY" ]; then
    "$repo" init -q
    make_repository
fi
first=$("$repo" snapshots --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])')
measure "snapshots" "$repo" snapshots
measure "diff latest latest" "$repo" diff latest latest
measure "diff latest~1 latest" "$repo" diff latest~1 latest
measure "diff FIRST latest" "$repo" diff "$first" latest
measure "diff --metadata FIRST latest" "$repo" diff --metadata "$first" latest
measure "find '*.txt'" "$repo" find '*.txt'
measure "find '*'" "$repo" find '*'
measure "find 'folder-0/file-1*'" "$repo" find 'folder-0/file-1*'
measure "find file-50.html" "$repo" find file-50.html
measure "log FILE" "$repo" log "$work/tree/folder-0/file-88.txt"
measure "log FOLDER" "$repo" log "$work/tree/folder-0"
measure "ls --sort size" "$repo" ls --sort size latest
measure "status" "$repo" status
measure "status --garbage" "$repo" status --garbage
measure "forget --keep-last 100 -n" "$repo" forget --keep-last 100 --dry-run
measure "forget --keep-daily 7 -n" "$repo" forget --keep-daily 7 --keep-monthly 12 --dry-run
