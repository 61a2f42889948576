"""``crmkit history``, ``changesets`` and ``undo``: what was done, by whom, and taking it back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from crmkit.cli.access import Access, access_options, format_option
from crmkit.cli.nouns import columns_of
from crmkit.cli.output import Column, Format, Table, write
from crmkit.cli.titles import Titles
from crmkit.errors import InvalidValue
from crmkit.schema.types import Reference

if TYPE_CHECKING:
    from crmkit.kernel.session.session import Session
    from crmkit.kernel.undo.plan import UndoEntry, UndoResult
    from crmkit.schema import RecordType
    from crmkit.store.read.history import FieldChange, Version

__all__ = ["changesets", "history", "undo"]


@click.command()
@click.argument("record_id", metavar="ID")
@format_option
@access_options
def history(access: Access, record_id: str, form: Format) -> None:
    """Every version of a record, of whatever type, deleted ones included.

    Oldest first: who made it, when, by which command, and the fields that changed.
    """
    with access.session() as me:
        record_type = me.find(record_id)
        versions = me.records(record_type.key).history(record_id)
        write(_versions(me, record_type, versions), form)


def _versions(me: "Session", record_type: "RecordType", versions: list["Version"]) -> Table:
    titles = Titles.of(me, record_type.fields, [version.record for version in versions])
    columns = {c.key: c for c in columns_of(record_type.fields, titles)}

    def dumped(key: str, value: Any) -> Any:
        if value is None:
            return None
        return columns[key].to_json(value) if _fits(record_type, key, value) else str(value)

    def told(key: str, value: Any) -> str:
        if value is None:
            return "nothing"
        return columns[key].to_screen(value) if _fits(record_type, key, value) else str(value)

    def to_json(changes: tuple["FieldChange", ...]) -> list[dict[str, Any]]:
        return [{"field": c.key, "before": dumped(c.key, c.before), "after": dumped(c.key, c.after)} for c in changes]

    def to_screen(changes: tuple["FieldChange", ...]) -> str:
        pairs = ((c.key, c.before is None, told(c.key, c.before), told(c.key, c.after)) for c in changes)
        return "; ".join(f"{key}: {to}" if new else f"{key}: {was} → {to}" for key, new, was, to in pairs)

    keys = ("version", "at", "actor", "command", "reason", "changeset")
    fields = Column("changes", to_json=to_json, to_cell=to_screen, to_screen=to_screen)
    return Table([*(Column(key, whole=key == "changeset") for key in keys), fields], map(_row, versions))


def _row(version: "Version") -> tuple[Any, ...]:
    made, record = version.changeset, version.record
    if made is None:
        return record.version, record.recorded_at, None, None, None, record.changeset_id, version.fields
    return record.version, made.recorded_at, made.actor, made.command, made.reason, made.id, version.fields


def _fits(record_type: "RecordType", key: str, value: Any) -> bool:
    """Whether today's type of the field takes the value; a custom field may have had another."""
    field = record_type.by_key[key]
    if not field.custom:
        return True
    try:
        field.type.parse(value)
    except InvalidValue:
        return False
    return True


@click.command()
@click.option("--limit", metavar="N", type=click.IntRange(1, 1000), default=20, help="At most so many; else 20.")
@format_option
@access_options
def changesets(access: Access, limit: int, form: Format) -> None:
    """The latest changesets of which you may see something."""
    with access.session() as me:
        rows = [
            (c.id, c.recorded_at, c.actor, c.command, c.origin, c.reason, c.undoes_id, c.causation_id)
            for c in me.log(limit)
        ]
    keys = "changeset at actor command origin reason undoes caused_by"
    write(
        Table([Column(key, clipped=True, whole=key == "changeset") for key in keys.split()], rows),
        form,
        empty="no changesets",
    )


@click.command()
@click.argument("changeset")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@format_option
@access_options
@click.pass_context
def undo(ctx: click.Context, access: Access, changeset: str, dry_run: bool, form: Format) -> None:
    """Take a changeset back, keeping what was changed since.

    Prints what was reverted, what was kept because somebody changed it since, and what was refused with the reason.
    Exits with 1 if anything was refused. The undo is a changeset of its own, which can be undone.
    """
    with access.session(dry_run=dry_run) as me:
        result = me.undo(Reference("*").parse_text(changeset))
        rows = list(_entries(me, result))
    write(Table.of("bucket type id name fields reason", rows), form, empty="there was nothing to undo")
    if form == "table":
        done = "would be reverted" if dry_run else "reverted"
        click.echo(f"{len(result.reverted)} {done}, {len(result.kept)} kept, {len(result.refused)} refused")
    if result.refused:
        ctx.exit(1)


def _entries(me: "Session", result: "UndoResult") -> Iterator[tuple[Any, ...]]:
    buckets = (("reverted", result.reverted), ("kept", result.kept), ("refused", result.refused))
    titles = _titles(me, [entry for _, entries in buckets for entry in entries])
    for bucket, entries in buckets:
        for entry in entries:
            yield bucket, entry.type_key, entry.id, titles.by_id.get(entry.id), entry.fields, entry.reason


def _titles(me: "Session", entries: list["UndoEntry"]) -> Titles:
    """The titles of the records that are there and may be read."""
    by_type: dict[str, list[UUID]] = {}
    for entry in entries:
        by_type.setdefault(entry.type_key, []).append(entry.id)
    titles = Titles({})
    for type_key, ids in by_type.items():
        if type_key in me.schema.types:
            titles.learn(me, type_key, ids)
    return titles
