"""A record's values parsed in one pass, all problems collected."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Literal

from crmkit.errors import InvalidRecord, InvalidValue, Problem
from crmkit.schema.field import Field, place_of
from crmkit.schema.field_type import FieldType
from crmkit.schema.index_room import indexed_texts, with_room
from crmkit.schema.parts import Kind
from crmkit.schema.record import Record
from crmkit.schema.record_type import SYSTEM_FIELDS, RecordType
from crmkit.schema.schema import suggestion
from crmkit.values.text import shown

__all__ = ["Form", "RecordParser"]

Form = Literal["python", "text", "json"]
"""Whether values come as Python objects, as text somebody typed or a file holds, or as JSON."""

# Looking for what a name was meant to be takes a thousand times as long as refusing it.
_SUGGESTIONS = 10

_Parse = Callable[[Any], Any]


class RecordParser:
    """Parses the values of one record type, as declared or as it stands in a tenant. Keeps nothing between calls."""

    __slots__ = ("_blank", "_mutable", "_named", "_parsers", "_required", "record_type")

    def __init__(self, record_type: RecordType, *, unnamed: Collection[str] = ()) -> None:
        """``unnamed`` are fields that no hint may name."""
        fields = record_type.declared + record_type.custom
        self.record_type = record_type
        forms: dict[Form, dict[str, _Parse]] = {
            "python": {f.key: f.type.parse for f in fields},
            "text": {f.key: _cell_parser(f.type) for f in fields},
            "json": {f.key: f.type.load for f in fields},
        }
        for key in indexed_texts(record_type):
            for parsers in forms.values():
                parsers[key] = with_room(parsers[key], record_type.by_key[key].type)
        self._parsers: Mapping[Form, Mapping[str, _Parse]] = MappingProxyType(forms)
        self._named = tuple(f.key for f in fields if f.key not in unnamed)
        self._blank = {f.key: None if f.default is None else f.type.parse(f.default) for f in fields}
        self._mutable = tuple(key for key, default in self._blank.items() if isinstance(default, list | dict))
        self._required = tuple((f.key, _needs_text(f)) for f in fields if f.required)

    def create(
        self, values: Mapping[str, Any] | Record, *, form: Form = "python", row: int | None = None
    ) -> dict[str, Any]:
        """Every field but the system's, declared ones first, normalised: defaults where nothing is given, else None.

        ``values`` may be a draft, whatever the form. An empty or blank cell of a text counts as not given; None that
        is given means none, also where there is a default; where that is no choice (a declared field with a default,
        a required custom one) it is refused.

        Raises InvalidRecord with all problems, each placed at its field and ``row``: ``unknown_field``, ``read_only``,
        ``required`` (also for text of nothing but white space), and what the types raise.
        """
        form, given = self._given(values, form, row)
        result = self._blank.copy()
        for key in self._mutable:
            result[key] = self._parsers["python"][key](result[key])
        if form == "text":
            given = {key: cell for key, cell in given.items() if not _is_blank(cell) or key not in result}
        problems = self._parse(given, self._parsers[form], result, row)
        failed = {problem.field for problem in problems} if problems else ()
        for key, is_text in self._required:
            if _is_missing(result[key], is_text) and key not in failed:
                problems.append(_required(key, row))
        if problems:
            raise InvalidRecord(problems)
        return result

    def change(
        self, values: Mapping[str, Any] | Record, *, form: Form = "python", row: int | None = None
    ) -> dict[str, Any]:
        """What is given, normalised, and nothing else; an empty or blank cell of a text takes the value away.

        Raises InvalidRecord as ``create`` does; a field that is required may be left out and may not be emptied.
        """
        form, given = self._given(values, form, row)
        result: dict[str, Any] = {}
        if form == "text":
            given = {key: None if _is_blank(cell) else cell for key, cell in given.items()}
        problems = self._parse(given, self._parsers[form], result, row)
        for key, is_text in self._required:
            if key in result and _is_missing(result[key], is_text):
                problems.append(_required(key, row))
        if problems:
            raise InvalidRecord(problems)
        return result

    def draft(self, draft: Record) -> dict[str, Any]:
        """What a draft says besides the defaults. Raises InvalidRecord for what is no draft of the type."""
        defaults = {f.key: f.default for f in self.record_type.declared}
        values = self._of_draft(draft, None)
        return {key: value for key, value in values.items() if key not in defaults or value != defaults[key]}

    def _given(self, values: Any, form: Form, row: int | None) -> tuple[Form, Mapping[str, Any]]:
        if type(values) is dict:
            return form, values
        if isinstance(values, Record):
            return "python", self._of_draft(values, row)
        if not isinstance(values, Mapping):
            raise InvalidRecord(f"{shown(values)} is not a mapping of fields to values", code="not_a_mapping", row=row)
        return form, values

    def _of_draft(self, draft: Record, row: int | None) -> Mapping[str, Any]:
        if type(draft) is not self.record_type.record:
            raise InvalidRecord(
                f"{type(draft).__name__} is not a draft of {self.record_type.key}", code="wrong_type", row=row
            )
        if hasattr(draft, "id"):
            raise InvalidRecord(
                "the record is stored already",
                code="read_only",
                field="id",
                row=row,
                hint="give a draft, or the values themselves",
            )
        declared = {f.key: object.__getattribute__(draft, f.key) for f in self.record_type.declared}
        twice = [key for key in draft.custom if key in declared]
        if twice:
            raise InvalidRecord([_unknown(key, row, "it is not a custom field") for key in twice])
        return {**declared, **draft.custom}

    def _parse(
        self, given: Mapping[str, Any], parsers: Mapping[str, _Parse], result: dict[str, Any], row: int | None
    ) -> list[Problem]:
        problems: list[Problem] = []
        for key, value in given.items():
            parse = parsers.get(key)
            if parse is None:
                hint = suggestion(key, self._named) if len(problems) < _SUGGESTIONS else None
                problems.append(_unknown(key, row, hint))
            elif value is None:
                result[key] = None
            else:
                try:
                    result[key] = parse(value)
                except InvalidValue as error:
                    problems += [problem.at(field=key, row=row) for problem in error.problems]
        return problems


def _cell_parser(field_type: FieldType) -> _Parse:
    parse_text = field_type.parse_text

    def parse(cell: Any) -> Any:
        if not isinstance(cell, str):
            raise InvalidValue(f"text is needed, not {shown(cell)}", code="not_text")
        return parse_text(cell)

    return parse


def _needs_text(field: Field) -> bool:
    """Whether white space is no value of a required field; where it is the default, it is one."""
    return field.type.parts[0].kind is Kind.TEXT and (field.default is None or not _is_blank(field.default))


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and (not cell or cell.isspace()))


def _is_missing(value: Any, is_text: bool) -> bool:
    return value is None or (is_text and _is_blank(value))


def _required(key: str, row: int | None) -> Problem:
    return Problem("required", f"{key} needs a value", key, row)


def _unknown(key: Any, row: int | None, hint: str | None) -> Problem:
    place = place_of(key)
    if key in SYSTEM_FIELDS:
        return Problem("read_only", f"{key} is kept by the system", place, row, "leave it out")
    return Problem("unknown_field", f"there is no field {shown(key)}", place, row, hint)
