"""What every field type knows about its values."""

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from crmkit.errors import InvalidDefinition, InvalidValue
from crmkit.schema.parts import Kind, Part, Slot

__all__ = ["EQUALITY", "ORDER", "TEXTUAL", "FieldType", "Parts"]

Parts = tuple[Any, ...]
"""A value as primitives, one for each of the type's parts; None stands for no value in every part."""

EQUALITY = frozenset({"eq", "ne", "in", "not_in"})
ORDER = EQUALITY | {"lt", "le", "gt", "ge", "between"}
TEXTUAL = ORDER | {"contains", "starts_with", "ends_with"}


@attrs.frozen
class FieldType:
    """A field type: Python value, text, JSON, parts in the database, JSON Schema and comparison, in one class.

    Options of a type (``max_length``, ``scale``) are its attrs fields, so that a definition can be stored as
    ``{"type": name, **options}``. Subclasses override what differs. None never reaches a type: absence is the field's
    business.

    Laws, for every normalised value ``v``: ``parse(v) == v``, ``load(dump(v)) == v``,
    ``from_parts(*to_parts(v)) == v``, and where text can hold all of the value ``parse_text(to_text(v)) == v``.
    """

    name: ClassVar[str] = ""
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.TEXT),)
    compare: ClassVar[int] = 0
    """Index of the part that comparisons, sorting and uniqueness use."""
    unit: ClassVar[int | None] = None
    """Index of the part that says in what the compare part is measured (a currency); unlike units do not compare."""
    operators: ClassVar[frozenset[str]] = EQUALITY
    slot: ClassVar[Slot | None] = None
    """The slot pool an indexed custom field of this type takes; None if it cannot be indexed."""
    sortable: ClassVar[bool] = True

    def parse(self, value: Any) -> Any:
        """The normalised value, strictly from Python. Raises InvalidValue."""
        raise InvalidValue(f"{self.name} takes no value", code="wrong_type")

    def parse_text(self, text: str) -> Any:
        """The normalised value from text a person typed or a file holds. Raises InvalidValue."""
        return self.parse(text)

    def dump(self, value: Any) -> Any:
        """The value as JSON; ``load`` reads it back."""
        return value

    def load(self, document: Any) -> Any:
        """The value from JSON, strictly. Raises InvalidValue."""
        return self.parse(document)

    def to_text(self, value: Any) -> str:
        """The value as one CSV cell; ``parse_text`` reads it back."""
        return str(self.dump(value))

    def to_parts(self, value: Any) -> Parts:
        """The primitives of a normalised value, in the order of ``parts``."""
        return (value,)

    def from_parts(self, *parts: Any) -> Any:
        """The value its primitives stand for."""
        return parts[0]

    def key(self, value: Any) -> Any:
        """The primitive comparisons see: the compare part of a normalised value."""
        return self.to_parts(value)[self.compare]

    def operand(self, value: Any) -> Any:
        """The normalised value of the other side of a comparison, forgiving text. Raises InvalidValue."""
        return self.parse_text(value) if isinstance(value, str) else self.parse(value)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema 2020-12 of the dumped value."""
        return {}

    def options(self) -> dict[str, Any]:
        """The options that differ from their defaults, as JSON; ``from_options`` reads them back."""
        return {a.name: getattr(self, a.name) for a in attrs.fields(type(self)) if getattr(self, a.name) != a.default}

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "FieldType":
        """The type with the options of a stored definition. Raises InvalidDefinition."""
        if not isinstance(options, Mapping):
            raise InvalidDefinition(f"the options of {cls.name} are an object", code="bad_option")
        known = {a.name for a in attrs.fields(cls)}
        unknown = sorted(f"{name!r:.80}" for name in options if name not in known)
        if unknown:
            raise InvalidDefinition(
                f"{cls.name} has no option {unknown[0]}",
                code="unknown_option",
                hint=f"options: {', '.join(sorted(known)) or 'none'}",
            )
        try:
            return cls(**options)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise InvalidDefinition(f"bad options for {cls.name}: {error}", code="bad_option") from error
