"""``python -m benchmarks.peak URL QUESTION``: asks one question and says how much memory the process had at most, in KB."""

import resource
import sys

from benchmarks.metrics import QUESTIONS
from benchmarks.world import ADMIN, crm_on


def main(url: str, question: str) -> None:
    """Asks and prints."""
    crm = crm_on(url)
    with crm.session(ADMIN) as me:
        QUESTIONS[question](me)
    crm.dispose()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main(*sys.argv[1:])
