"""The command ``crmkit``: finds the module of what was asked for, and translates refusals into exit codes.

Exit codes: 0 done, 1 done and something was found (``doctor``) or left out (``undo``), or the output could not be
written, 2 refused, with the reasons on standard error. A traceback is a defect of crmkit.
"""

import io
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

from crmkit.cli.output import visible
from crmkit.errors import CrmkitError

__all__ = ["COMMANDS", "main"]

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "changesets": ("crmkit.cli.history:changesets", "The latest changesets of which you may see something."),
        "demo": (
            "crmkit.cli.demo.command:demo",
            "Load 8,800 real deals into a new database and show what crmkit does.",
        ),
        "doctor": ("crmkit.cli.admin:doctor", "Examine a database; exits with 1 if something was found."),
        "explain": (
            "crmkit.cli.explain:explain",
            "Why a record meets a condition, or why you may do something with it.",
        ),
        "field": ("crmkit.cli.fields:field", "Add fields to record types, and list them."),
        "history": (
            "crmkit.cli.history:history",
            "Every version of a record, of whatever type, deleted ones included.",
        ),
        "metrics": ("crmkit.cli.metrics:metrics", "A number about the deals of a pipeline, with what it rests on."),
        "migrate": ("crmkit.cli.admin:migrate", "Create or upgrade the tables of a database."),
        "undo": ("crmkit.cli.history:undo", "Take a changeset back, keeping what was changed since."),
    }
)
"""Where each command is and the first sentence of its help, so that ``crmkit --help`` loads none of them."""


class _Root(click.Group):
    """Commands by name, and for every record type a group named by its plural."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *_nouns()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name][0].partition(":")
            found: click.Command = getattr(import_module(module), attribute)
            return found
        return _noun_group(cmd_name) if cmd_name in _nouns() else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and name not in _nouns() and not name.startswith("-"):
            # A custom object is known in its tenant only, so whether there is one shows when the database is open.
            if args[1:2] in (["list"], ["show"]):
                return name, _noun_group(name), args[1:]
            close = get_close_matches(name, self.list_commands(ctx), n=1)
            meant = f" Did you mean {close[0]!r}?" if close else " Of a custom object, say 'list' or 'show'."
            ctx.fail(f"No such command {name!r}.{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])
        with formatter.section("Records, each with 'list' and 'show'"):
            formatter.write_text(f"{', '.join(_nouns())}, and every custom object by its plural")

    def main(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().main(*args, **extra)
        except OSError as error:
            what = error.filename or "the output cannot be written"
            click.echo(f"error: {visible(f'{what}: {error.strerror or error}')}", err=True)
            _drop_output()
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CrmkitError as error:
            for problem in error.problems:
                click.echo(f"error: {visible(str(problem))}", err=True)
            ctx.exit(2)


def _drop_output() -> None:
    """What is left of the output goes nowhere: Python would try it again at the end, and fail again."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # ValueError: a stream that is no file
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _nouns() -> tuple[str, ...]:
    from crmkit.cli.nouns import NOUNS

    return NOUNS


def _noun_group(plural: str) -> click.Group:
    from crmkit.cli.nouns import noun_group

    return noun_group(plural)


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crmkit", message="%(package)s %(version)s")
def main() -> None:
    """A CRM in a database of yours: lists, history, undo, fields, and a demo on real data.

    Most commands need a database (--db, or CRMKIT_DB) and say as whom they act (--as, or CRMKIT_USER).
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a sign gets its number instead of ending the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
