"""How long each row would take if nothing but the necessary work were done.

The work of the stages, as `repo bench` measures it on the same files with all processors, or the
disk, whichever is longer. A row that takes twice its bound wastes half of its time.
"""

import json
import subprocess

LARGEST_SAMPLE = 1 << 30


def measure(repo, corpus, folder, size):
    """Returns what `repo bench --json` says of `corpus`, writing in `folder`."""
    argv = [repo, "bench", "--json", "--sample", str(min(max(size, 1 << 20), LARGEST_SAMPLE)),
            "--to", str(folder), str(corpus)]
    return json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)


def bounds(report):
    """Returns the seconds of the rows that move data, and of one that finds nothing new."""
    speed = {stage["stage"]: stage["all_threads"] for stage in report["stages"]}
    plain, stored = report["first"]["bytes_read"], report["first"]["bytes_stored"]
    unique = plain * report["unique_bytes"] / report["sample_bytes"]
    disk = report["write_speed"]
    reads_packs = stored / speed["read"] + unique / speed["restore"]
    return {
        "first": max(plain / speed["read"] + plain / speed["snapshot"], stored / disk),
        "unchanged": report["unchanged"]["seconds"],
        "restore": max(reads_packs, plain / disk),
        "verify": reads_packs,
    }


def table(found, medians):
    """Returns lines of text: each row's bound, its median, and how much of that the bound is."""
    lines = ["Bounds of repo: the work of its stages over the processors, or the disk"]
    for row, bound in found.items():
        if row in medians:
            lines.append(f"{row:10} {bound:8.3f} s of {medians[row]:8.3f} s: "
                         f"{100 * bound / medians[row]:3.0f} %")
    return "\n".join(lines)
