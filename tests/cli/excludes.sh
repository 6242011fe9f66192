#!/usr/bin/env bash
# What is left out of a snapshot, and what never is.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

new_repository store
mkdir -p src/{a/b/c,cache/deep,marked/deep,false-cache,logs/2026,'odd [1]'}
for file in src/{a/1.jpg,a/1.tmp,a/b/2.jpg,a/b/2.tmp,a/b/c/3.jpg,a/b/c/.hidden,top.jpg,top.tmp} \
    src/{cache/data,cache/deep/data,marked/data,marked/deep/data,marked/.nobackup,false-cache/data} \
    src/{logs/keep,logs/drop,logs/2026/keep,logs/2026/drop} 'src/odd [1]/x' src/A.JPG; do
    echo "$file" >"$file"
done
echo 'Signature: 8a477f597d28d172789f06886806bc55 and more' >src/cache/CACHEDIR.TAG
echo 'Signature: something else' >src/false-cache/CACHEDIR.TAG
truncate -s 10K src/ten
truncate -s 10241 src/more

# The files of src that the newest snapshot holds.
saved() { repo ls "latest:$work/src" --json | python3 -c '
import json, sys
for line in sys.stdin:
    node = json.loads(line)
    if node["type"] == "file": print(node["path"][len(sys.argv[1]) + 1:])' "$work/src"; }
all=$(cd src && find . -type f -printf '%P\n')
# without EXPRESSION OPTION...: all files but those whose name matches the expression are saved.
without() {
    local expression=$1
    shift
    expect_code 0 repo snapshot src "$@"
    diff <(grep -vE "$expression" <<<"$all" | sort) <(saved | sort) || fail "with: $*"
}

without '^$'
without '\.tmp$' -e '*.tmp'
without '\.tmp$|\.jpg$' -e '*.tmp' --exclude '*.jpg'
without '^a/' -e a
without '^a/' -e "$work/src/a"
without '^a/' -e /**/src/a/
without '^$' -e "/src/a"
without '^a/b/' -e 'a/b'
without '^a/b/' -e 'a/?'
without '^a/.*\.jpg$' -e 'a/**/*.jpg'
without '^a/b/c/' -e 'src/**/c'
without '^a/(b/)?[0-9]\.jpg$' -e "$work/src/a/*.jpg" -e "$work/src/*/*/*.jpg"
without '^a/b/c/\.hidden$' -e '.*den'
without '^A\.JPG$' -e '[A-Z].JPG'
without '^odd \[1\]/' -e 'odd \[1\]'
without '^odd \[1\]/' -e 'odd [[]*'
without '^logs/(2026|drop)' -e 'logs/**' -e '!logs/keep' # as the help says
without '^logs/(keep|drop)' -e 'logs/**' -e '!logs/2026' # a folder is kept with all in it
without '^logs/drop|^logs/2026/keep' -e 'logs/**' -e '!logs/2026' -e '!logs/keep' -e 2026/keep
without '^(top|a/b/.*)\.tmp$' -e '*.tmp' -e '!/**/src/a/*.tmp'
without '^top\.tmp$' -e '*.tmp' -e '!src/a'
without '\.tmp$' -e '*.tmp' -e '!top.*' -e 'top.tmp'
without '^(a/.*|top)\.jpg$' -e '*.jpg' -e '!*.JPG'
without '^logs/' -e logs -e '!logs/keep' # a folder that is excluded is not entered

printf '# a comment\n\n*.tmp\nlogs/drop\r\n' | tr -d '\r' >patterns
without '\.tmp$|^logs/drop' --exclude-file patterns
printf '!top.tmp\n' >more-patterns
without '^a/.*\.tmp$|^logs/drop' --exclude-file patterns --exclude-file more-patterns

without '^cache/(data|deep)' --exclude-caches
without '^marked/(data|deep)' --exclude-if-present .nobackup
without '^false-cache/data' --exclude-if-present 'CACHEDIR.TAG:Signature: some'
without '^$' --exclude-if-present CACHEDIR.TAG:signature
without '^marked/(data|deep)|^odd' --exclude-if-present .nobackup --exclude-if-present x -e 'odd*/x'
without '^more$' --exclude-larger-than 10K
without '^more$|^ten$' --exclude-larger-than 10239
without '^more$' --exclude-larger-than 10KiB
without '^$' --exclude-larger-than 1G

# Options of one value leave the paths alone, wherever they stand.
expect_code 0 repo snapshot -e '*.tmp' src
expect_code 0 repo snapshot --exclude-file patterns src
saved >found
grep -q tmp found && fail "--exclude-file was not read"
expect_code 0 repo snapshot --exclude-if-present .nobackup src
saved >found
grep -q marked/data found && fail "--exclude-if-present was not seen"

# What the user names is never hidden.
without '^(a|logs)/' -e a -e logs -e src
expect_code 0 repo snapshot src/top.tmp src/a/b -e '*.tmp' -e a -e b -e src --exclude-larger-than 0
expect_code 0 repo ls latest --json
expect_output "$work/src/top.tmp"
expect_output "\"$work/src/a/b\""
expect_code 0 repo snapshot src/cache/deep src/marked/data --exclude-caches --exclude-if-present .nobackup
expect_code 0 repo ls latest
expect_output "$work/src/cache/deep/data"
expect_output "$work/src/marked/data"
expect_code 0 repo snapshot src src/a/1.tmp src/logs -e '*.tmp' -e logs
expect_error "$work/src/a/1.tmp (and 1 more): saved although an exclusion matches"
expect_code 0 repo snapshot src src/logs/2026/keep -e logs
expect_error "$work/src/logs: saved although an exclusion matches"
expect_code 0 repo ls latest
expect_output "$work/src/a/1.tmp"
expect_output "$work/src/logs/keep"

expect_code 0 repo snapshot src src/a/1.tmp -e '*.jpg'
expect_no_error

# Patterns without ./ need no working folder.
mkdir gone
(
    cd gone
    rmdir ../gone
    expect_code 0 repo snapshot -e '*.tmp' "$work/src"
    expect_code 2 repo snapshot -e './*.tmp' "$work/src"
    expect_error 'pattern "./*.tmp": the working folder: No such file or directory'
)

# Paths from files: lines, or ended by NUL.
newline=$'src/new\nline'
echo 1 >"$newline"
printf '# comment\r\n\r\n%s\r\n%s\n' src/a/b src/top.jpg >list
expect_code 0 repo snapshot --files-from list src/logs/keep
expect_code 0 repo snapshots --json
expect_equal "$(python3 -c 'import json; print(*json.load(open("out"))[-1]["paths"])')" \
    "$work/src/a/b $work/src/logs/keep $work/src/top.jpg"
printf '%s\0' "$newline" src/top.jpg '#src' >raw
expect_code 3 repo snapshot --files-from-raw raw
expect_error "#src"
repo cat "latest:$work/$newline" | cmp - "$newline"
find src -name '*.jpg' -print0 | expect_code 0 repo snapshot --files-from-raw -
expect_code 0 repo ls latest
expect_output "$work/src/a/b/c/3.jpg"
expect_code 1 repo snapshot --files-from no-such-list src
expect_error "no-such-list"
: >empty
expect_code 1 repo snapshot --files-from empty
expect_error "nothing to save"
rm "$newline"
# A list names paths; what follows -- is the command and nothing else.
expect_code 0 repo snapshot --files-from list --stdin-from-command -- echo hello
expect_equal "$(repo cat latest:/stdin)" hello
expect_code 0 repo ls latest
expect_output "$work/src/a/b/2.jpg"

# As editors write files, and as fingers write paths.
printf '*.jpg\r\n  b \r\n\r\n' >odd
expect_code 0 repo snapshot --exclude-file odd src
expect_code 0 repo ls latest
cp out with_odd
expect_code 0 repo snapshot -e '*.jpg' -e b src
expect_code 0 repo ls latest
diff out with_odd || fail "blanks at the ends of patterns count"
(
    cd src
    expect_code 0 repo snapshot -e './*.jpg' -e './b/' .
)
expect_code 0 repo ls latest
expect_output "$work/src/a/b/2.jpg"
! grep -qx "$work/src/top.jpg" out || fail "./ is not the working folder"
cp out with_dot
(
    cd src
    printf './*.jpg\n./b/\n' >../dotted
    expect_code 0 repo snapshot --exclude-file ../dotted .
    expect_code 0 repo ls latest
    diff ../out ../with_dot || fail "./ in a file of patterns is not the working folder"
    expect_code 0 repo snapshot .
    expect_code 0 repo restore "latest:$work/src" -t ../dotless -e './*.jpg' -e './b/'
)
[ -e dotless/a/b/2.jpg ] || fail "./ left out what lies deeper"
[ ! -e dotless/top.jpg ] || fail "./ left out nothing"
echo mine >dotless/top.jpg
(
    cd dotless
    expect_code 0 repo restore "latest:$work/src" -t . --delete -e './*.jpg'
)
expect_equal "$(cat dotless/top.jpg)" mine
# But not one of the same path from the target on, where the working folder lies elsewhere.
mkdir -p elsewhere/a
touch dotless/a/mine
(
    cd elsewhere
    expect_code 1 repo restore "latest:$work/src" -t ../dotless --delete -i './a'
)
[ -e dotless/a/mine ] || fail "./ was taken for another folder"
expect_code 2 repo snapshot --exclude-if-present . src
expect_code 2 repo snapshot --exclude-if-present :text src
expect_code 2 repo snapshot --exclude-if-present /etc/passwd src
expect_code 2 repo snapshot -e ../b src

# One file system: the folder it is mounted on is kept, its contents are not.
if mount_tmpfs src/mounted 1m; then
    echo 1 >src/mounted/file
    without '^$' -x
    expect_code 0 repo ls "latest:$work/src"
    expect_output "$work/src/mounted"
    expect_code 0 repo snapshot -x src/mounted src/a
    expect_code 0 repo ls latest
    expect_output "$work/src/mounted/file"
    expect_code 0 repo snapshot -x src src/mounted
    expect_code 0 repo ls latest
    expect_output "$work/src/mounted/file"
    expect_code 0 repo snapshot src
    expect_code 0 repo ls latest
    expect_output "$work/src/mounted/file"
else
    skip "one file system: tmpfs cannot be mounted here"
fi

# Nor is it saved when its name comes from a pipe, which can be read once.
mkdir around
cp -a "$REPO_REPOSITORY" around/store
echo 1 >around/file
expect_code 0 env -u REPO_REPOSITORY REPO_CACHE_DIR="$work/around-cache" "$program" snapshot --repository-file <(echo "$work/around/store") around
expect_error "around/store: the repository is left out"
expect_code 2 env -u REPO_REPOSITORY "$program" snapshots --repository-file /dev/null
expect_error "names no repository"

# A path beneath another that the walk does not come to is named, not passed over.
mkdir -p elsewhere linked
echo 1 >elsewhere/file
ln -sfn ../elsewhere linked/to
expect_code 3 repo snapshot linked linked/to/file linked/none
expect_error "$work/linked/to/file: is not saved: it lies behind a symbolic link"
expect_error "$work/linked/none: No such file or directory"
expect_code 0 repo snapshot linked/to/file
expect_code 0 repo ls latest
expect_output "$work/linked/to/file"
expect_code 0 repo check
echo "all as expected"
