"""Which database, which tenant, and who: the options that commands share, and the sessions made of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from crmkit.cli.output import Format

if TYPE_CHECKING:
    from sqlalchemy import URL

    from crmkit import CRM
    from crmkit.kernel.session.session import Session

__all__ = ["Access", "access_options", "as_of_option", "database_options", "format_option", "url_of"]

F = TypeVar("F", bound=Callable[..., Any])

_FORMATS: tuple[Format, ...] = ("table", "json", "csv")


@attrs.frozen
class Access:
    """How a command reaches the database; ``tenant`` and ``user`` are empty for commands that are for all tenants."""

    db: str
    plugins: tuple[str, ...]
    tenant: str
    user: str

    @contextmanager
    def crm(self, *, new: bool = False) -> Iterator["CRM"]:
        """A CRM over the database. Without ``new`` an SQLite file must be there, or a typing error would make one."""
        from crmkit import CRM

        url, file = url_of(self.db)
        if not new and file is not None and not file.exists():
            raise click.UsageError(f"there is no database {file}; 'crmkit migrate --db {self.db}' makes one")
        crm = CRM(url, plugins=self.plugins)
        try:
            yield crm
        finally:
            crm.dispose()

    @contextmanager
    def session(self, **options: Any) -> Iterator["Session"]:
        """A session of the user. Options are those of ``CRM.session``."""
        with self.crm() as crm, crm.session(self.user, tenant=self.tenant, **options) as me:
            yield me


def url_of(db: str) -> "tuple[str | URL, Path | None]":
    """The URL of a database given as a URL or as the path of an SQLite file, and the path if it is one.

    Raises UsageError where it would be in memory, and gone with the command.
    """
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(db) if "://" in db else URL.create("sqlite", database=db)
    except (ArgumentError, ValueError):
        return db, None  # refused by the CRM, which says how a URL is written
    if url.get_backend_name() == "sqlite" and (url.database or "").strip() in ("", ":memory:"):
        raise click.UsageError("--db names no file, and a database in memory is gone when the command ends")
    if "://" not in db:
        return url, Path(db)
    in_file = url.get_backend_name() == "sqlite" and url.database and not url.query
    return db, Path(url.database) if in_file and url.database else None


_DATABASE = click.option(
    "--db",
    metavar="URL",
    required=True,
    envvar="CRMKIT_DB",
    show_envvar=True,
    help="URL, or path of an SQLite file.",
)
_PLUGINS = click.option(
    "--plugin",
    "plugins",
    metavar="MODULE",
    multiple=True,
    envvar="CRMKIT_PLUGINS",
    show_envvar=True,
    help="A plugin beside the built-in ones; may be repeated.",
)
_USER = click.option(
    "--as", "user", metavar="EMAIL", required=True, envvar="CRMKIT_USER", show_envvar=True, help="Who you are."
)
_TENANT = click.option(
    "--tenant", metavar="KEY", default="default", envvar="CRMKIT_TENANT", show_envvar=True, help="Whose records."
)

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="table",
    help="A table for people, or one JSON document, or CSV.  [default: table]",
)


def _instant(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """An instant, as the field type reads it. Raises InvalidValue."""
    from crmkit.schema.types import DateTime

    return None if value is None else DateTime().parse_text(value)


as_of_option = click.option(
    "--as-of", metavar="INSTANT", callback=_instant, help="As it was then, such as 2026-03-01T00:00:00+00:00."
)


def database_options(command: F) -> F:
    """Gives a command for all tenants ``--db`` and ``--plugin``, handed over together as ``access``."""
    return _with_access(command, (_DATABASE, _PLUGINS))


def access_options(command: F) -> F:
    """Gives a command ``--as``, ``--db``, ``--tenant`` and ``--plugin``, handed over together as ``access``."""
    return _with_access(command, (_USER, _DATABASE, _TENANT, _PLUGINS))


def _with_access(command: F, options: Sequence[Callable[[F], F]]) -> F:
    @wraps(command)
    def with_access(
        *args: Any, db: str, plugins: tuple[str, ...], tenant: str = "", user: str = "", **named: Any
    ) -> Any:
        return command(*args, access=Access(db, plugins, tenant, user), **named)

    decorated: Any = with_access
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
