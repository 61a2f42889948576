"""Currencies: three capital letters, and how many decimals each is paid in."""

from crmkit.errors import InvalidValue
from crmkit.values.text import shown

__all__ = ["checked_currency", "decimals_of", "minor_digits"]

# ISO 4217:2015 and its amendments, table A.1: the currencies whose minor unit is not a hundredth.
_MINOR_DIGITS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0,
    "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "CLF": 4, "UYW": 4,
}  # fmt: skip


def minor_digits(currency: str) -> int:
    """How many decimals the currency is paid in by ISO 4217: 0 for JPY, 3 for KWD, 4 for CLF, else 2.

    Codes the table does not know, and those without a minor unit such as XAU, count as 2. Raises
    :class:`~crmkit.errors.InvalidValue` with code ``bad_currency``.
    """
    return decimals_of(checked_currency(currency))


def decimals_of(currency: str) -> int:
    """As ``minor_digits``, of what is known to be a currency."""
    return _MINOR_DIGITS.get(currency, 2)


def checked_currency(currency: str) -> str:
    """The currency, if it is one. Raises InvalidValue (``bad_currency``)."""
    if type(currency) is not str or not (
        len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()
    ):
        raise InvalidValue(
            f"{shown(currency)} is no currency code", code="bad_currency", hint="use three capital letters such as EUR"
        )
    return currency
