#!/usr/bin/env bash
# Everything that a file system can hold is saved and comes back the same, judged by tools that are
# not ours. Without root: what an ordinary user may make.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

for tool in rsync getfattr setfattr getfacl setfacl getcap setcap fallocate; do
    command -v "$tool" >/dev/null || skip_all "$tool is not installed (.ci/setup tests)"
done

work_on_ext4 2G || skip "a file system of its own: the one of TMPDIR decides what can be tested"

# The tree: src/plain and src/other, which every tool can look at, and src/beyond, which is too
# large, too deep or too long for most.
cat >make_tree.py <<'PYTHON'
import os, random, stat

random.seed(11)
is_root = os.geteuid() == 0
BLOCK = 4096

def write(path, contents):
    with open(path, "wb") as file:
        file.write(contents)

def write_sparse(path, size, data):
    """Data (offset -> size) in a file that is else one hole."""
    with open(path, "wb") as file:
        for offset, length in data.items():
            file.seek(offset)
            file.write(random.randbytes(length))
        file.truncate(size)

def make_links():
    """Groups of names: in one folder, across folders, of everything that can have two."""
    for folder in ("links", "links/a", "links/b", "other/links"):
        os.makedirs(folder, exist_ok=True)
    write("links/two", b"two names\n" * 1000)
    os.link("links/two", "links/a/two")
    write("links/fifty-00", random.randbytes(300_000))
    for i in range(1, 50):
        os.link("links/fifty-00", f"links/{'ab'[i % 2]}/fifty-{i:02}")
    write("links/empty", b"")
    os.link("links/empty", "links/b/empty")
    write_sparse("links/sparse", 1 << 20, {500_000: 10})
    os.link("links/sparse", "links/b/sparse")
    os.symlink("two", "links/link")
    os.link("links/link", "links/a/link", follow_symlinks=False)
    os.mkfifo("links/fifo")
    os.link("links/fifo", "links/b/fifo")
    os.mknod("links/socket", stat.S_IFSOCK | 0o600)
    os.link("links/socket", "links/b/socket")
    if is_root:
        os.mknod("links/device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.link("links/device", "links/a/device")
    # Equal in everything, and yet two files.
    for name in ("twin-1", "twin-2"):
        write(f"links/{name}", b"twin\n")
        os.utime(f"links/{name}", (1, 1))
    write("links/across", b"in two of the folders that are saved\n")
    os.link("links/across", "../other/across")

def make_sparse():
    os.mkdir("sparse")
    os.chdir("sparse")
    mib = 1 << 20
    write_sparse("leading", 3 * mib, {3 * mib - 5: 5})
    write_sparse("trailing", 3 * mib, {0: 5})
    write_sparse("all-hole", 7 * mib + 13, {})
    write_sparse("hole-of-one-byte-more", BLOCK + 1, {BLOCK: 1})
    write_sparse("holes-200", 200 * 16 * BLOCK, {i * 16 * BLOCK: 3 * BLOCK for i in range(200)})
    write_sparse("holes-3000", 3000 * 2 * BLOCK, {(2 * i + 1) * BLOCK: BLOCK for i in range(3000)})
    with open("zeros", "wb") as file:  # zeros that were written are no hole
        file.write(bytes(2 * mib))
    with open("allocated", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 5 * mib)
    os.chdir("..")

def make_special():
    os.mkdir("special")
    os.mkfifo("special/fifo")
    os.mknod("special/socket", stat.S_IFSOCK | 0o666)
    if is_root:
        os.mknod("special/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod("special/large-numbers", stat.S_IFCHR | 0o600, os.makedev(4095, 1048575))
        os.mknod("special/disk", stat.S_IFBLK | 0o660, os.makedev(7, 5))

def make_modes():
    os.mkdir("modes")
    for mode in (0o000, 0o400, 0o111, 0o777, 0o4755, 0o2755, 0o6711, 0o1644, 0o4000, 0o2644):
        if not is_root and not mode & 0o400:
            continue  # not even its owner could save it
        write(f"modes/file-{mode:04o}", b"x")
        os.chmod(f"modes/file-{mode:04o}", mode)
    for mode in (0o000, 0o555, 0o1777, 0o2775, 0o4700, 0o7777):
        if not is_root and not mode & 0o400:
            continue
        os.mkdir(f"modes/folder-{mode:04o}")
        write(f"modes/folder-{mode:04o}/within", b"y")
        os.chmod(f"modes/folder-{mode:04o}", mode)

def make_owners():
    os.mkdir("owners")
    for uid, gid in ((1, 1), (65534, 65534), (12345, 54321), (2**32 - 2, 2**32 - 2)):
        path = f"owners/{uid}"
        write(path, b"mine\n")
        os.symlink("x", path + "-link")
        os.mkdir(path + "-folder")
        for name in (path, path + "-link", path + "-folder"):
            os.chown(name, uid, gid, follow_symlinks=False)
    os.chmod("owners/12345", 0o6755)  # an owner takes the set-id bits away

def make_names():
    os.mkdir("names")
    every = bytes(b for b in range(1, 256) if b != ord("/"))
    names = [every + b"x", bytes(random.choice(every) for _ in range(255)), b"-rf", b"--", b" ",
             b"trailing  ", b"back\\slash\\", b"\\n", b"new\nline", b"\n", b"\xff\xfe", b"caf\xe9",
             b"caf\xc3\xa9", b"cafe\xcc\x81", b"\xed\xa0\x80", b"\xf0\x9f\x92\xbe", b"...", b"..x",
             b"\x1b[31mred", b"*", b"[a-z]", b"a?b", b"'\"`$(x)", b"#comment", b"\t", b"\x7f"]
    for name in names:
        write(b"names/" + name, name)
    os.mkdir(b"names/folder " + every[:200])
    write(b"names/folder " + every[:200] + b"/" + every[55:], b"1")
    os.setxattr(b"names/-rf", b"user.\xff\n \\", b"\x00\xff\n") if can_hold_attributes() else None

def can_hold_attributes():
    write("probe", b"")
    try:
        os.setxattr("probe", "user.x", b"1")
        return True
    except OSError:
        return False
    finally:
        os.unlink("probe")

def make_symlinks():
    os.mkdir("symlinks")
    targets = {"dangling": "/nowhere/at/all", "itself": "itself", "absolute": "/etc/passwd",
               "to-folder": "../names", "long": "t/" * 2047 + "x", "upwards": "../../../../..",
               "dot": ".", "odd": b"\xff\n\\", "blank": " "}
    for name, target in targets.items():
        os.symlink(target, os.path.join(os.fsencode("symlinks"), os.fsencode(name))
                   if isinstance(target, bytes) else f"symlinks/{name}")

def make_many():
    os.mkdir("many")
    for i in range(20_000):
        write(f"many/{i:05}", b"%d" % i if i % 20 == 1 else b"")
    for i in range(100):
        os.mkdir(f"many/empty-{i}")

def make_times():
    """Of files, folders and links: far away, fractions, before 1970."""
    os.mkdir("times")
    second = 10**9
    times = [0, 1, -1, -second, -second - 1, -2**31 * second, -2**31 * second + 1,
             2**31 * second, 2**32 * second + 999_999_999, 5_000_000_000 * second + 7,
             15_032_385_535 * second, 1_000_000_000 * second + 123_456_789]
    for i, time in enumerate(times):
        write(f"times/{i}", b"")
        os.symlink("x", f"times/link-{i}")
        os.mkdir(f"times/folder-{i}")
        os.mkfifo(f"times/fifo-{i}")
        for name in (f"times/{i}", f"times/link-{i}", f"times/folder-{i}", f"times/fifo-{i}"):
            os.utime(name, ns=(time, time), follow_symlinks=False)

def make_beyond():
    os.mkdir("beyond")
    os.chdir("beyond")
    try:
        write_sparse("tebibyte", 1 << 40, {(1 << 39) + 12_345: 1})
    except OSError:
        print("skipped: no file of 1 TiB on this file system")
        os.unlink("tebibyte")
    top = os.open(".", os.O_RDONLY)
    os.mkdir("deep")
    os.chdir("deep")
    for i in range(2000):
        os.mkdir("d")
        os.chdir("d")
        if i % 500 == 499:
            write("file", b"%d" % i)
            os.symlink("/", "link")
            os.mkfifo("fifo")
    os.link("file", "again")
    os.link("file", "deep-and-shallow", dst_dir_fd=top)
    os.chdir("/proc/self/fd/%d" % top)
    os.mkdir("long")
    os.chdir("long")
    for i in range(20):
        name = (b"%02d" % i) + bytes([200 + i]) * 253
        os.mkdir(name)
        os.chdir(name)
    write("bottom", b"5,100 bytes down\n")
    os.link("bottom", "bottom-again")
    os.symlink("bottom", "bottom-link")
    os.mknod("bottom-socket", stat.S_IFSOCK | 0o600)

os.umask(0o022)
os.makedirs("src/other")
os.mkdir("src/plain")
start = os.open("src", os.O_RDONLY)
os.chdir("src/plain")
os.mkdir("empty")
write("data", random.randbytes(3_000_000))
write("text", b"".join(b"line %d\n" % i for i in range(100_000)))
write("nothing", b"")
make_links()
make_sparse()
make_special()
make_modes()
if is_root:
    make_owners()
make_names()
make_symlinks()
make_many()
make_times()
os.chdir("/proc/self/fd/%d" % start)
make_beyond()
PYTHON

# In a file system that takes them. Attributes of links, and those of root's namespaces, need root.
make_attributes() {
    mkdir attributes attributes/folder
    cd attributes
    local i
    touch file empty sixty large capable
    setfattr -n user.text -v 'some text' file
    setfattr -n user.binary -v 0x00ff0a5c00 file
    setfattr -n user.empty file
    setfattr -n user.folder -v 1 folder
    for ((i = 0; i < 60; ++i)); do setfattr -n "user.number-$i" -v "$i" sixty; done
    if ! setfattr -n user.large -v "$(printf '%060000d' 7)" large 2>/dev/null; then
        skip "attributes of 60 KB: the file system does not take them"
        setfattr -n user.large -v "$(printf '%03000d' 7)" large
    fi
    mkfifo fifo
    ln -s file link
    is_root || return 0
    local name
    for name in file folder link fifo; do
        setfattr -h -n trusted.note -v "of $name" "$name"
        setfattr -h -n security.note -v 0x00 "$name"
    done
    mknod device c 1 5
    setfattr -h -n trusted.note -v device device
    setcap cap_net_raw,cap_net_bind_service+ep capable
    touch capable-for-others
    chown 12345:54321 capable-for-others
    setcap cap_chown=ei capable-for-others
    chmod 4755 capable-for-others
    setcap cap_chown=ei capable-for-others
}

# Named users and groups, masks that cover less and more than the rest, default ACLs, and what was
# made beneath such a folder but has none itself.
make_acls() {
    mkdir acls acls/default acls/plain
    cd acls
    touch file masked
    setfacl -m u:12345:rw,g:54321:r,u:1:--- file
    setfacl -m u:12345:rwx,m::r masked
    setfacl -m g:1:rwx,u:2:x plain
    setfacl -d -m u:12345:rwx,g:54321:rx,o::--- default
    touch default/inherits default/has-none
    mkdir default/folder default/folder-without default/folder-access-only
    touch default/folder/inherits-too
    setfacl -b default/has-none default/folder-without
    setfacl -k default/folder-access-only
    mkfifo default/fifo default/fifo-without
    setfacl -b default/fifo-without
    ln -s has-none default/link
    ln default/has-none default/has-none-again
    if is_root; then
        mknod default/device-without c 1 3
        setfacl -b default/device-without
    fi
}

make_source() {
    python3 make_tree.py
    (cd src/plain && make_attributes) || return 1
    (cd src/plain && make_acls) || return 1
    # Kept for its end, for what is made within changes it.
    touch -d '1969-07-20 20:17:40.000000001' src/plain src/plain/attributes src/other
}

# Where other tools give up: entry by entry from open folders. Names, metadata, attributes, targets,
# the data between the holes, the holes themselves, and which names are one file.
cat >describe.py <<'PYTHON'
import hashlib, os, stat, sys

first_names = {}

def holes_and_data(fd, size):
    """Where the file has none, and a digest of the rest."""
    at, holes, digest = 0, [], hashlib.sha256()
    while at < size:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            data = size
        if data > at:
            holes.append((at, data - at))
        end = os.lseek(fd, data, os.SEEK_HOLE) if data < size else size
        while data < end:
            part = os.pread(fd, min(1 << 20, end - data), data)
            digest.update(part)
            data += len(part)
        at = end
    return holes, digest.hexdigest()

def describe(folder, name, path):
    s = os.stat(name, dir_fd=folder, follow_symlinks=False)
    facts = [oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, s.st_rdev]
    if not stat.S_ISDIR(s.st_mode):
        facts += [s.st_size, s.st_nlink, first_names.setdefault((s.st_dev, s.st_ino), path)]
    opened = b"/proc/self/fd/%d/%s" % (folder, name)
    for attribute in sorted(os.listxattr(opened, follow_symlinks=False)):
        facts.append((attribute, os.getxattr(opened, attribute, follow_symlinks=False)))
    if stat.S_ISLNK(s.st_mode):
        facts.append(os.readlink(name, dir_fd=folder))
    if stat.S_ISREG(s.st_mode):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        if name == b"allocated":  # some call what was never written a hole, and some data
            facts.append(hashlib.file_digest(open(fd, "rb", closefd=False), "sha256").hexdigest())
        else:
            facts += holes_and_data(fd, s.st_size)
        os.close(fd)
    print(path, *facts)
    if stat.S_ISDIR(s.st_mode):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=folder)
        for child in sorted(os.listdir("/proc/self/fd/%d" % fd)):
            child = os.fsencode(child)
            describe(fd, child, path + b"/" + child)
        os.close(fd)

sys.setrecursionlimit(20_000)
describe(os.open(sys.argv[1], os.O_RDONLY), b".", b"")
PYTHON

# compare_by WHAT EXPECTED FOUND COMMAND...: it lists both folders alike. The list of the expected
# one is kept: sources do not change here.
compare_by() {
    local what=$1 expected=$2 found=$3 list
    list=$work/lists/$1-${2//\//-}
    shift 3
    mkdir -p "$work/lists"
    [ -e "$list" ] || (cd "$expected" && "$@") >"$list" || fail "$what: $* in $expected"
    (cd "$found" && "$@") >"$work/found" || fail "$what: $* in $found"
    diff -a "$list" "$work/found" >"$work/difference" && return
    head -n 20 "$work/difference" | cut -c 1-400 | cat -v >&2
    fail "$what differs"
}

described() { python3 "$work/describe.py" .; }
found_by_find() {
    find . -type d -printf '%y %m %U %G %T@ %P\0' | sort -z
    find . ! -type d -printf '%y %m %U %G %s %T@ %n %P -> %l\0' | sort -z
}
attributes() {
    find . -print0 | sort -z | xargs -0 -r getfattr -h -d -m - -e hex -- |
        awk '/^# file: / { file = $0; next } NF { print file, $0 }' | sort
}
acls() { find . ! -type l -print0 | sort -z | xargs -0 -r getfacl -n -p --; }
capabilities() { getcap -r . | sort; }
contents() { find . -type f ! -size +100M -print0 | sort -z | xargs -0 -r sha256sum -z --; }

# expect_identical EXPECTED FOUND: by everything that we have.
expect_identical() {
    compare_by "what python sees" "$1" "$2" described
    compare_by "what find sees" "$1" "$2" found_by_find
}
expect_identical_by_all_tools() {
    expect_identical "$1" "$2"
    compare_by "what getfattr sees" "$1" "$2" attributes
    compare_by "what getfacl sees" "$1" "$2" acls
    compare_by "what getcap sees" "$1" "$2" capabilities
    compare_by "what sha256sum sees" "$1" "$2" contents
    rsync -aHAXSc --numeric-ids --modify-window=-1 --dry-run --itemize-changes --delete \
        "$1/" "$2/" >"$work/difference" || fail "rsync cannot compare $1 and $2"
    [ ! -s "$work/difference" ] || fail "rsync would change: $(head -n 5 "$work/difference")"
}

expect_whole_source() {
    expect_identical_by_all_tools src/plain "$1/plain"
    expect_identical src/other "$1/other"
    expect_identical src/beyond "$1/beyond"
    # Names in two roots are one file; the blocks of what was preallocated are there.
    expect_equal "$(stat -c %i "$1/plain/links/across")" "$(stat -c %i "$1/other/across")"
    sync -f "$1"
    expect_equal "$(stat -c %b "$1/plain/sparse/allocated")" "$(stat -c %b src/plain/sparse/allocated)"
    [ "$(stat -c %b "$1/plain/sparse/leading")" -le 16 ] || fail "a hole takes blocks"
}

new_repository store
make_source
sync -f src
roots=("$work/src/plain" "$work/src/other" "$work/src/beyond")
is_root || skip "devices, owners, attributes of root: needs root"
wait_until_settled

# Saved; saved again, nothing is read and nothing added.
expect_code 0 repo snapshot --json "${roots[@]}"
expect_no_error
whole=$(field snapshot_id)
expect_equal "$(field failures)" 0
expect_equal "$(field total_files_processed)" "$(find src -type f -printf . | wc -c)"
expect_equal "$(field others_total)" "$(find src ! -type f ! -type d -printf . | wc -c)"
[ "$(field bytes_read)" -lt 100000000 ] || fail "holes were read"
expect_code 0 repo snapshot --json "${roots[@]}"
expect_equal "$(field unchanged)" True
for name in files_new files_changed bytes_read data_added data_added_packed chunks_new; do
    [ "$(field $name)" = 0 ] || fail "nothing changed, but $name is $(field $name)"
done
expect_equal "$(field files_unmodified)" "$(find src -type f -printf . | wc -c)"

# Listed whole, whatever the names and times.
expect_code 0 repo ls --json latest
python3 - <<'PYTHON'
import base64, json, os
listed = {}
for line in open("out"):
    d = json.loads(line)
    listed[base64.b64decode(d["path_b64"]) if "path_b64" in d else os.fsencode(d["path"])] = d
for folder in ("times", "names"):
    top = os.fsencode(os.path.realpath("src/plain/" + folder))
    for name in os.listdir(top):
        d, s = listed[os.path.join(top, name)], os.lstat(os.path.join(top, name))
        fraction = int(d["mtime"].split(".")[1][:9])
        assert fraction == s.st_mtime_ns % 10**9, (name, d["mtime"])
        years = 1970 + s.st_mtime_ns // 10**9 / 86400 / 365.2425
        assert abs(int(d["mtime"].split("-")[0]) - years) < 1.1, (name, d["mtime"], s.st_mtime_ns)
PYTHON

# Into an empty folder.
expect_code 0 repo restore "$whole" -t full --verify --privileged
expect_no_error
expect_whole_source "full$work/src"

# Over a copy to which everything was done that can be done to one.
cat >damage.py <<'PYTHON'
import os, random, shutil, stat, sys

is_root = os.geteuid() == 0

def keep_time(path, change):
    s = os.lstat(path)
    change()
    os.utime(path, ns=(s.st_atime_ns, s.st_mtime_ns), follow_symlinks=False)

def write(path, offset, contents):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(contents)

def replace(path, make):
    s = os.lstat(path)
    shutil.rmtree(path) if stat.S_ISDIR(s.st_mode) else os.unlink(path)
    make(path)

def copy_instead(path):
    """The same file, but no longer one with its other names."""
    shutil.copy2(path, "copy", follow_symlinks=False)
    os.rename("copy", path)

make_file = lambda path: open(path, "wb").write(b"a file\n")

# Contents.
keep_time("data", lambda: write("data", 1_500_000, b"XYZ"))
os.truncate("text", 1000)
write("nothing", 0, b"something")
os.unlink("names/-rf")
shutil.rmtree("names/folder " + os.fsdecode(bytes(b for b in range(1, 256) if b != 47)[:200]))
# What is too much.
os.makedirs("extra/deep/deeper")
make_file("extra/deep/deeper/file")
os.chmod("extra/deep", 0 if is_root else 0o700)  # else nobody but root can remove it
make_file("many/extra")
os.symlink("/etc", "special/extra")
os.mkfifo("special/extra-fifo")
make_file(b"names/\xfe\xfe")
for i in range(0, 20_000, 40):
    os.unlink(f"many/{i:05}")
# Links that are files, files that are links, other groups than there were.
copy_instead("links/a/two")
for i in range(3, 20):
    copy_instead(f"links/{'ab'[i % 2]}/fifty-{i:02}")
for i in range(20, 23):
    os.unlink(f"links/{'ab'[i % 2]}/fifty-{i:02}")
write("links/a/fifty-30", 5, b"of all that are left")
os.unlink("links/fifty-00")
os.link("links/two", "links/fifty-00")
os.unlink("links/twin-2")
os.link("links/twin-1", "links/twin-2")
os.unlink("links/link")
os.symlink("two", "links/link")
os.unlink("links/b/fifo")
os.mkfifo("links/b/fifo")
copy_instead("links/across")
# One kind of thing where another was.
replace("symlinks/dangling", make_file)
replace("symlinks/to-folder", os.mkdir)
replace("symlinks/absolute", lambda path: os.symlink("/etc/group", path))
replace("special/fifo", make_file)
replace("special/socket", lambda path: os.symlink("fifo", path))
replace("times/0", os.mkfifo)
replace("times/1", os.mkdir)
replace("times/folder-1", lambda path: os.symlink(sys.argv[1], path))
replace("times/folder-2", make_file)
replace("times/fifo-1", lambda path: os.mknod(path, stat.S_IFSOCK | 0o600))
replace("many/empty-1", lambda path: os.symlink(sys.argv[1], path))
replace("many/00001", lambda path: os.symlink(sys.argv[1] + "/file", path))
# Modes, times.
os.chmod("modes/file-0777", 0o000)
os.chmod("modes/file-4755", 0o755)
os.chmod("modes/file-0400", 0o6777)
os.chmod("modes/folder-1777", 0o000)
os.chmod("many", 0o500)
os.chmod("times/3", 0o7000)
os.utime("times/4", ns=(0, 0))
os.utime("times/link-4", ns=(0, 0), follow_symlinks=False)
os.utime("empty", ns=(0, 0))
# Holes filled and dug, sizes changed.
keep_time("sparse/leading", lambda: write("sparse/leading", 0, bytes(1 << 20)))
keep_time("sparse/all-hole", lambda: write("sparse/all-hole", 1 << 20, b"data"))
os.truncate("sparse/trailing", 2)
write("sparse/holes-200", 0, bytes(200 * 16 * 4096))
for i in range(0, 3000, 100):
    write("sparse/holes-3000", 2 * i * 4096, b"data")
os.truncate("sparse/hole-of-one-byte-more", 1 << 30)
os.truncate("links/b/sparse", 0)
if os.path.exists("../beyond/tebibyte"):
    keep_time("../beyond/tebibyte", lambda: write("../beyond/tebibyte", 1 << 30, bytes(5000)))
# Attributes and ACLs.
os.setxattr("attributes/file", "user.text", b"other text")
os.removexattr("attributes/file", "user.empty")
os.setxattr("attributes/file", "user.extra", b"1")
os.setxattr("attributes/empty", "user.extra", b"")
os.setxattr("attributes/folder", "user.extra", b"1")
for name in os.listxattr("attributes/sixty")[::2]:
    os.removexattr("attributes/sixty", name)
os.removexattr("acls/file", "system.posix_acl_access")
os.setxattr("acls/masked", "system.posix_acl_access",
            os.getxattr("acls/default/inherits", "system.posix_acl_access"))
default = os.getxattr("acls/default", "system.posix_acl_default")
os.removexattr("acls/default", "system.posix_acl_default")
os.setxattr("acls/plain", "system.posix_acl_default", default)
os.setxattr("empty", "system.posix_acl_default", default)
os.setxattr("acls/default/has-none", "system.posix_acl_access",
            os.getxattr("acls/default/inherits", "system.posix_acl_access"))
if is_root:
    os.chown("owners/12345", 0, 0)
    os.lchown("owners/1-link", 77, 77)
    os.chown("owners/1-folder", 77, 77)
    replace("special/null", make_file)
    replace("special/disk", lambda path: os.mknod(path, stat.S_IFBLK | 0o660, os.makedev(7, 6)))
    os.unlink("links/a/device")
    os.mknod("links/a/device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.setxattr("attributes/file", "trusted.note", b"other")
    os.removexattr("attributes/folder", "trusted.note")
    os.removexattr("attributes/link", "security.note", follow_symlinks=False)
    os.setxattr("attributes/empty", "trusted.extra", b"1")
    os.setxattr("attributes/link", "trusted.extra", b"1", follow_symlinks=False)
    os.setxattr("attributes/folder", "trusted.extra", b"1")
    os.setxattr("attributes/empty", "security.capability",
                os.getxattr("attributes/capable", "security.capability"))
    os.removexattr("attributes/capable-for-others", "security.capability")
    os.chown("attributes/capable", 12345, 0)
PYTHON
mkdir outside && echo kept >outside/file && touch -d 2001-01-01 outside outside/file
listing outside >outside.before
(cd "full$work/src/plain" && python3 "$work/damage.py" "$work/outside")
expect_code 0 repo restore "$whole" -t full --delete --verify --privileged
expect_no_error
expect_whole_source "full$work/src"
listing outside | cmp - outside.before || fail "the restore followed a link out of the target"

# Nothing is left to do.
expect_code 0 repo restore "$whole" -t full -e many --delete --json --privileged
expect_equal "$(field files_restored) $(field bytes_restored) $(field files_deleted)" "0 0 0"
expect_code 0 repo restore "$whole" -t full -e many --overwrite if-changed --json --privileged
expect_equal "$(field files_restored) $(field bytes_restored)" "0 0"
expect_identical src/plain/links "full$work/src/plain/links"
chmod -R u+rwX full && rm -rf full

# Parts of a group of links: what is restored of it is one file.
inodes() { stat -c %i "$@" | sort -u | wc -l; }
expect_code 0 repo restore "$whole:$work/src/plain/links/a" -t part --privileged
expect_equal "$(inodes part/fifty-*) $(stat -c %h part/fifty-02)" "1 24"
cmp part/fifty-48 src/plain/links/fifty-00
expect_equal "$(stat -c %h part/two)" 1
cmp part/two src/plain/links/two
[ -L part/link ] || fail "a link of two names did not come back under its second one"
expect_code 0 repo restore "$whole" -t picked -e many -e beyond -i '**/b/fifty-03' -i '**/a/fifty-4*' -i '**/across'
expect_equal "$(cd "picked$work/src" && find . -type f | sort | tr '\n' ' ')" \
    "./other/across ./plain/links/a/fifty-40 ./plain/links/a/fifty-42 ./plain/links/a/fifty-44 ./plain/links/a/fifty-46 ./plain/links/a/fifty-48 ./plain/links/across ./plain/links/b/fifty-03 "
expect_equal "$(inodes "picked$work"/src/plain/links/[ab]/fifty-*)" 1
expect_equal "$(inodes "picked$work"/src/{plain/links,other}/across)" 1
cmp "picked$work/src/plain/links/b/fifty-03" src/plain/links/fifty-00
expect_code 0 repo restore "$whole:$work/src/other" -t alone
expect_equal "$(stat -c %h alone/across)" 1
expect_code 0 repo restore "$whole:$work/src/plain/links/b/fifty-03" -t single
expect_equal "$(stat -c %h single/fifty-03)" 1
# The same of a snapshot that never saw the other names.
expect_code 0 repo snapshot -q --tag part src/plain/links/b
expect_code 0 repo restore --tag part "latest:$work/src/plain/links/b" -t seen --verify
expect_equal "$(inodes seen/fifty-*) $(stat -c %h seen/fifty-03) $(stat -c %h seen/empty)" "1 25 1"

# What gives rights is left out unless it is asked for, and that is said.
if is_root; then
    expect_code 0 repo restore "$whole:$work/src/plain" -t unprivileged -e many
    expect_error "left out, since it gives rights: set-id bits of "
    expect_error "--privileged restores them"
    expect_equal "$(find unprivileged -type f -perm /6000 | wc -l)" 0
    expect_equal "$(find unprivileged \( -type b -o -type c \) | wc -l)" 0
    expect_equal "$(find unprivileged -print0 | xargs -0 getfattr -h -d -m '^(security|trusted)' | wc -l)" 0
    expect_equal "$(find unprivileged -type d -perm /6000 | wc -l)" "$(find src/plain -type d -perm /6000 | wc -l)"
    compare_by "what getfattr sees of users' attributes" src/plain unprivileged \
        eval 'attributes | grep -a " user[.]"'
    compare_by "what getfacl sees of ACLs" src/plain/acls unprivileged/acls \
        eval 'find . -name "device*" -prune -o ! -type l -print0 | sort -z | xargs -0 getfacl -n -p --'
    expect_equal "$(stat -c '%a %u %g' unprivileged/owners/12345)" "755 12345 54321"
    expect_code 0 repo restore "$whole:$work/src/plain" -t unprivileged -e many --json
    expect_equal "$(field withheld_set_ids)" "$(find src/plain -type f -perm /6000 | wc -l)"
    expect_equal "$(field withheld_devices)" "$(find src/plain \( -type b -o -type c \) | wc -l)"
    expect_equal "$(field withheld_attributes)" "$(find src/plain \( -type b -o -type c \) -prune -o -print0 |
        xargs -0 getfattr -h -d -m '^(security|trusted)' | grep -c =)"
    # Asked for later, it comes.
    expect_code 0 repo restore "$whole:$work/src/plain" -t unprivileged -e many --privileged
    for name in special modes attributes owners; do expect_identical "src/plain/$name" "unprivileged/$name"; done

    # Owners by name, where the name has another number now, and by number.
    mkdir -p owned
    echo 1 >owned/file && chown daemon:daemon owned/file
    ln -s x owned/link && chown -h daemon:nogroup owned/link
    expect_code 0 repo snapshot -q --tag owned owned
    sed 's/^daemon:x:[0-9]*:[0-9]*:/daemon:x:4711:4712:/' /etc/passwd >passwd
    sed 's/^daemon:x:[0-9]*:/daemon:x:4712:/' /etc/group >group
    # shellcheck disable=SC2016
    elsewhere=(unshare -m bash -c 'mount --bind passwd /etc/passwd && mount --bind group /etc/group &&
        exec "$@"' bash)
    if "${elsewhere[@]}" true 2>/dev/null; then
        expect_code 0 "${elsewhere[@]}" "$program" restore "latest:$work/owned" -t by-name
        expect_equal "$(stat -c '%u %g' by-name/file by-name/link | tr '\n' ' ')" "4711 4712 4711 65534 "
        expect_code 0 "${elsewhere[@]}" "$program" restore "latest:$work/owned" -t by-number --numeric-ids
        expect_equal "$(stat -c '%u %g' by-number/file)" "$(stat -c '%u %g' owned/file)"
        expect_code 0 "${elsewhere[@]}" "$program" restore "latest:$work/owned" -t by-name --numeric-ids
        expect_equal "$(stat -c '%u %g' by-name/link)" "$(stat -c '%u %g' owned/link)"
    else
        skip "owners by name: no mount namespaces"
    fi
fi

# With -x, what is mounted within is left out, but not the place itself.
mkdir -p system/mounted system/kept
echo 1 >system/kept/file
if mount_tmpfs system/mounted 1M; then
    echo 2 >system/mounted/file
    chmod 1751 system/mounted
    expect_code 0 repo snapshot -q -x --tag mounted system
    repo ls --tag mounted latest | grep -F "$work/system/" >listed
    expect_lines listed "$work/system/kept" "$work/system/kept/file" "$work/system/mounted"
    expect_code 0 repo restore --tag mounted "latest:$work/system" -t without
    expect_equal "$(stat -c '%F %a' without/mounted)" "directory 1751"
    expect_code 0 repo snapshot -q -x --tag both system system/mounted
    expect_code 0 repo snapshot -q --tag crossing system
    expect_code 0 repo restore --tag crossing "latest:$work/system" -t across
    expect_same_tree system/mounted across/mounted
    umount "${mounts[-1]}"
    unset 'mounts[-1]'
else
    skip "-x: cannot mount"
fi

# Files whose size lies, or is not known: saved as they are read.
liars=()
for file in /proc/version /proc/filesystems /sys/kernel/mm/transparent_hugepage/enabled /sys/kernel/notes; do
    if [ -r "$file" ]; then liars+=("$file"); fi
done
if [ ${#liars[@]} -gt 0 ]; then
    # The files of sysfs get their times when they are first asked for attributes.
    getfattr -d -m - "${liars[@]}" >/dev/null
    for round in first second; do
        expect_code 0 repo snapshot --tag "$round" "${liars[@]}"
        expect_no_error
        expect_code 0 repo restore --tag "$round" latest -t "liars-$round" --verify
        for file in "${liars[@]}"; do
            cmp "$file" "liars-$round$file" || fail "$file was not saved as it is read"
        done
    done
else
    skip "files whose size lies: there is no /proc"
fi

expect_code 0 repo check
expect_output "no errors were found"
echo "all as expected"
