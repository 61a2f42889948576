"""One of a list, or several of it."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import attrs

from crmkit.errors import InvalidValue
from crmkit.schema.field_type import EQUALITY, FieldType, Parts
from crmkit.schema.options import bad_option
from crmkit.schema.parts import Kind, Part, Slot
from crmkit.values import clean_text
from crmkit.values.text import shown

__all__ = ["Choice", "MultiChoice"]

_SEPARATOR = "|"
_KEY_LENGTH = 100
_LABEL_LENGTH = 255


def _choices(options: Any) -> dict[str, str]:
    """Keys to labels, in order: from a mapping, or from a list of keys (each its own label) or of pairs."""
    if isinstance(options, str) or not isinstance(options, Iterable):
        raise bad_option(f"{shown(options)} is not a list of options")
    choices: dict[str, str] = {}
    for key, label in map(_pair, options.items() if isinstance(options, Mapping) else options):
        if not key.strip() or key != key.strip() or _SEPARATOR in key:
            raise bad_option(f"{shown(key)} cannot be an option", "no '|', no white space at its ends, not empty")
        if key in choices:
            raise bad_option(f"{shown(key)} is an option twice")
        choices[key] = label
    if not choices:
        raise bad_option("a choice needs at least one option")
    return choices


def _pair(option: Any) -> tuple[str, str]:
    if isinstance(option, str):
        option = (option, option)
    if not isinstance(option, list | tuple) or len(option) != 2:
        raise bad_option(f"{shown(option)} cannot be an option", "a key, or a key and a label")
    try:
        key, label = option
        return clean_text(key, max_length=_KEY_LENGTH), clean_text(label, max_length=_LABEL_LENGTH)
    except InvalidValue as error:
        raise bad_option(f"an option: {error}") from error


def _of_several(instance: Any, attribute: "attrs.Attribute[Any]", choices: dict[str, str]) -> None:
    for key in choices:
        if ";" in key:
            raise bad_option(f"{shown(key)} cannot be one of several options", "no ';', which separates them as text")


def _chosen(choices: Mapping[str, str], value: Any) -> str:
    if isinstance(value, str):
        key = str.__str__(value)
        if key in choices:
            return key
    raise InvalidValue(
        f"{shown(value)} is not an option", code="not_an_option", hint=f"one of: {', '.join(list(choices)[:20])}"
    )


def _chosen_by_text(choices: Mapping[str, str], text: str) -> str:
    """The option of a key, or of a key or label in any case if that is only one."""
    wanted = text.strip()
    if wanted in choices:
        return wanted
    folded = wanted.casefold()
    matches = [key for key, label in choices.items() if folded in (key.casefold(), label.casefold())]
    return matches[0] if len(matches) == 1 else _chosen(choices, wanted)


@attrs.frozen
class Choice(FieldType):
    """One of a list of options; the key is stored and compared exactly, the label is for people."""

    name: ClassVar[str] = "choice"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.TEXT, _KEY_LENGTH),)
    operators: ClassVar[frozenset[str]] = EQUALITY
    slot: ClassVar[Slot | None] = Slot.TEXT

    choices: dict[str, str] = attrs.field(converter=_choices, hash=False)

    def parse(self, value: Any) -> str:
        return _chosen(self.choices, value)

    def parse_text(self, text: str) -> str:
        return _chosen_by_text(self.choices, text)

    def options(self) -> dict[str, Any]:
        return {"choices": _in_order(self.choices)}

    def json_schema(self) -> dict[str, Any]:
        return {"enum": list(self.choices)}


@attrs.frozen
class MultiChoice(FieldType):
    """Several options of a list, each once, in the order of the list."""

    name: ClassVar[str] = "multi_choice"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.TEXT),)
    operators: ClassVar[frozenset[str]] = frozenset({"has"})
    sortable: ClassVar[bool] = False

    choices: dict[str, str] = attrs.field(converter=_choices, validator=_of_several, hash=False)

    def parse(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple | set | frozenset):
            raise InvalidValue(f"{shown(value)} is not a list of options", code="not_a_list")
        chosen = {_chosen(self.choices, item) for item in value}
        if not chosen:
            raise InvalidValue("an empty list is no value", code="empty", hint="give None")
        return tuple(sorted(chosen, key=self._places.__getitem__))

    def parse_text(self, text: str) -> tuple[str, ...]:
        """Options separated by semicolons, or by commas where the whole is not an option itself."""
        items: list[str] = []
        for part in text.replace("；", ";").split(";"):
            try:
                items.append(_chosen_by_text(self.choices, part))
            except InvalidValue:
                pieces = (piece for piece in part.replace("，", ",").split(",") if piece.strip())
                items.extend(_chosen_by_text(self.choices, piece) for piece in pieces)
        return self.parse(items)

    def load(self, document: Any) -> tuple[str, ...]:
        if not isinstance(document, list):
            raise InvalidValue(f"{shown(document)} is not a list of options", code="not_a_list")
        value = self.parse(document)
        if len(value) != len(document):
            raise InvalidValue("an option is given twice", code="repeated_option")
        return value

    def operand(self, value: Any) -> str:
        return _chosen_by_text(self.choices, value) if isinstance(value, str) else _chosen(self.choices, value)

    def key(self, value: tuple[str, ...] | str) -> Any:
        """The fenced list (``|a|b|``) of a value; an operand is one option and its own key."""
        return value if isinstance(value, str) else self.to_parts(value)[0]

    def dump(self, value: tuple[str, ...]) -> list[str]:
        return list(value)

    def to_text(self, value: tuple[str, ...]) -> str:
        return ";".join(value)

    def to_parts(self, value: tuple[str, ...]) -> Parts:
        return (f"{_SEPARATOR}{_SEPARATOR.join(value)}{_SEPARATOR}",)

    def from_parts(self, *parts: Any) -> tuple[str, ...]:
        return tuple(parts[0].strip(_SEPARATOR).split(_SEPARATOR))

    def options(self) -> dict[str, Any]:
        return {"choices": _in_order(self.choices)}

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"enum": list(self.choices)}, "minItems": 1, "uniqueItems": True}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {key: place for place, key in enumerate(self.choices)}


def _in_order(choices: Mapping[str, str]) -> list[list[str]]:
    """Pairs, because a JSON object in a database forgets its order."""
    return [[key, label] for key, label in choices.items()]
