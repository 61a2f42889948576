"""``python -m benchmarks [--db sqlite|postgresql|both] [--rows 100000] [--deals 1000000] [--only W1,W3]``."""

import argparse
import platform
import sqlite3

from benchmarks.bench import Bench
from benchmarks.places import place
from benchmarks.report import heading, row
from benchmarks.works import WORKS


def main() -> None:
    """Measures and prints as it goes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--rows", type=int, default=100_000, help="contacts; everything else in proportion")
    parser.add_argument("--deals", type=int, help="deals that moved, for W11 on; as many as rows unless told")
    parser.add_argument("--only", default=",".join(WORKS), help="for example W1,W3")
    parser.add_argument("--runs", type=int, default=3, help="of each long work")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each short work")
    options = parser.parse_args()
    wanted = [work.strip().upper() for work in options.only.split(",")]
    deals = options.deals or options.rows
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    print(f"{versions}, {options.rows:,} contacts, {deals:,} deals that moved")
    for dialect in ("sqlite", "postgresql") if options.db == "both" else (options.db,):
        with place(dialect) as where:
            bench = Bench(where, options.rows, options.runs, options.seconds, deals)
            print(f"\n## {dialect}\n\n{heading()}", flush=True)
            for name, work in WORKS.items():
                if name in wanted:
                    for line in work(bench):
                        print(row(line), flush=True)


if __name__ == "__main__":
    main()
