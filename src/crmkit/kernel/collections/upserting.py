"""Upserts: the record that has a key is updated, and where there is none it is created.

Two units of work that upsert by the same key at once make one record: the second waits for the first, and then finds
what it has made.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import CrmkitError, Duplicate, InvalidQuery, InvalidRecord, StorageError
from crmkit.kernel.session.unit_of_work import Work
from crmkit.kernel.writes.pipeline import WritePath
from crmkit.kernel.writes.results import Raising, Tally
from crmkit.query import Path
from crmkit.query.lift import lift
from crmkit.query.nodes import all_of
from crmkit.schema import RecordType
from crmkit.schema.parsing import Form
from crmkit.store.write.upsert_keys import hold_keys
from crmkit.values import to_micros
from crmkit.values.text import is_blank, shown

__all__ = ["Upserts"]

Key = Mapping[str, Any]
"""The values a record is looked up by, normalised, by field."""


@attrs.frozen
class Upserts:
    """Upserts records of one type by the same fields."""

    session: Work
    type: RecordType
    by: tuple[str, ...]
    form: Form = "python"

    def one(self, given: Any) -> Any:
        """Upserts one record, as a whole or not at all, and returns it.

        Raises InvalidRecord (``blank_key``, and for values that are none), InvalidQuery (``several``), and what a
        create and an update raise.
        """
        session, tally = self.session, Raising()
        key = self._key(given)
        with session.doing(f"{self.type.key}.upsert"):
            self._hold([key])
            try:
                with session.doing(f"{self.type.key}.create"):
                    self._write(0, given, self._find(key), tally)
            except Duplicate:
                # Somebody has created it past an upsert, and has committed it since it was looked for.
                found = self._find(key)
                if found is None:
                    raise
                self._write(0, given, found, tally)
            record_id: Any = tally.rows[0][2]
            return session.written_record(self.type.key, record_id, tally.last)

    def many(self, rows: Sequence[tuple[int, Any]], tally: Tally) -> None:
        """Upserts a block of rows in their order, so that a later row finds what an earlier one has made. Their keys
        are held at once, so that two blocks in opposite orders do not wait for each other.
        """
        keyed = [(row, given, self._key_or_error(given)) for row, given in rows]
        self._hold(key for _, _, key in keyed if not isinstance(key, CrmkitError))
        before = tally.mark()
        try:
            with self.session.doing(f"{self.type.key}.upsert_many"):
                self._each(keyed, tally)
        except Duplicate:
            # As above, but found out by the database, in the middle of the block: it is done again.
            tally.back_to(before)
            self._each(keyed, tally)

    def _each(self, keyed: Sequence[tuple[int, Any, Key | CrmkitError]], tally: Tally) -> None:
        for row, given, key in keyed:
            if isinstance(key, CrmkitError):
                tally.refuse(row, key)
                continue
            try:
                found = self._find(key)
            except InvalidQuery as error:
                tally.refuse(row, error)
            else:
                self._in_turn(row, given, found, key, tally)

    def _in_turn(self, row: int, given: Any, found: Any, key: Key, tally: Tally) -> None:
        if found is None:
            attempt = _Attempt(row=row)
            self._write(row, given, None, attempt)
            if isinstance(attempt.error, Duplicate):
                found = self._find(key)
            if found is None:
                attempt.tell(tally)
                return
        self._write(row, given, found, tally)

    def _write(self, row: int, given: Any, found: Any, tally: Tally) -> None:
        writes = WritePath(self.session)
        if found is None:
            writes.create(self.type.key, [(row, given)], tally, self.form)
        else:
            writes.update(self.type.key, [(row, found, given)], tally, self.form)

    # ------------------------------------------------------------------------------------------------------------ keys

    def _key(self, given: Any) -> Key:
        if not isinstance(given, Mapping):
            raise InvalidRecord(f"{shown(given)} is not a mapping of fields to values", code="not_a_mapping")
        wanted = {name: given.get(name) for name in self.by}
        blank = [f.key for f in self.type.fields if f.key in wanted and _is_blank(wanted[f.key])]
        if blank:
            raise self._no_key(blank[0])
        key = self.session.parser(self.type.key).change(wanted, form=self.form)
        blank = [name for name, value in key.items() if _is_blank(self._compared(name, value))]
        if blank:
            raise self._no_key(blank[0])
        return key

    def _key_or_error(self, given: Any) -> Key | CrmkitError:
        try:
            return self._key(given)
        except CrmkitError as error:
            return error.with_traceback(None)

    def _no_key(self, field: str) -> InvalidRecord:
        return InvalidRecord(
            f"a row to upsert needs a value for {self._named}",
            code="blank_key",
            field=field,
            hint="leave the row out, or create it: records without a key are not the same record",
        )

    def _compared(self, name: str, value: Any) -> Any:
        """What comparisons see of a value: of two spellings of one name the same."""
        return None if value is None else self.type.by_key[name].type.key(value)

    @property
    def _named(self) -> str:
        return " and ".join(self.by)

    def _find(self, key: Key) -> Any:
        session = self.session
        where = lift(all_of([Path((name,)) == value for name, value in key.items()]), session.actor.ids)
        session.reader.check(self.type.key, where)
        found = list(session.reader.records(self.type.key, where, (), 2))
        if len(found) > 1:
            message = f"several {self.type.plural} have this {self._named}"
            raise InvalidQuery(message, code="several", field=self.by[0])
        return found[0] if found else None

    def _hold(self, keys: Iterable[Key]) -> None:
        """From here on nobody else upserts by these keys before the unit of work ends."""
        session, crm = self.session, self.session.crm
        session.may_write()
        now = to_micros(crm.clock.now())
        digests = {self._digest(key) for key in keys}
        hold_keys(crm.database, crm.shelf, crm.tables, session.unit, session.tenant.id, digests, now)

    def _digest(self, key: Key) -> str:
        compared = [(name, self._compared(name, value)) for name, value in sorted(key.items())]
        return sha256(repr((self.type.key, compared)).encode()).hexdigest()


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and is_blank(value))


@attrs.define
class _Attempt(Tally):
    """The tally of one row, of which it is not said yet what becomes of it."""

    row: int = 0
    error: CrmkitError | None = None
    """Why the row was refused."""

    def refuse(self, row: int, error: CrmkitError, record_id: UUID | None = None) -> None:
        if isinstance(error, StorageError):
            Tally.refuse(self, row, error, record_id)
        self.error = error.with_traceback(None)

    def tell(self, tally: Tally) -> None:
        """Says what became of it. Raises as ``refuse`` of that tally."""
        if self.error is not None:
            tally.refuse(self.row, self.error)
        for row, status, record_id in self.rows:
            tally.did(row, status, record_id)
            tally.last = self.last
