#!/usr/bin/env python3
"""Writes a dump of a media library's database, as mysqldump does, to standard output.

  sql_dump.py [--megabytes 500] [--day N]

The same every time. Each day adds rows at the end, and changes a counter in one of 200 rows.
"""

import argparse
import hashlib
import random
import sys

WORDS = (
    "morning harbour portrait winter garden bridge concert family meadow station archive "
    "mountain wedding market river sunset workshop lecture castle forest evening festival "
    "railway museum kitchen snow reflection window street island village orchard"
).split()
ROWS_PER_STATEMENT = 4000
HEADER = """\
-- Dump of the media library
/*!40101 SET NAMES utf8mb4 */;
DROP TABLE IF EXISTS `asset`;
CREATE TABLE `asset` (`id` int NOT NULL, `uuid` char(36), `name` varchar(255), `sha1` char(40),
 `bytes` bigint, `width` int, `height` int, `lat` decimal(9,6), `lon` decimal(9,6), `taken`
 datetime, `owner` int, `views` int, `title` varchar(255), `keywords` text, PRIMARY KEY (`id`));
LOCK TABLES `asset` WRITE;
"""


def row(number, day):
    r = random.Random(number)
    digest = hashlib.sha1(str(number).encode()).hexdigest()
    uuid = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
    x = r.getrandbits(64)
    title = f"{WORDS[x % 32].capitalize()} {WORDS[x >> 5 & 31]} {WORDS[x >> 10 & 31]}"
    keywords = ",".join(WORDS[x >> shift & 31] for shift in (15, 20, 25, 30)[: 1 + (x >> 40 & 3)])
    views = (x >> 48) % 5000 + (day if number % 200 == 0 else 0)
    return (
        f"({number},'{uuid}','IMG_{number % 10000:04d}.JPG','{digest}',{x % 9_000_000 + 400_000},"
        f"{(x >> 8) % 4000 + 640},{(x >> 16) % 3000 + 480},{(x >> 24) % 180_000_000 / 1e6 - 90:.6f},"
        f"{(x >> 32) % 360_000_000 / 1e6 - 180:.6f},'20{10 + (x >> 3) % 16}-{1 + (x >> 7) % 12:02d}-"
        f"{1 + (x >> 11) % 28:02d} {(x >> 14) % 24:02d}:{(x >> 19) % 60:02d}:{(x >> 25) % 60:02d}',"
        f"{(x >> 36) % 900},{views},'{title}','{keywords}')"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--day", type=int, default=0)
    arguments = parser.parse_args()
    rows = (arguments.megabytes * 1_000_000 // 222) * (1000 + 2 * arguments.day) // 1000
    out = sys.stdout
    out.write(HEADER)
    for first in range(1, rows + 1, ROWS_PER_STATEMENT):
        last = min(first + ROWS_PER_STATEMENT, rows + 1)
        values = ",".join(row(number, arguments.day) for number in range(first, last))
        out.write(f"INSERT INTO `asset` VALUES {values};\n")
    out.write("UNLOCK TABLES;\n")


if __name__ == "__main__":
    main()
