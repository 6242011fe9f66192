#!/usr/bin/env bash
# What became of files: diff of two snapshots, find over all, log of one path, and the filters of ls.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

# query EXPRESSION: of the documents `d` in $work/out, one a line, and the last of them, `last`.
query() {
    python3 -c '
import base64, json, sys
d = [json.loads(line) for line in open("out", "rb")]
last = d[-1]
print(eval(sys.argv[1]))' "$1"
}

umask 022
new_repository store
mkdir -p src/docs src/pictures/2026
echo one >src/docs/a.txt
echo two >src/docs/b.txt
head -c 5000 /dev/urandom >src/pictures/2026/big.JPG
ln -s docs/a.txt src/link
touch -d '2026-01-01 10:00' src/docs/* src/pictures/2026/*
# save N: the snapshot of the N-th day
save() {
    find src -type d -exec touch -d '2026-01-01 10:00' {} +
    expect_code 0 repo snapshot --json --time "2026-03-0$1 12:00" -H web1 src
    ids[$1]=$(field snapshot_id)
}
ids=()
save 1
save 2
echo 'one and more' >src/docs/a.txt
touch -d '2026-02-01 10:00' src/docs/a.txt
echo new >src/docs/c.txt
save 3
chmod 600 src/docs/a.txt
mv src/pictures/2026 src/pictures/2027
save 4
rm src/docs/a.txt src/link
mkdir src/link
save 5

# diff
expect_code 0 repo diff latest~3 latest~2
expect_output "M $work/src/docs/a.txt"
expect_output "+ $work/src/docs/c.txt"
expect_output "added:    1 files, 0 folders, 0 others, 13 B"
expect_output "changed:  1 contents, 0 types; --metadata compares modes, owners and times, too"
expect_equal "$(grep -c "$work" out)" 2
expect_code 0 repo diff "${ids[3]}" "${ids[4]:0:10}" "$work/src/pictures" -q
expect_lines out "- $work/src/pictures/2026/" "- $work/src/pictures/2026/big.JPG" \
    "+ $work/src/pictures/2027/" "+ $work/src/pictures/2027/big.JPG"
expect_code 0 repo diff -q --metadata "latest~2:$work/src/docs" "latest~1:$work/src/docs"
expect_lines out "U $work/src/docs/a.txt"
expect_code 0 repo diff -q latest~1 latest
expect_lines out "- $work/src/docs/a.txt" "T $work/src/link/"
expect_code 0 repo diff -q latest~4 latest~3
expect_no_output
expect_code 0 repo diff -q --metadata latest latest
expect_no_output
expect_code 0 repo diff --json "${ids[1]}" "${ids[5]}"
expect_equal "$(query '{x["message_type"] for x in d[:-1]}, last["message_type"]')" "({'change'}, 'statistics')"
expect_equal "$(query '[(x["modifier"], x["size_before"], x["size_after"]) for x in d[:-1] if x["path"].endswith(("a.txt", "c.txt", "big.JPG", "link/"))]')" \
    "[('-', 4, None), ('+', None, 4), ('T', 0, 0), ('-', 5000, None), ('+', None, 5000)]"
expect_equal "$(query 'last["added"], last["removed"]')" \
    "({'bytes': 5004, 'dirs': 1, 'files': 2, 'others': 0}, {'bytes': 5004, 'dirs': 1, 'files': 2, 'others': 0})"
expect_equal "$(query 'last["changed"], last["types_changed"], "metadata_changed" in last')" "(0, 1, False)"
expect_equal "$(query 'last["source_snapshot"], last["target_snapshot"]')" "('${ids[1]}', '${ids[5]}')"
expect_code 0 repo diff --json --metadata latest~2 latest~1
expect_equal "$(query 'last["metadata_changed"] > 0')" True
expect_code 1 repo diff latest~1 latest /none
expect_error 'neither snapshot has anything at "/none"'
expect_code 1 repo diff latest~9 latest
expect_code 2 repo diff latest
expect_code 2 repo diff latest~x latest

# find
expect_code 0 repo find a.txt
expect_equal "$(grep -c "$work/src/docs/a.txt" out)" 3
expect_output "${ids[1]:0:8} 2026-03-01 12:00:00  ${ids[2]:0:8} 2026-03-02 12:00:00  $work/src/docs/a.txt"
expect_output "3 matches in 5 snapshots"
# expect_found PATH... -- OPTION...: these paths (each once for every version) match.
expect_found() {
    local paths=()
    while [ "$1" != -- ]; do paths+=("$work/src/$1") && shift; done
    shift
    expect_code 0 repo find --json "$@"
    query '"\n".join(x["path"] for x in d[:-1])' >found
    expect_lines found "${paths[@]}"
}
expect_found docs/b.txt docs/c.txt pictures/2026/big.JPG pictures/2027/big.JPG -- '[bc].txt' '*.JPG'
expect_found pictures/2026/big.JPG pictures/2027/big.JPG -- -i 'BIG.jpg'
expect_code 0 repo find 'BIG.jpg'
expect_output "0 matches in 5 snapshots"
expect_found docs/c.txt -- "$work/src/docs/*" --snapshot latest --newest 2100-01-01 '!b.txt'
expect_found pictures/2026/big.JPG -- --larger 4K '*' --snapshot "${ids[1]}" --snapshot latest~3
expect_found docs/a.txt docs/a.txt -- 'docs/*' --oldest 2026-01-15 --newest 2026-02-15
expect_found link -- 'link' --type l
expect_found link -- 'link' --type d
expect_found link link -- 'link' --type dl
expect_found docs/b.txt docs/a.txt docs/c.txt -- 'docs/*' --smaller 5 --type f
expect_found link -- link -H web1 --type l
expect_code 0 repo find --json a.txt -H nobody
expect_equal "$(query 'last["matches"], last["snapshots"]')" "(0, 0)"
expect_code 0 repo find --json a.txt
expect_equal "$(query '[(x["snapshots"], x["size"], x["mode"], x["type"], x["mtime"][:10]) for x in d[:-1]]')" \
    "[(2, 4, 420, 'file', '2026-01-01'), (1, 13, 420, 'file', '2026-02-01'), (1, 13, 384, 'file', '2026-02-01')]"
expect_equal "$(query 'd[0]["oldest_snapshot"], d[0]["newest_snapshot"], d[0]["newest_time"]')" \
    "('${ids[1]}', '${ids[2]}', '2026-03-02T12:00:00.000000000+00:00')"
expect_equal "$(query 'last["message_type"], last["matches"], last["snapshots"]')" "('summary', 3, 5)"
expect_code 0 repo find --human big.JPG
expect_output "4.88 KiB"
expect_code 2 repo find
expect_code 2 repo find x --larger lots
expect_code 2 repo find x --oldest yesterday
expect_code 2 repo find x --type x
expect_code 2 repo find '[x'
expect_code 2 repo find x --snapshot latest:/src
expect_code 1 repo find x --snapshot ffffffffffffffff

# log
expect_code 0 repo log "$work/src/docs/a.txt"
tail -n +3 out | awk '{print $1, $3, $4, $NF}' >versions
diff versions - <<EXPECTED
2026-03-01 ${ids[1]:0:8} created 2
2026-03-03 ${ids[3]:0:8} content 1
2026-03-04 ${ids[4]:0:8} metadata 1
2026-03-05 ${ids[5]:0:8} removed 1
EXPECTED
expect_output "metadata  -rw-------            13  2026-02-01 10:00:00"
expect_code 0 repo log --json "$work/src/link"
expect_equal "$(query '[(x["change"], x["snapshots"], x["snapshot_id"], x["type"]) for x in d]')" \
    "[('created', 4, '${ids[1]}', 'symlink'), ('type', 1, '${ids[5]}', 'dir')]"
expect_equal "$(query 'd[0]["last_snapshot_id"], d[0]["hostname"], d[0]["path"]')" "('${ids[4]}', 'web1', '$work/src/link')"
expect_code 0 repo log --json "$work/src/pictures/2026/"
expect_equal "$(query '[(x["change"], x["snapshots"], "size" in x) for x in d]')" \
    "[('created', 3, True), ('removed', 2, False)]"
expect_code 1 repo log /none
expect_code 1 repo log "$work/src/docs/a.txt" --host nobody
expect_code 2 repo log

# ls
expect_code 0 repo ls "latest:$work/src" --sort size --type f
expect_equal "$(tr '\n' ' ' <out)" "$work/src/pictures/2027/big.JPG $work/src/docs/b.txt $work/src/docs/c.txt "
expect_code 0 repo ls "latest:$work/src" --sort time --match '*.txt'
expect_equal "$(tr '\n' ' ' <out)" "$work/src/docs/c.txt $work/src/docs/b.txt "
expect_code 0 repo ls "latest:$work/src" --sort name --type fd
expect_equal "$(sed 's|.*/||' out | tr '\n' ' ')" "2027 b.txt big.JPG c.txt docs link pictures "
expect_code 0 repo ls -l --human "latest:$work/src" --larger 4K
expect_output "4.88 KiB"
expect_equal "$(wc -l <out)" 1
expect_code 0 repo ls "latest:$work/src" --smaller 4K --newest 2026-01-15
expect_lines out "$work/src/docs/b.txt"
expect_code 0 repo ls --json "latest:$work/src" --match '/**/2027/*' --oldest 2026-01-01 --sort time
expect_equal "$(query 'len(d), last["name"]')" "(1, 'big.JPG')"
expect_code 2 repo ls latest --sort color
expect_code 2 repo ls latest --match '[x'

# Names of any bytes.
odd=$'caf\xe9'
echo odd >"src/$odd"
save 6
expect_code 0 repo diff -q --json latest~1 latest
expect_equal "$(query 'base64.b64decode(d[0]["path_b64"])[-4:]')" "b'caf\\xe9'"
expect_code 0 repo find --json 'caf?'
expect_equal "$(query 'base64.b64decode(d[0]["path_b64"])[-4:]')" "b'caf\\xe9'"
expect_code 0 repo log --json "$work/src/$odd"
expect_equal "$(query 'base64.b64decode(d[0]["path_b64"])[-4:], len(d)')" "(b'caf\\xe9', 1)"

# Damage is an error that names the object, never a shorter answer.
find store/packs -type f -delete
for command in "diff latest~1 latest" "find *.txt" "log $work/src/docs/b.txt"; do
    # shellcheck disable=SC2086  # words
    expect_code 20 repo $command
    expect_error "packs/"
done
: >"store/snapshots/${ids[1]}"
expect_code 20 repo find nothing -H nobody
expect_error "snapshots/${ids[1]}"
echo "all as expected"
