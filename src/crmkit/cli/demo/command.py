"""The command ``crmkit demo``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crmkit import CRM
from crmkit.cli.access import url_of
from crmkit.cli.demo.calendar import Calendar
from crmkit.cli.demo.load import Loaded, Progress, load
from crmkit.cli.demo.people import HEAD, address_of
from crmkit.cli.demo.section import Section, document, draw
from crmkit.cli.demo.show import sections, what_was_loaded
from crmkit.cli.output import write_document
from crmkit.store.migrations.migrate import current

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["demo"]

_FILE = "crmkit-demo.db"
_DEALS = 8_800
_SQLITE = b"SQLite format 3\x00"


@click.command()
@click.option("--db", metavar="URL", default=_FILE, help=f"URL, or path of an SQLite file; else {_FILE}.")
@click.option("--keep", is_flag=True, help="Show the demo that is in the database already.")
@click.option("--force", is_flag=True, help="Replace the SQLite file if there is one.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="For people, or one JSON document."
)
def demo(db: str, keep: bool, force: bool, form: str) -> None:
    """Load 8,800 real deals into a new database and show what crmkit does.

    The deals, accounts, products and sales agents of a computer hardware seller; what is wrong in the files is kept
    and reported. Shown are the first pages of three people, the pipeline, why somebody may do something, a look into
    the past, and an undo. The database stays, for trying the other commands.
    """
    if keep and force:
        raise click.UsageError("give --keep or --force, not both")
    url, file = url_of(db)
    if not keep:
        _make_room(file, force)
    crm = CRM(url)
    try:
        if not keep and current(crm.database) is not None:
            raise click.UsageError("there is data of crmkit in that database; give --keep to show it")
        _print(_told(crm, url, file, keep), form)
    finally:
        crm.dispose()
    if form == "table":
        click.echo(
            f'\nTry: crmkit deals list --db {db} --as {address_of(HEAD)} --where \'amount > money("20000", "USD")\''
        )


def _told(crm: CRM, url: "str | URL", file: Path | None, keep: bool) -> Iterator[Section]:
    if not keep:
        started = crm.clock.now()
        loaded = _loaded(url, file)
        yield what_was_loaded(loaded, (crm.clock.now() - started).total_seconds())
    yield from sections(crm)


def _print(told: Iterator[Section], form: str) -> None:
    if form == "json":
        write_document([document(section) for section in told])
        return
    for section in told:
        draw(section)


def _make_room(file: Path | None, force: bool) -> None:
    """Removes the file, if it is a database and that is wanted. Raises UsageError where it is in the way."""
    if file is None or not file.exists():
        return
    if not force:
        raise click.UsageError(f"{file} is there already; give --force to replace it, or --keep to show it")
    with file.open("rb") as opened:
        start = opened.read(len(_SQLITE))
    if start not in (b"", _SQLITE):
        raise click.UsageError(f"{file} is no SQLite file, so it is left alone")
    _remove(file)


def _remove(file: Path) -> None:
    for path in (file, *(file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm", "-journal"))):
        path.unlink(missing_ok=True)


def _loaded(url: "str | URL", file: Path | None) -> Loaded:
    """Loads with a bar where somebody is looking; half a demo is removed."""
    calendar = Calendar()
    crm = CRM(url, clock=calendar)
    try:
        with _bar() as progress:
            return load(crm, calendar, progress)
    except BaseException:
        crm.dispose()
        if file is not None:
            _remove(file)
        raise
    finally:
        crm.dispose()


@contextmanager
def _bar() -> Iterator[Progress | None]:
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=_DEALS, label="Loading deals", file=sys.stderr) as bar:
        yield bar.update
