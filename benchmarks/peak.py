"""``python -m benchmarks.peak URL QUESTION``: asks one question, and says what memory that took at most, in KB."""

import resource
import sys
from pathlib import Path

from benchmarks.metrics import QUESTIONS
from benchmarks.world import ADMIN, crm_on


def main(url: str, question: str) -> None:
    """Asks and prints."""
    crm = crm_on(url)
    with crm.session(ADMIN) as me:
        QUESTIONS[question](me)
    crm.dispose()
    print(_peak())


def _peak() -> int:
    # On Linux ru_maxrss is inherited from the process that started this one, and that has read much more.
    status = Path("/proc/self/status")
    if status.exists():
        lines = (line.split() for line in status.read_text(encoding="ascii").splitlines())
        return next(int(line[1]) for line in lines if line[0] == "VmHWM:")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(*sys.argv[1:])
