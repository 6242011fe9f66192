#!/usr/bin/env bash
# repo bench: measures, says so as text, JSON and a page, and saves nothing.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

mkdir -p src/folder
head -c 3000000 /dev/urandom >src/noise
cp src/noise src/folder/copy
seq 300000 >'src/<numbers>'

expect_code 0 repo bench src --html page.html
expect_no_error
for word in found measured repeated compressed read chunk identify compress seal snapshot restore \
    'first run' 'nothing new' "a day's"; do
    expect_output "$word"
done
expect_output "3 files in 2 folders"
grep -q "<svg" page.html || fail "no chart"
python3 - page.html <<'PYTHON' || fail "the page is not well-formed"
import sys, xml.etree.ElementTree as tree
text = open(sys.argv[1]).read().replace('<meta charset="utf-8">', "").replace("<!DOCTYPE html>", "")
root = tree.fromstring(text)
bars = root.findall(".//rect")
if len(bars) != 14 or root.find(".//h1").text != "Backing up src":
    sys.exit(f"{len(bars)} bars")
PYTHON

expect_code 0 repo bench --json --sample 1M --to . --compression max src
expect_no_error
python3 - out <<'PYTHON' || fail "not the JSON that was expected"
import json, sys
d = json.load(open(sys.argv[1]))
ok = (d["message_type"] == "summary" and d["files"] == 3 and not d["sample_is_all"]
      and 0 < d["sample_bytes"] <= 4 << 20 and len(d["stages"]) == 7 and d["write_speed"] > 0
      and d["first"]["seconds"] > 0 and d["first"]["bytes_read"] == d["bytes"])
sys.exit(not ok)
PYTHON
expect_equal "$(find . -newer page.html -type f ! -name out ! -name err)" ""

expect_code 0 repo bench -e ./src/folder --exclude '<*' src
expect_output "1 files in 1 folders"

expect_code 0 repo bench -q src
expect_equal "$(cat out)" ""

expect_code 1 repo bench missing
expect_error "missing: No such file"
mkdir empty
expect_code 1 repo bench empty
expect_error "nothing to measure"
expect_code 1 repo bench --to missing src
expect_code 2 repo bench
expect_code 2 repo bench --compression odd src
expect_code 2 repo bench --sample odd src
expect_code 1 repo bench --html missing/page.html src
expect_error "No such file or directory"
[ ! -s out ] || fail "all was measured before"
