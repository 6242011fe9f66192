"""Compares `repo` with cp, rsync, tar|zstd, restic and borg, end to end, on one tree of files.

Every tool of every round starts on its own fresh ext4 in a loop-mounted image, with a copy of the
corpus in the page cache, and goes through the rows: first, unchanged, changed, restore, verify.
Before the last two, what it has stored is read into the page cache, too. What it restores is
compared with the source. Rounds alternate the tools and start with a different one each. Every time
includes a final `sync -f`, so a tool that does not sync gains nothing by it.

It ends with what bounds `repo` on this machine, and how near that it comes: bound.py.

Programs: REPO_BIN (default build/release/cli/repo), RESTIC_BIN and BORG_BIN (default: from PATH).
"""

import argparse
import filecmp
import mmap
import os
import platform
import shutil
import signal
import stat
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import bound
import plot

PROJECT = Path(__file__).resolve().parent.parent
SAVES = ["first", "unchanged", "changed"]
ROWS = SAVES + ["restore", "verify"]
PROGRAMS = {
    "REPO_BIN": os.environ.get("REPO_BIN", str(PROJECT / "build/release/cli/repo")),
    "RESTIC_BIN": os.environ.get("RESTIC_BIN", "restic"),
    "BORG_BIN": os.environ.get("BORG_BIN", "borg"),
}


@dataclass
class Tool:
    """Shell commands, run in $WORK with the variables of Bench.environment().

    `save` makes the copy called $ROW, `restore` writes the last one, $LAST, below $TARGET: its tree
    must be found there as media, or under the source's absolute path.
    """

    needs: str  # the program without which the tool is skipped
    version: str
    save: str
    restore: str
    verify: str = ""
    init: str = ""


def repo_tool(processors=""):
    """`processors`: those it may use, as taskset takes them; empty for all."""
    repo = f'taskset -c {processors} "$REPO_BIN"' if processors else '"$REPO_BIN"'
    options = '-r "$STORE" --key-file "$WORK/key" --cache-dir "$CACHE"'
    return Tool(
        needs=PROGRAMS["REPO_BIN"],
        version='"$REPO_BIN" version',
        init=f'{repo} init {options}',
        save=f'{repo} snapshot {options} "$SOURCE"',
        restore=f'{repo} restore {options} "latest:$SOURCE" -t "$TARGET"',
        verify=f'{repo} check {options} --read-data',
    )


def borg_tool(encryption, compression):
    return Tool(
        needs=PROGRAMS["BORG_BIN"],
        version='"$BORG_BIN" --version',
        init=f'"$BORG_BIN" init -e {encryption} "$STORE"',
        save=f'"$BORG_BIN" create -C {compression} "$STORE::$ROW" "$SOURCE"',
        restore='cd "$TARGET" && "$BORG_BIN" extract "$STORE::$LAST"',
        verify='"$BORG_BIN" check --verify-data "$STORE"',
    )


