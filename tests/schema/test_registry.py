"""The field types by name, and what a plugin's type must keep to."""

from typing import Any, ClassVar

import attrs
import pytest

from crmkit.errors import InvalidDefinition
from crmkit.schema import FieldType, Kind, Part, Slot
from crmkit.schema.field_type import EQUALITY
from crmkit.schema.types import BUILTIN_FIELD_TYPES, Choice, Text, field_types


@attrs.frozen
class Colour(FieldType):
    """A type as a plugin would add it."""

    name: ClassVar[str] = "colour"
    slot: ClassVar[Slot | None] = Slot.TEXT

    def parse(self, value: Any) -> str:
        return str(value)


def colour(**changes: Any) -> type[FieldType]:
    return attrs.frozen(type("Broken", (Colour,), changes))


def test_a_type_that_keeps_the_contract_is_found_beside_the_built_in_ones() -> None:
    found = field_types([Colour])
    assert found["colour"] is Colour
    assert set(found) == {t.name for t in BUILTIN_FIELD_TYPES} | {"colour"}
    assert "colour" not in field_types()


def test_nobody_changes_the_types_that_were_found() -> None:
    with pytest.raises(TypeError):
        field_types()["text"] = Choice  # type: ignore[index]


@pytest.mark.parametrize("extra", [[Text], [Colour, Colour], [colour(name="email")]])
def test_a_name_that_is_taken_is_refused(extra: list[type[FieldType]]) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        field_types(extra)
    assert refusal.value.code == "duplicate_type"


class Undecorated(FieldType):
    name: ClassVar[str] = "undecorated"


JSON_PART = (Part("", Kind.JSON),)
INTEGER_PART = (Part("", Kind.INTEGER),)
BROKEN: dict[str, Any] = {
    "no class": "text",
    "a class of another family": int,
    "not made by attrs": Undecorated,
    "no name": colour(name=""),
    "a name that is no text": colour(name=5),
    "a name no definition could hold": colour(name="Colour; --"),
    "no parts": colour(parts=()),
    "parts in a list": colour(parts=[Part("", Kind.TEXT)]),
    "parts that are none": colour(parts=("text",)),
    "two parts in one place": colour(parts=(Part("", Kind.TEXT), Part("", Kind.TEXT))),
    "a compare part beyond the last": colour(compare=1),
    "a compare part before the first": colour(compare=-1),
    "no compare part": colour(compare=None),
    "a unit beyond the last part": colour(unit=1),
    "a number in a text slot": colour(parts=INTEGER_PART),
    "text in a number slot": colour(slot=Slot.NUMBER),
    "text in a time slot": colour(slot=Slot.TIME),
    "the slots of unique values": colour(slot=Slot.UNIQUE),
    "a slot that is none": colour(slot="text"),
    "JSON that compares": colour(parts=JSON_PART, slot=None, operators=EQUALITY, sortable=False),
    "JSON that sorts": colour(parts=JSON_PART, slot=None, operators=frozenset(), sortable=True),
    "JSON in a slot": colour(parts=JSON_PART, operators=frozenset(), sortable=False),
    "operators in a list": colour(operators=["eq"]),
    "operators that are no names": colour(operators=frozenset({1})),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=list(BROKEN))
def test_a_type_that_breaks_the_contract_is_refused(broken: Any) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        field_types([broken])
    assert refusal.value.code == "bad_type"


def test_an_identifier_may_lie_in_a_text_slot() -> None:
    assert field_types([colour(parts=(Part("", Kind.ID),))])
