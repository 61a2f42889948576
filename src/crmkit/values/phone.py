"""Telephone numbers in one spelling: E.164, a plus sign and at most fifteen digits.

National spellings need the numbering plans of the world, which the ``phonenumbers`` package carries. It is an extra
and loaded on the first call; without it international spellings still work.
"""

import re
import unicodedata
from types import ModuleType

from crmkit.errors import InvalidValue
from crmkit.values.text import hides_digits, shown

__all__ = ["normalise_phone"]

_MAX_LENGTH = 64
_SEPARATORS = re.compile(r"[\s().\-/]")
_WRITTEN = re.compile(r"\+?[0-9\s().\-/*]+")
_E164 = re.compile(r"\+[1-9][0-9]{7,14}")
_INSTALL = "for national spellings run: pip install crmkit[phone]"


def normalise_phone(text: str, region: str | None = None) -> str:
    """The number in E.164, such as ``+862112345678``.

    ``region`` (ISO 3166 alpha-2, ``"CN"``) says where a number without ``+`` and country code is dialled. A number is
    accepted when its length is possible in its country's plan; whether it has been given out is not asked, because
    plans grow faster than anybody's copy of them. Letters and extensions are refused, since E.164 has no room for
    them. Full-width and other decimal digits, and every kind of dash, are read.

    Without the ``phonenumbers`` package only ``+`` and 8 to 15 digits with separators are accepted.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``bad_phone``.
    """
    library = _library()
    if library is None:
        return _international(text, _written(text))
    # Most numbers are written in E.164 already; their country's plan settles them in 2 µs instead of 40.
    if region is None and _as_planned(library, text):
        return text
    return _by_plan(library, text, _written(text), region)


def _library() -> ModuleType | None:
    try:
        import phonenumbers
    except ImportError:
        return None
    return phonenumbers


def _written(text: object) -> str:
    """The number in ASCII digits and separators, as it was grouped."""
    if not isinstance(text, str):
        raise _bad(text, "it is not text")
    if len(text) > _MAX_LENGTH:
        raise _bad(text, f"it is longer than {_MAX_LENGTH} characters")
    if hides_digits(text):
        raise _bad(text, "it has a digit that is none, such as ²")
    plain = unicodedata.normalize("NFKC", text.removeprefix("tel:")).strip()
    written = "".join(map(_ascii, plain))
    if not _WRITTEN.fullmatch(written):
        raise _bad(text, "it has something besides a number", "keep names and extensions in fields of their own")
    return written


def _ascii(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return "-" if unicodedata.category(character) == "Pd" else character


def _international(text: str, written: str) -> str:
    number = _SEPARATORS.sub("", written)
    if not number.startswith("+"):
        raise _bad(text, "it has no + and country code", _INSTALL)
    if not _E164.fullmatch(number):
        raise _bad(text, "after the + come 8 to 15 digits, the first not 0", _INSTALL)
    return number


def _as_planned(phonenumbers: ModuleType, text: object) -> bool:
    """Whether the library would give the number back as it is: in E.164, of a possible length, and with nothing in
    front that its plan calls a prefix. False where only the library itself can tell.
    """
    if not isinstance(text, str) or not _E164.fullmatch(text):
        return False
    digits = text[1:]
    for length in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions is not None:
            national = digits[length:]
            plan = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(digits[:length]), regions[0])
            prefix = plan.national_prefix_for_parsing
            possible = len(national) in plan.general_desc.possible_length
            return possible and national[0] != "0" and (not prefix or re.match(prefix, national) is None)
    return False


def _by_plan(phonenumbers: ModuleType, text: str, written: str, region: str | None) -> str:
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise _bad(text, f"{shown(region)} is no region with telephone numbers", "use two capital letters such as CN")
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        hint = "begin with + and the country code" if region is None else f"check it against a number of {region}"
        raise _bad(text, "it cannot be read as a number", hint) from None
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    # A few numbers that are dialled without an area code are complete all the same; only the plan's patterns know.
    if not possible and not phonenumbers.is_valid_number(number):
        raise _bad(text, "it is too short or too long for its country")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _bad(text: object, reason: str, hint: str = "write it as +86 21 1234 5678") -> InvalidValue:
    return InvalidValue(f"{shown(text)} is not a telephone number: {reason}", code="bad_phone", hint=hint)
