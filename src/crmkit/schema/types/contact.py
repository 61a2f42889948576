"""E-mail addresses, telephone numbers and web addresses, each kept in its normal form."""

import re
from typing import Any, ClassVar

import attrs

from crmkit.errors import InvalidValue
from crmkit.schema.field_type import TEXTUAL, FieldType
from crmkit.schema.options import text_like
from crmkit.schema.parts import Kind, Part, Slot
from crmkit.schema.types.text import FoldedText
from crmkit.values import clean_text, normalise_email, normalise_phone, normalise_url

__all__ = ["Email", "Phone", "Url"]

_URL_LENGTH = 2000
_PHONE_SEPARATORS = re.compile(r"[\s().\-/]")


@attrs.frozen
class Email(FoldedText):
    """An e-mail address; compared without regard to case."""

    name: ClassVar[str] = "email"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.TEXT, 254), Part("key", Kind.TEXT))

    def parse(self, value: Any) -> str:
        return normalise_email(clean_text(value))

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": 254}


@attrs.frozen
class Phone(FieldType):
    """A telephone number in E.164; ``region`` is the country a national number is read in."""

    name: ClassVar[str] = "phone"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.TEXT, 20),)
    operators: ClassVar[frozenset[str]] = TEXTUAL
    slot: ClassVar[Slot | None] = Slot.TEXT

    region: str | None = attrs.field(
        default=None, validator=text_like("[A-Z]{2}", "an ISO 3166 code of two capital letters, such as CN")
    )

    def parse(self, value: Any) -> str:
        return normalise_phone(clean_text(value), self.region)

    def parse_text(self, text: str) -> str:
        return self.parse(text.strip())

    def operand(self, value: Any) -> str:
        """The text without separators, which no stored number has; it may be a part of a number."""
        return _PHONE_SEPARATORS.sub("", clean_text(value))

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": 64}


@attrs.frozen
class Url(FoldedText):
    """A web address, http or https."""

    name: ClassVar[str] = "url"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.TEXT, _URL_LENGTH), Part("key", Kind.TEXT))

    def parse(self, value: Any) -> str:
        address = normalise_url(clean_text(value, max_length=_URL_LENGTH))
        # The normal form may be the longer one: a slash at the end, a host in composed letters.
        if len(address) > _URL_LENGTH:
            raise InvalidValue(
                f"the address has {len(address)} characters in its normal form, at most {_URL_LENGTH} are allowed",
                code="too_long",
            )
        return address

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": _URL_LENGTH}
