"""docs/fields.md says what the field types are."""

import re
from pathlib import Path

from crmkit.schema.parts import SLOTS
from crmkit.schema.types import BUILTIN_FIELD_TYPES
from tests.docs.field_table import HEADER, SAMPLES, table

PAGE = (Path(__file__).parents[2] / "docs" / "fields.md").read_text(encoding="utf-8")


def test_the_table_of_field_types_is_made_from_the_types() -> None:
    start = PAGE.index(HEADER[0])
    assert PAGE[start : PAGE.index("\n\n", start)] == table()


def test_every_field_type_has_a_sample_of_its_own() -> None:
    assert SAMPLES.keys() == {kind.name for kind in BUILTIN_FIELD_TYPES}


def test_the_table_of_slots_counts_the_slots_there_are() -> None:
    told = dict(re.findall(r"^\| (text|number|time|unique) \| (\d+) \|", PAGE, flags=re.MULTILINE))
    assert told == {pool.value: str(len(slots)) for pool, slots in SLOTS.items()}
