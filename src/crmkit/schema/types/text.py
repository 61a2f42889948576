"""Text of one line and of many."""

from typing import Any, ClassVar

import attrs

from crmkit.schema.field_type import EQUALITY, TEXTUAL, FieldType, Parts
from crmkit.schema.options import whole_number
from crmkit.schema.parts import Kind, Part, Slot
from crmkit.values import clean_text, fold

__all__ = ["FoldedText", "LongText", "Text"]


@attrs.frozen
class FoldedText(FieldType):
    """Text kept as written and compared by its folded form (NFKC, casefold)."""

    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.TEXT), Part("key", Kind.TEXT))
    compare: ClassVar[int] = 1
    operators: ClassVar[frozenset[str]] = TEXTUAL
    slot: ClassVar[Slot | None] = Slot.TEXT

    def parse_text(self, text: str) -> Any:
        return self.parse(text.strip())

    def operand(self, value: Any) -> str:
        return clean_text(value)

    def to_parts(self, value: str) -> Parts:
        return value, fold(value)

    def key(self, value: str) -> str:
        return fold(value)


@attrs.frozen
class Text(FoldedText):
    """One line of text; compared, sorted and unique by its folded form (NFKC, casefold), kept as written.

    As text (a CSV cell) white space at the ends is dropped, so only a value without it survives the way there and back.
    """

    name: ClassVar[str] = "text"

    max_length: int = attrs.field(default=255, validator=whole_number(1, 2000))

    def parse(self, value: Any) -> str:
        return clean_text(value, max_length=self.max_length)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.max_length}


@attrs.frozen
class LongText(FoldedText):
    """Text of many lines, searchable but neither sortable nor indexed."""

    name: ClassVar[str] = "long_text"
    operators: ClassVar[frozenset[str]] = EQUALITY | {"contains", "starts_with", "ends_with"}
    slot: ClassVar[Slot | None] = None
    sortable: ClassVar[bool] = False

    max_length: int = attrs.field(default=100_000, validator=whole_number(1, 1_000_000))

    def parse(self, value: Any) -> str:
        return clean_text(value, max_length=self.max_length, multiline=True)

    def parse_text(self, text: str) -> str:
        return self.parse(text)

    def operand(self, value: Any) -> str:
        return clean_text(value, multiline=True)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.max_length}