TOOLS = {
    "repo": repo_tool(),
    "cp": Tool(
        needs="cp",
        version="cp --version",
        save='cp -a "$SOURCE" "$STORE/$ROW"',
        restore='cp -a "$STORE/$LAST" "$TARGET/media"',
    ),
    "rsync": Tool(
        needs="rsync",
        version="rsync --version",
        save='rsync -a --delete --modify-window=-1 "$SOURCE" "$STORE/"',
        restore='rsync -a --modify-window=-1 "$STORE/media" "$TARGET/"',
    ),
    "tar": Tool(
        needs="zstd",
        version="zstd --version",
        save='tar --format=posix -c media | zstd -q -T2 -o "$STORE/$ROW.tar.zst"',
        restore='zstd -qdc "$STORE/$LAST.tar.zst" | tar -x -C "$TARGET"',
        verify='zstd -qt "$STORE/$LAST.tar.zst"',
    ),
    "restic": Tool(
        needs=PROGRAMS["RESTIC_BIN"],
        version='"$RESTIC_BIN" version',
        init='"$RESTIC_BIN" init -q -r "$STORE" --cache-dir "$CACHE" --repository-version 2',
        save='"$RESTIC_BIN" backup -q -r "$STORE" --cache-dir "$CACHE" "$SOURCE"',
        restore='"$RESTIC_BIN" restore -q -r "$STORE" --cache-dir "$CACHE" latest -t "$TARGET"',
        verify='"$RESTIC_BIN" check -q -r "$STORE" --cache-dir "$CACHE" --read-data',
    ),
    "borg": borg_tool("repokey-blake2", "zstd,3"),
    "borg-none": borg_tool("none", "lz4"),
    # How repo grows with the processors; and what looking at each file costs at the least.
    "repo-1cpu": repo_tool("0"),
    "repo-2cpu": repo_tool("0,1"),
    "find": Tool(
        needs="find",
        version="find --version",
        save="find \"$SOURCE\" -printf '%s %T@ %C@ %i\\n'",
        restore="",
    ),
}
ON_REQUEST = {"repo-1cpu", "repo-2cpu", "find"}


@dataclass
class Sample:
    tool: str
    row: str
    round: int
    seconds: float  # of the command and the sync after it
    cpu_seconds: float  # of the command and its children, user and system
    peak_kib: int  # of the largest process
    stored: int  # bytes in the store afterwards
    sync_seconds: float

    HEAD = "tool\trow\tround\tseconds\tcpu_seconds\tpeak_kib\tbytes\tsync_seconds"

    def __str__(self):
        return (f"{self.tool}\t{self.row}\t{self.round}\t{self.seconds:.3f}"
                f"\t{self.cpu_seconds:.2f}\t{self.peak_kib}"
                f"\t{self.stored}\t{self.sync_seconds:.3f}")


