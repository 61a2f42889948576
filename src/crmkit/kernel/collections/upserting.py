"""Finding the record that an upsert means, so that two who look for the same key at once do not both make it."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from crmkit.errors import InvalidQuery, InvalidRecord
from crmkit.kernel.session.unit_of_work import Work
from crmkit.query import Path
from crmkit.query.lift import lift
from crmkit.query.nodes import all_of
from crmkit.schema import RecordType
from crmkit.schema.parsing import Form
from crmkit.store.write.upsert_keys import hold_keys
from crmkit.values import to_micros
from crmkit.values.text import is_blank, shown

__all__ = ["matching"]


def matching(session: Work, record_type: RecordType, given: Any, by: tuple[str, ...], form: Form) -> Any:
    """The record with the same values in ``by``, or None; from here on, nobody else upserts by these values before the
    session's unit of work ends.

    Raises InvalidRecord for values that are none, InvalidQuery (``no_key``, ``several``).
    """
    if not isinstance(given, Mapping):
        raise InvalidRecord(f"{shown(given)} is not a mapping of fields to values", code="not_a_mapping")
    key = session.parser(record_type.key).change({name: given.get(name) for name in by}, form=form)
    names = " and ".join(by)
    blank = [name for name, value in key.items() if value is None or (isinstance(value, str) and is_blank(value))]
    if blank:
        hint = "leave the row out, or create it: records without a key are not the same record"
        raise InvalidQuery(f"upsert needs a value for {names}", code="no_key", field=blank[0], hint=hint)
    _hold(session, record_type, key)
    where = lift(all_of([Path((name,)) == value for name, value in key.items()]), session.actor.ids)
    session.reader.check(record_type.key, where)
    found = list(session.reader.records(record_type.key, where, (), 2))
    if len(found) > 1:
        raise InvalidQuery(f"several {record_type.plural} have this {names}", code="several", field=by[0])
    return found[0] if found else None


def _hold(session: Work, record_type: RecordType, key: Mapping[str, Any]) -> None:
    session.may_write()
    crm = session.crm
    # By what comparisons see of the values: two spellings of one name are one key.
    compared = [(name, record_type.by_key[name].type.key(value)) for name, value in sorted(key.items())]
    digest = sha256(repr((record_type.key, compared)).encode()).hexdigest()
    now = to_micros(crm.clock.now())
    hold_keys(crm.database, crm.shelf, crm.tables, session.unit, session.tenant.id, [digest], now)
