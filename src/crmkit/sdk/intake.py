"""Outside input (a webhook, a form, an API body) read by a marshmallow schema that a record type gives.

From the one declaration comes this schema too: no second list of fields, no second idea of what fits.
"""

from typing import TYPE_CHECKING, Any

import marshmallow

from crmkit.errors import InvalidRecord, InvalidValue, Problem
from crmkit.schema import Field, RecordType

__all__ = ["intake_schema", "problems_of"]


if TYPE_CHECKING:
    _Field = marshmallow.fields.Field[Any]
else:
    _Field = marshmallow.fields.Field  # takes no type before release 4


class FieldOf(_Field):
    """A marshmallow field that leaves reading and writing to a field's own type."""

    def __init__(self, field: Field, **options: Any) -> None:
        super().__init__(**options)
        self._field = field

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return self._field.type.load(value)
        except InvalidValue as error:
            told = [{"code": p.code, "message": p.message, "hint": p.hint} for p in error.problems]
            raise marshmallow.ValidationError(told, field_name=self._field.key) from error

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else self._field.type.dump(value)


def intake_schema(record_type: RecordType) -> type[marshmallow.Schema]:
    """A marshmallow schema class for the JSON form of a record type; unknown keys are refused.

    ``intake_schema(t)().load(document)`` gives values for ``create``; ``.dump(record)`` the JSON form of a record.
    """
    fields: dict[str, Any] = {
        f.key: FieldOf(
            f, required=f.required and f.default is None, allow_none=not f.required, metadata={"title": f.label()}
        )
        for f in record_type.fields
    }
    return marshmallow.Schema.from_dict(fields, name=f"{record_type.key.title().replace('_', '')}Intake")


def problems_of(error: marshmallow.ValidationError, row: int | None = None) -> InvalidRecord:
    """Marshmallow's refusal as crmkit's own, every problem with its field."""
    messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    problems = [
        _problem(str(key), text, row)
        for key, texts in messages.items()
        for text in (texts if isinstance(texts, list) else [texts])
    ]
    return InvalidRecord(problems)


_OWN_WORDS = {"Unknown field.": "unknown_field", "Missing data for required field.": "required"}


def _problem(key: str, told: Any, row: int | None) -> Problem:
    if isinstance(told, dict) and "code" in told:
        return Problem(told["code"], told["message"], key, row, told["hint"])
    return Problem(_OWN_WORDS.get(str(told), "invalid_input"), str(told), key, row)