def run(command, environment, cwd):
    """Runs `command` in a shell; returns its wall time and CPU time in seconds, and its peak memory
    in KiB.

    GNU time sees the last two: a direct child of this process would inherit its peak.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.NamedTemporaryFile("r") as seen:
        argv = ["time", "-o", seen.name, "-f", "%U %S %M", "bash", "-o", "pipefail", "-c", command]
        started = time.perf_counter()
        process = subprocess.Popen(argv, env=environment, cwd=cwd, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=output, start_new_session=True)
        try:
            status = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        seconds = time.perf_counter() - started
        if status:
            output.seek(0)
            sys.exit(f"failed with status {status}: {command}\n{output.read()[-2000:]}")
        user, system, peak = seen.read().split()
        return seconds, float(user) + float(system), int(peak)


def walk(tree):
    """Yields the path, relative to `tree`, of the tree itself and of everything in it."""
    yield "."
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            yield os.path.relpath(os.path.join(folder, name), tree)


def size_of(tree):
    """Returns the number of regular files in `tree` and the sum of their sizes."""
    sizes = [info.st_size for info in (os.lstat(tree / path) for path in walk(tree))
             if stat.S_ISREG(info.st_mode)]
    return len(sizes), sum(sizes)


def read_once(tree):
    for path in walk(tree):
        if (tree / path).is_file():
            with open(tree / path, "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass


def differences(source, restored):
    """Names what differs: presence, type, mode, owner, time, link target or content."""
    ours, theirs = set(walk(source)), set(walk(restored))
    found = [f"{path}: missing" for path in ours - theirs]
    found += [f"{path}: not in the source" for path in theirs - ours]
    for path in ours & theirs:
        a, b = os.lstat(source / path), os.lstat(restored / path)
        for field in ("st_mode", "st_uid", "st_gid", "st_mtime_ns"):
            # Links: not every tool restores their times.
            if field == "st_mtime_ns" and stat.S_ISLNK(a.st_mode):
                continue
            if getattr(a, field) != getattr(b, field):
                found.append(f"{path}: {field} {getattr(a, field)} is {getattr(b, field)}")
        if stat.S_ISLNK(a.st_mode) and stat.S_ISLNK(b.st_mode):
            if os.readlink(source / path) != os.readlink(restored / path):
                found.append(f"{path}: link target")
        elif stat.S_ISREG(a.st_mode) and stat.S_ISREG(b.st_mode):
            if not filecmp.cmp(source / path, restored / path, shallow=False):
                found.append(f"{path}: content")
    return sorted(found)


def touch_memory(size):
    """Takes `size` bytes from the system and gives them back.

    On a virtual machine the first touch of a page can cost a visit to the host; whoever runs first
    would pay for all.
    """
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size = min(size, available - (1 << 30))
    if size > 0:
        with mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            for page in range(0, size, mmap.PAGESIZE):
                memory[page] = 1


class Scratch:
    """A fresh ext4 at `path` while in the `with` block; a plain folder where that is impossible."""

    def __init__(self, folder, size):
        self.path = folder / "scratch"
        self.image = folder / "scratch.img"
        self.size = size
        self.loop = None

    def __enter__(self):
        self.path.mkdir(parents=True)
        try:
            self.mount()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"note: no loop-mounted ext4 ({error}); using a plain folder", file=sys.stderr)
        return self.path

    def mount(self):
        def call(*argv):
            done = subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE)
            return done.stdout.strip()

        with open(self.image, "wb") as image:
            image.truncate(self.size)
        # Nothing is left to be initialised in the background, and nothing is cached twice.
        call("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self.image))
        self.loop = call("losetup", "-f", "--show", "--direct-io=on", str(self.image))
        call("mount", self.loop, str(self.path))

    def __exit__(self, *_):
        if os.path.ismount(self.path):
            if subprocess.run(["umount", self.path]).returncode:
                subprocess.run(["umount", "-l", self.path])
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop])
        shutil.rmtree(self.path, ignore_errors=True)
        self.image.unlink(missing_ok=True)


class Bench:
    def __init__(self, corpus, out, rows):
        self.corpus = corpus
        self.rows = rows
        self.files, self.bytes = size_of(corpus)
        # cp keeps three copies beside the source and the restored tree; the rest is margin.
        self.scratch = Scratch(out / "work", (8 * self.bytes + (4 << 30)) // 4096 * 4096)
        self.tsv = open(out / "results.tsv", "w")
        self.samples = []
        print(Sample.HEAD, file=self.tsv, flush=True)

    def environment(self, work):
        return os.environ | PROGRAMS | {
            "LC_ALL": "C.UTF-8",
            "WORK": str(work),
            "SOURCE": str(work / "media"),
            "STORE": str(work / "store"),
            "TARGET": str(work / "target"),
            "CACHE": str(work / "cache"),
            "RESTIC_PASSWORD": "benchmark",
            "BORG_PASSPHRASE": "benchmark",
            "BORG_BASE_DIR": str(work / "cache"),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_EXIT_CODES": "legacy",
        }

    def run_tool(self, name, round_number):
        """Takes one tool through all rows on a fresh file system."""
        tool = TOOLS[name]
        with self.scratch as work:
            environment = self.environment(work)
            for folder in ("store", "target", "cache"):
                (work / folder).mkdir()
            subprocess.run(["cp", "-a", self.corpus, work / "media"], check=True)
            read_once(work / "media")
            # repo reads files again that are younger than two seconds at a snapshot's start.
            time.sleep(3)
            if tool.init:
                run(tool.init, environment, work)
            for row in self.rows:
                command = {"restore": tool.restore, "verify": tool.verify}.get(row, tool.save)
                if not command:
                    continue
                if row == "changed":
                    subprocess.run([PROJECT / "bench/corpus.sh", "--change", work / "media"],
                                   check=True, stdout=subprocess.DEVNULL)
                if row in SAVES:
                    environment |= {"ROW": row, "LAST": row}
                else:
                    read_once(work / "store")
                self.measure(name, row, round_number, command, environment)
                if row == "restore":
                    self.compare_restored(name, work)

    def measure(self, name, row, round_number, command, environment):
        work = Path(environment["WORK"])
        sync = ["sync", "-f", work]
        subprocess.run(sync, check=True)
        touch_memory(self.bytes + (1 << 29))
        seconds, cpu_seconds, peak = run(command, environment, work)
        started = time.perf_counter()
        subprocess.run(sync, check=True)
        sync_seconds = time.perf_counter() - started
        sample = Sample(name, row, round_number, seconds + sync_seconds, cpu_seconds, peak,
                        size_of(work / "store")[1], sync_seconds)
        self.samples.append(sample)
        print(sample, file=self.tsv, flush=True)
        print(f"  {name:10} {row:10} {sample.seconds:8.2f} s", file=sys.stderr)

    def compare_restored(self, name, work):
        source, target = work / "media", work / "target"
        places = [target / source.relative_to("/"), target / "media", target]
        restored = next(place for place in places if place.is_dir())
        found = differences(source, restored)
        if found:
            sys.exit(f"{name}: the restored tree differs in {len(found)} places:\n"
                     + "\n".join(found[:20]))

    def values(self, name, label):
        """Returns the tool's value of a table line in each round, in seconds or MB."""
        def of(row, get):
            return [get(s) for s in self.samples if (s.tool, s.row) == (name, row)]

        if label == "stored, MB":
            return of("first", lambda s: s.stored / 1e6)
        if label == "growth, MB":
            before = "unchanged" if "unchanged" in self.rows else "first"
            return [(b - a) / 1e6 for a, b in zip(of(before, lambda s: s.stored),
                                                  of("changed", lambda s: s.stored))]
        if label == "peak, MB":
            peaks = [of(row, lambda s: s.peak_kib * 1024 / 1e6) for row in self.rows]
            return [max(peaks_of_round) for peaks_of_round in zip(*filter(None, peaks))]
        if label.endswith(" CPU, s"):
            return of(label.removesuffix(" CPU, s"), lambda s: s.cpu_seconds)
        return of(label.removesuffix(", s"), lambda s: s.seconds)

    def medians(self, name):
        """Returns the tool's seconds by row."""
        values = {row: self.values(name, f"{row}, s") for row in self.rows}
        return {row: statistics.median(seconds) for row, seconds in values.items() if seconds}

    def bounds(self):
        with self.scratch as work:
            touch_memory(2 * self.bytes)
            read_once(self.corpus)
            return bound.bounds(bound.measure(PROGRAMS["REPO_BIN"], self.corpus, work, self.bytes))

    def table(self, names, cell):
        labels = [f"{row}, s" for row in self.rows] + [f"{row} CPU, s" for row in self.rows]
        labels += ["stored, MB", "growth, MB", "peak, MB"]
        lines = [["", *names]]
        for label in labels:
            columns = [self.values(name, label) for name in names]
            base = statistics.median(columns[0]) if names[0] == "repo" and columns[0] else None
            lines.append([label] + [cell(values, base) if values else "-" for values in columns])
        widths = [max(map(len, column)) for column in zip(*lines)]
        widths[0] = -widths[0]  # to the left
        return "\n".join("  ".join("%*s" % pair for pair in zip(widths, line)) for line in lines)


