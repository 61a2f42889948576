"""The help texts in docs/cli.md: ``python -m tests.cli.help_pages`` writes them anew.

A block of the page that begins with ``$ crmkit ... --help`` goes on with what that command prints.
"""

import re
from pathlib import Path

from tests.cli.command import run

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
BLOCK = re.compile(r"^```text\n\$ crmkit( [^\n]*)? --help\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def documented(page: str) -> set[str]:
    """The commands whose help is on the page: ``""`` for crmkit itself, ``"field add"``."""
    return {(block[1] or "").strip() for block in BLOCK.finditer(page)}


def rewritten(page: str) -> str:
    """The page with the help texts as they are."""

    def block(found: re.Match[str]) -> str:
        arguments = (found[1] or "").split()
        return "\n".join(
            ["```text", " ".join(["$ crmkit", *arguments, "--help"]), run(*arguments, "--help").out + "```"]
        )

    return BLOCK.sub(block, page)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
