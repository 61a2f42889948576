"""Unique values that an undo hands on: who holds one that another record gets back, and how it makes way."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs

from crmkit.kernel.definitions.tenant_schema import SCHEMA_TYPES
from crmkit.kernel.session.unit_of_work import Work
from crmkit.kernel.undo.steps import Planned, by_type
from crmkit.kernel.writes.pipeline import WritePath
from crmkit.kernel.writes.unique_keys import unique_key
from crmkit.schema import Field, Kind

__all__ = ["Holder", "holders", "set_aside"]


@attrs.frozen
class Holder:
    """A step that gives up a unique value: the fields that hold it, and the records that get it back."""

    planned: Planned
    fields: tuple[Field, ...]
    heirs: frozenset[UUID]


def holders(me: Work, planned: Iterable[Planned]) -> list[Holder]:
    """The steps that give up what others of them get back."""
    found: list[Holder] = []
    for type_key, steps in by_type(planned).items():
        if type_key not in SCHEMA_TYPES and any(p.step.action != "delete" for p in steps):
            for fields in me.unique_keys(type_key):
                found += _holders(fields, steps)
    return found


def _holders(fields: tuple[Field, ...], steps: Sequence[Planned]) -> Iterable[Holder]:
    concerned = [p for p in steps if p.step.action != "update" or any(f.key in p.step.values for f in fields)]
    keys = {p.id: (unique_key(fields, _now(p, fields)), unique_key(fields, _then(p, fields))) for p in concerned}
    heirs: dict[Any, set[UUID]] = {}
    for record_id, (now, then) in keys.items():
        if then is not None and then != now:
            heirs.setdefault(then, set()).add(record_id)
    for p in concerned:
        now, then = keys[p.id]
        if now in heirs and now != then:
            yield Holder(p, fields, frozenset(heirs[now]))


def _now(planned: Planned, fields: Iterable[Field]) -> Mapping[str, Any]:
    return {f.key: None if planned.step.action == "create" else planned.current[f.key] for f in fields}


def _then(planned: Planned, fields: Iterable[Field]) -> Mapping[str, Any]:
    match planned.step.action:
        case "create":
            lost: Any = planned.change.before
            unfit = planned.change.unfit()
            held = {**lost.custom, **dict.fromkeys(unfit)}
            return {f.key: held.get(f.key) if f.custom else lost[f.key] for f in fields}
        case "update":
            return {f.key: planned.step.values.get(f.key, planned.current[f.key]) for f in fields}
    return dict.fromkeys(f.key for f in fields)


def set_aside(writes: WritePath, type_key: str, found: Sequence[Holder]) -> set[UUID]:
    """Takes the values from records that get others later, or go; returns which: for some values nothing can stand."""
    record_type = writes.session.type_of(type_key)
    standing_in: dict[UUID, dict[str, Any]] = {}
    now = {holder.planned.id: holder.planned.current for holder in found}
    for holder in found:
        field = next(filter(None, (_free(holder, f) for f in holder.fields)), None)
        if field is not None:
            nothing = None if _nullable(field) else holder.planned.id.hex
            standing_in.setdefault(holder.planned.id, {})[field.key] = nothing
    rows = [
        (i, now[i].version, {**{f.key: now[i][f.key] for f in record_type.fields}, **values})
        for i, values in standing_in.items()
    ]
    writes.change(type_key, rows, frozenset().union(*standing_in.values()))
    return set(standing_in)


def _free(holder: Holder, field: Field) -> Field | None:
    """The field, if something else may stand in it for a while."""
    p = holder.planned
    changes = p.step.action == "delete" or field.key in p.step.values
    text = field.type.parts[field.type.compare].kind is Kind.TEXT and isinstance(p.current[field.key], str)
    return field if changes and (_nullable(field) or text) else None


def _nullable(field: Field) -> bool:
    return field.custom or not field.required
