#!/usr/bin/env bash
# Fails on an include that points upward: cli -> engine -> format -> the C++ standard library.
#
#   tests/layering.sh              checks this checkout
#   tests/layering.sh --self-test  plants good and bad includes in a copy of it, expects the right answer
set -euo pipefail
cd "$(dirname "$0")/.."

# Prints "file:line: include: reason" for every include in the folder `$1` that is not allowed.
violations() {
    (
        cd "$1"
        grep -rnIE '^[[:space:]]*#[[:space:]]*(include|import)' format engine cli || [ $? = 1 ]
    ) | awk "$rules"
}

# shellcheck disable=SC2016  # an awk program
rules='
BEGIN {
    level["util"] = 1
    level["crypto"] = 2
    level["chunk"] = level["codec"] = 3
    level["index"] = level["backend"] = 4
    level["repository"] = 5
    level["snapshot"] = level["restore"] = level["maintain"] = level["measure"] = 6
    level["history"] = 6
}

# "engine/index/a.h" -> "index"; "engine/a.h" -> "", a public header or its source.
function part(path,   names) { return split(path, names, "/") > 2 ? names[2] : "" }

function refused_in_format(target, layer, quoted) {
    if (layer == "format") return ""
    if (!quoted && target ~ /^[a-z0-9_]+$/) return ""
    return "format/ may include only format/ and the standard library"
}

function refused_in_engine(file, target, layer,   from, to) {
    if (layer == "cli") return "engine/ may not include cli/"
    from = part(file)
    if (from != "" && !(from in level)) return "unknown folder engine/" from "; give it a level here"
    to = part(target)
    if (layer != "engine" || to == "" || to == from) return ""
    if (!(to in level)) return "unknown folder engine/" to "; give it a level here"
    if (from == "") return file ~ /\.h$/ ? "a public header may not include engine/" to "/" : ""
    return level[from] > level[to] ? "" : "engine/" from "/ may not include engine/" to "/"
}

function refused_in_cli(target, layer) {
    if (layer == "engine" && part(target) != "") return "cli/ may include only the public engine/*.h"
    return ""
}

function refused(file, target, quoted,   home, layer) {
    layer = target ~ /^(format|engine|cli)\// ? substr(target, 1, index(target, "/") - 1) : ""
    home = substr(file, 1, index(file, "/") - 1)
    if (target == "") return "neither \"...\" nor <...>"
    if (target ~ /(^|\/)\.\.?\// || target ~ /\/\//) return "paths start at the top folder"
    if (home == "format") return refused_in_format(target, layer, quoted)
    if (quoted && layer == "") return "paths start at the top folder; libraries are included with <...>"
    return home == "engine" ? refused_in_engine(file, target, layer) : refused_in_cli(target, layer)
}

{
    split($0, place, ":")
    target = ""
    if (match($0, /"[^"]+"|<[^>]+>/)) target = substr($0, RSTART + 1, RLENGTH - 2)
    reason = refused(place[1], target, substr($0, RSTART, 1) == "\"")
    if (reason != "") print place[1] ":" place[2] ": " target ": " reason
}'

self_test() {
    local copy wrong=0 verdict file include answer
    copy=$(mktemp -d)
    # shellcheck disable=SC2064  # expand now: `copy` is local
    trap "rm -rf '$copy'" EXIT
    cp -r format engine cli "$copy"
    while read -r verdict file include; do
        mkdir -p "$copy/$(dirname "$file")"
        echo "#include $include" >"$copy/$file"
        answer=$(violations "$copy" | grep -F "$file:1:" || true)
        rm "$copy/$file"
        if [ "$verdict" = good ] && [ -n "$answer" ]; then
            wrong=1 && echo "refused, should pass: $answer"
        elif [ "$verdict" = bad ] && [ -z "$answer" ]; then
            wrong=1 && echo "passed, should be refused: $file includes $include"
        fi
    done <<'CASES'
good format/planted.h <cstdint>
good format/planted.h "format/id.h"
bad  format/planted.h "engine/repository.h"
bad  format/planted.h <engine/repository.h>
bad  format/planted.h "cli/main.h"
bad  format/planted.h <sodium.h>
bad  format/planted.h <zstd.h>
bad  format/planted.h <lmdb.h>
bad  format/planted.h <fmt/core.h>
bad  format/planted.cc <openssl/sha.h>
bad  format/planted.cc <unistd.h>
bad  format/planted.cc <sys/stat.h>
bad  format/planted.cc <fcntl.h>
bad  format/planted.cc "id.h"
bad  format/planted.cc "format/../engine/repository.h"
good engine/planted.h "engine/repository.h"
good engine/planted.h "format/id.h"
good engine/planted.cc "engine/snapshot/walk.h"
bad  engine/planted.h "engine/util/fd.h"
bad  engine/planted.h "cli/main.h"
good engine/util/planted.h "engine/util/fd.h"
good engine/util/planted.h "engine/error.h"
good engine/util/planted.h <unistd.h>
good engine/snapshot/planted.h "engine/repository/repository.h"
good engine/repository/planted.h "engine/index/index.h"
good engine/index/planted.h "engine/crypto/keys.h"
good engine/codec/planted.h "engine/util/fd.h"
bad  engine/util/planted.h "engine/crypto/keys.h"
bad  engine/util/planted.h "cli/main.h"
bad  engine/crypto/planted.h "engine/codec/zstd.h"
bad  engine/chunk/planted.h "engine/index/index.h"
bad  engine/index/planted.h "engine/backend/local.h"
bad  engine/backend/planted.h "engine/index/index.h"
bad  engine/backend/planted.h "engine/repository/repository.h"
bad  engine/repository/planted.h "engine/snapshot/walk.h"
bad  engine/snapshot/planted.h "engine/restore/plan.h"
bad  engine/restore/planted.h "engine/maintain/prune.h"
good engine/history/planted.cc "engine/repository/tree_reader.h"
bad  engine/history/planted.cc "engine/restore/selection.h"
bad  engine/index/planted.h "../repository/repository.h"
bad  engine/index/planted.h "engine/planted/new.h"
bad  engine/planted/planted.h "engine/util/fd.h"
bad  engine/index/planted.h "index.h"
bad  engine/index/planted.h PLANTED_MACRO
good cli/planted.h "cli/print.h"
good cli/planted.cc "engine/repository.h"
good cli/planted.cc "format/id.h"
good cli/planted.cc <CLI/CLI.hpp>
bad  cli/planted.cc "engine/repository/repository.h"
bad  cli/planted.cc <engine/index/index.h>
bad  cli/planted.cc "tests/support.h"
CASES
    return $wrong
}

case ${1-} in
    --self-test) self_test ;;
    "")
        found=$(violations .)
        [ -z "$found" ] || { echo "$found" && exit 1; }
        ;;
    *)
        echo "usage: tests/layering.sh [--self-test]" >&2
        exit 2
        ;;
esac
