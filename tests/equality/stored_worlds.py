"""A generated world written to a database, in a transaction that is rolled back at the end."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import UUID

import attrs

from crmkit.query.bind import SegmentSource, no_segments
from crmkit.query.context import ALL_RIGHTS, Guard, Moment
from crmkit.query.lift import NOBODY, ActorIds
from crmkit.schema import Schema
from crmkit.store import Database, Tables
from crmkit.store.connection.unit import Unit
from crmkit.store.migrations.migrate import migrate
from crmkit.store.read.reader import Reader
from crmkit.store.sql.plans import Shelf, View
from crmkit.store.write.writer import NewRow, Stamp, Writer
from crmkit.values import to_micros
from tests.query.strategies import DECLARED
from tests.query.worlds import MOMENT

TENANT = 7
_TOKENS = count()
_STAMP = Stamp(UUID(int=1), to_micros(MOMENT.now), None)

Rows = Iterable[tuple[str, UUID, dict[str, Any]]]
"""Record type, id, values by field; a field without a value may be left out."""


@attrs.frozen
class WorldDatabase:
    """A migrated database for one world after the other."""

    database: Database
    tables: Tables

    @classmethod
    def at(cls, url: str) -> "WorldDatabase":
        """Migrates the empty database at a URL."""
        tables = Tables(DECLARED)
        database = Database(url, tables=tables)
        migrate(database)
        return cls(database, tables)

    @contextmanager
    def holding(self, schema: Schema, rows: Rows, later: Rows = ()) -> Iterator["StoredWorld"]:
        """The world in the database for as long as the block lasts; ``later`` are values to set when all are there."""
        with self.database.open() as unit:
            world = StoredWorld(self, schema, unit, next(_TOKENS), Shelf())
            writer = world.writer()
            values: dict[UUID, dict[str, Any]] = {}
            for type_key, record_id, given in rows:
                values[record_id] = {f.key: None for f in schema.type(type_key).fields} | given
                writer.insert(type_key, [NewRow(record_id, values[record_id])])
            for type_key, record_id, given in later:
                values[record_id] |= given
                assert writer.update(type_key, [(record_id, 1, values[record_id])], frozenset(given)) == []
            yield world
            unit.rollback()


@attrs.frozen
class StoredWorld:
    """A world in the database."""

    place: WorldDatabase
    schema: Schema
    unit: Unit
    token: int
    shelf: Shelf

    def view(
        self,
        moment: Moment = MOMENT,
        guard: Guard = ALL_RIGHTS,
        actors: ActorIds = NOBODY,
        segments: SegmentSource = no_segments,
    ) -> View:
        """What somebody sees of it."""
        place = self.place
        token = (self.token, next(_TOKENS))
        codec = place.database.codec
        return View(place.tables, codec, TENANT, token, self.schema, moment, guard, actors, segments)

    def reader(self, view: View) -> Reader:
        """Reads in a view."""
        return Reader(self.place.database, self.shelf, self.unit, view)

    def writer(self) -> Writer:
        """Writes without asking anybody."""
        return Writer(self.place.database, self.shelf, self.unit, self.view(), _STAMP)