def median_and_ratio(values, base):
    median = statistics.median(values)
    ratio = f" ({median / base:5.2f}x)" if base else ""
    return f"{median:.2f}{ratio}"


def spread(values, _base):
    return f"{min(values):.2f}-{max(values):.2f}"


def first_line(command, environment=None):
    done = subprocess.run(["bash", "-c", command], env=environment, text=True, cwd=PROJECT,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return (done.stdout.splitlines() or ["?"])[0].strip()


def describe(bench, names, rounds):
    cpu = first_line("grep -m1 'model name' /proc/cpuinfo | cut -d: -f2")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    lines = [
        f"machine: {cpu}, {os.cpu_count()} cores, {memory:.0f} GB, Linux {platform.release()}",
        f"commit: {first_line('git describe --always --dirty')}",
        f"corpus: {bench.files} files, {bench.bytes / 1e6:.1f} MB",
        f"rounds: {rounds}",
    ]
    environment = os.environ | PROGRAMS
    return "\n".join(lines + [f"{name}: {first_line(TOOLS[name].version, environment)}"
                              for name in names])


def installed(names):
    for name in names:
        if shutil.which(TOOLS[name].needs):
            yield name
        else:
            print(f"note: {name} is skipped: no {TOOLS[name].needs}", file=sys.stderr)


def parse_arguments():
    def choice_of(known):
        def parse(text):
            chosen = text.split(",")
            if unknown := set(chosen) - set(known):
                raise argparse.ArgumentTypeError(f"{unknown} not among {','.join(known)}")
            return [name for name in known if name in chosen]
        return parse

    parser = argparse.ArgumentParser(description=__doc__, prog="compare.sh",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="rounds (default 3)")
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="results and scratch space (default: a new temporary folder)")
    parser.add_argument("--corpus", type=Path, metavar="DIR",
                        default=Path(tempfile.gettempdir(), "corpus"),
                        help="what corpus.sh made, or any tree (default: corpus in TMPDIR)")
    parser.add_argument("--only", type=choice_of(TOOLS),
                        default=[name for name in TOOLS if name not in ON_REQUEST],
                        metavar="TOOL,TOOL", help=f"also known: {', '.join(sorted(ON_REQUEST))}")
    parser.add_argument("--rows", type=choice_of(ROWS), default=ROWS, metavar="ROW,ROW",
                        help="`first` always runs")
    return parser.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    arguments = parse_arguments()
    corpus = arguments.corpus / "media"
    corpus = (corpus if corpus.is_dir() else arguments.corpus).resolve()
    if not corpus.is_dir():
        sys.exit(f"no corpus in {corpus}: run bench/corpus.sh {corpus}")
    if not shutil.which("time"):
        sys.exit("GNU time is needed (Debian package: time)")
    out = (arguments.out or Path(tempfile.mkdtemp(prefix="coffre-compare-"))).resolve()
    out.mkdir(parents=True, exist_ok=True)
    names = list(installed(arguments.only))
    bench = Bench(corpus, out, [row for row in ROWS if row in {"first", *arguments.rows}])

    read_once(corpus)
    for number in range(1, arguments.runs + 1):
        load = " ".join(f"{value:.2f}" for value in os.getloadavg())
        print(f"round {number} of {arguments.runs}; load of the machine: {load}", file=sys.stderr)
        start = (number - 1) % len(names)
        for name in names[start:] + names[:start]:
            bench.run_tool(name, number)

    report = f"{describe(bench, names, arguments.runs)}\n\nMedians"
    report += " (in brackets: times the value of repo)" if names[0] == "repo" else ""
    report += f"\n{bench.table(names, median_and_ratio)}\n"
    if arguments.runs > 1:
        report += f"\nSmallest and largest\n{bench.table(names, spread)}\n"
    medians = {name: bench.medians(name) for name in names}
    if "repo" in names:
        report += f"\n{bound.table(bench.bounds(), medians['repo'])}\n"
    (out / "results.txt").write_text(report)
    by_row = {row: {name: medians[name][row] for name in names if row in medians[name]}
              for row in bench.rows}
    title = f"{bench.files} files, {bench.bytes / 1e6:.0f} MB: seconds"
    (out / "results.svg").write_text(plot.chart(title, by_row))
    print(f"{report}\nin {out}: results.tsv, results.txt, results.svg")


if __name__ == "__main__":
    main()
