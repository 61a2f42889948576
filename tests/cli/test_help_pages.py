"""docs/cli.md shows every command with the help it has."""

from collections.abc import Iterator

import click

from crmkit.cli.main import COMMANDS, main
from tests.cli.help_pages import PAGE, documented, rewritten


def commands() -> Iterator[str]:
    """Every command that does something, nouns by the one that stands for all."""
    context = click.Context(main)
    for name in (*COMMANDS, "deals"):
        command = main.get_command(context, name)
        inner = command.list_commands(context) if isinstance(command, click.Group) else []
        yield from [f"{name} {sub}" for sub in inner] or [name]


def test_the_help_texts_of_the_page_are_those_of_the_commands() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert rewritten(page) == page, "run: python -m tests.cli.help_pages"


def test_every_command_has_its_help_on_the_page() -> None:
    assert documented(PAGE.read_text(encoding="utf-8")) == {"", *commands()}


def test_a_help_text_that_is_no_longer_true_is_rewritten() -> None:
    page = "# Title\n\n```text\n$ crmkit doctor --help\nUsage: once\n```\n\n```text\n$ ls\n```\n"
    assert "Usage: crmkit doctor [OPTIONS]" in rewritten(page)
    assert rewritten(page).startswith("# Title\n\n```text\n$ crmkit doctor --help\n")
    assert rewritten(page).endswith("```\n\n```text\n$ ls\n```\n")
    assert rewritten(rewritten(page)) == rewritten(page)
