"""What an undo sets back for many records at once, where nothing has to be decided for each of them.

It is the road of ``WritePath.update_all``, to values that the records had before: records that get the same values are
decided on together, and whatever could refuse one of them sends all of the type down the road of single records.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import Conflict, InvalidRecord
from crmkit.kernel.definitions.tenant_schema import POLICY_TYPES, SCHEMA_TYPES
from crmkit.kernel.writes.pipeline import WritePath
from crmkit.schema import Kind, RecordType
from crmkit.store.write.revert import SettingBack

__all__ = ["DECIDING", "Together", "together"]

DECIDING = SCHEMA_TYPES | POLICY_TYPES
"""Once one of these is written, the next may be allowed or refused."""


@attrs.frozen
class Together:
    """Records of one type that can be set back at once, by id, with the fields that each gets back."""

    writes: WritePath
    back: SettingBack
    fields: Mapping[UUID, tuple[str, ...]]
    _given: Sequence[Mapping[str, Any]]
    """The values that records get back, those of any number of records once."""

    def do(self) -> None:
        """Sets them back. Raises Conflict if a plugin has changed one since they were found."""
        session, record_type = self.writes.session, self.back.type
        if self.back.write(session.writer(), frozenset().union(*self._given)) != len(self.fields):
            raise Conflict(f"some of the {record_type.plural} changed in between", hint="run it again")
        session.wrote(record_type.key, self._given)


def together(writes: WritePath, type_key: str, changeset_id: UUID) -> Together | None:
    """The records of the type that the changeset updated, nobody has changed since and nothing can refuse; None if
    there are none.
    """
    record_type = writes.session.type_of(type_key)
    keys = frozenset(_free(writes, record_type))
    free = tuple(f for f in record_type.declared if f.key in keys)
    if not free:
        return None
    back = SettingBack(writes.session.system_reader, record_type, changeset_id, free)
    found = back.found()
    given = {row: back.values(row) for row in dict.fromkeys(row for _, row in found)}
    values = tuple(given.values())
    if not found or any(_decided(writes, type_key, v) for v in values) or any(writes.unknown(record_type, values)):
        return None
    names = {row: tuple(v) for row, v in given.items()}
    return Together(writes, back, {record_id: names[row] for record_id, row in found}, values)


def _free(writes: WritePath, record_type: RecordType) -> Iterator[str]:
    """The fields that may be set back whatever the record is."""
    session, key = writes.session, record_type.key
    certain = all(session.judge.certain(key, action) for action in ("read", "update", "history"))
    if record_type.link or key in DECIDING or not certain:
        return
    plain = writes.plain(key)
    for f in record_type.declared:
        placed = f.key in record_type.together
        owned = f.key == "owner" and not session.judge.certain(key, "assign")
        readable = session.view.guard.field(key, f.key) is True
        if f.key in plain and readable and not (placed or owned or any(p.kind is Kind.JSON for p in f.type.parts)):
            yield f.key


def _decided(writes: WritePath, type_key: str, values: Mapping[str, Any]) -> bool:
    """Whether a plugin has to be asked about these values, or they are not what they were taken for at the time."""
    try:
        parsed = writes.session.parser(type_key).change(values)
    except InvalidRecord:
        return True
    return parsed != values or writes.heard(type_key, values)
