"""Which definitions others have used since a changeset: taking them back would take their work with them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from crmkit.kernel.session.unit_of_work import Work
from crmkit.kernel.undo.plan import plan_undo
from crmkit.query.lift import lift
from crmkit.query.text import parse
from crmkit.records import BASE_OBJECT
from crmkit.store.ledger.changesets import Touched
from crmkit.store.read.history import History

__all__ = ["used_definitions"]


def used_definitions(
    me: Work, history: History, changeset_id: UUID, fields: Iterable[tuple[Any, bool]], objects: Iterable[Any]
) -> Iterator[UUID]:
    """Of custom fields, each with whether it goes, and of custom objects that go: the ids of those in use.

    An object is in use if it has records that are not the changeset's; a field if a record holds another value than the
    changeset left, or, where the field stays, none any more.
    """
    for custom_object in objects:
        if _peopled(me, history, changeset_id, custom_object.key):
            yield custom_object.id
    for field, going in fields:
        if _filled(me, history, changeset_id, field, going):
            yield field.id


def _peopled(me: Work, history: History, changeset_id: UUID, type_key: str) -> bool:
    """Whether there are records but for those that go with the changeset."""
    reader = me.system_reader
    made = history.beside(_touched(history, changeset_id, type_key), reader)
    steps = (plan_undo(change, now) for change, now in made if change.kind == "create")
    return reader.count(type_key) > sum(1 for step in steps if step is not None and step.action == "delete")


def _touched(history: History, changeset_id: UUID, type_key: str) -> Mapping[str, Sequence[Touched]]:
    touched = history.touched(changeset_id, {type_key, BASE_OBJECT}.__contains__)
    return {type_key: touched.get(type_key, [])}


def _filled(me: Work, history: History, changeset_id: UUID, field: Any, going: bool) -> bool:
    reader, key = me.system_reader, field.key
    touched = _touched(history, changeset_id, field.on)
    known: set[UUID] = set()
    for change, now in history.beside(touched, reader):
        known.add(change.id)
        left = None if change.after is None else change.after.custom.get(key)
        if now is not None and now[key] != left and not (going and now[key] is None):
            return True
    holders = reader.ids(field.on, lift(parse(f"{key} is not None")))
    return any(record_id not in known for record_id in holders)
