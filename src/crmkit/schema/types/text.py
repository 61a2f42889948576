"""Text of one line and of many."""

from typing import Any, ClassVar

import attrs

from crmkit.schema.field_type import EQUALITY, TEXTUAL, FieldType, Parts
from crmkit.schema.options import whole_number
from crmkit.schema.parts import Kind, Part, Slot
from crmkit.values import clean_text, fold

__all__ = ["LongText", "Text"]


@attrs.frozen
class Text(FieldType):
    """One line of text; compared, sorted and unique by its folded form (NFKC, casefold), kept as written.

    As text (a CSV cell) white space at the ends is dropped, so only a value without it survives the way there and back.
    """

    name: ClassVar[str] = "text"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.TEXT), Part("key", Kind.TEXT))
    compare: ClassVar[int] = 1
    operators: ClassVar[frozenset[str]] = TEXTUAL
    slot: ClassVar[Slot | None] = Slot.TEXT

    max_length: int = attrs.field(default=255, validator=whole_number(1, 2000))

    def parse(self, value: Any) -> str:
        return clean_text(value, max_length=self.max_length)

    def parse_text(self, text: str) -> str:
        return self.parse(text.strip())

    def operand(self, value: Any) -> str:
        return clean_text(value)

    def to_parts(self, value: str) -> Parts:
        return value, fold(value)

    def key(self, value: str) -> str:
        return fold(value)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.max_length}


@attrs.frozen
class LongText(FieldType):
    """Text of many lines, searchable but neither sortable nor indexed."""

    name: ClassVar[str] = "long_text"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.TEXT), Part("key", Kind.TEXT))
    compare: ClassVar[int] = 1
    operators: ClassVar[frozenset[str]] = EQUALITY | {"contains", "starts_with", "ends_with"}
    sortable: ClassVar[bool] = False

    max_length: int = attrs.field(default=100_000, validator=whole_number(1, 1_000_000))

    def parse(self, value: Any) -> str:
        return clean_text(value, max_length=self.max_length, multiline=True)

    def operand(self, value: Any) -> str:
        return clean_text(value, multiline=True)

    def to_parts(self, value: str) -> Parts:
        return value, fold(value)

    def key(self, value: str) -> str:
        return fold(value)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.max_length}
