"""The ground: values that mean the same in memory, in every database and on paper. No I/O, no knowledge of CRM.

- :mod:`~crmkit.values.text`: what text may be stored, and the key by which it is compared
- :mod:`~crmkit.values.clock`: the clock, instants, days and zones as exact integers
- :mod:`~crmkit.values.ids`: ids that ascend (UUID version 7)
- :mod:`~crmkit.values.money`: exact amounts of one currency, :mod:`~crmkit.values.money_text`: as people write them,
  :mod:`~crmkit.values.currency`: the currencies, :mod:`~crmkit.values.rates`: what an amount is worth in another
- :mod:`~crmkit.values.period`: a span of days in a zone, :mod:`~crmkit.values.business_hours`: opening hours there
- :mod:`~crmkit.values.person_name`, :mod:`~crmkit.values.address`: names and addresses of people anywhere
- :mod:`~crmkit.values.email`, :mod:`~crmkit.values.phone`, :mod:`~crmkit.values.url`: one spelling for each address,
  with the rules of host names in :mod:`~crmkit.values.domain`

Every refusal is an :class:`~crmkit.errors.InvalidValue` without a place; callers add field and row with ``.at()``.
"""

from crmkit.values.address import Address
from crmkit.values.clock import (
    Clock,
    SystemClock,
    days_before,
    from_days,
    from_micros,
    local_date,
    to_days,
    to_micros,
    zone,
)
from crmkit.values.currency import minor_digits
from crmkit.values.email import normalise_email
from crmkit.values.ids import IdFactory, parse_id, uuid_from_bytes
from crmkit.values.money import Money
from crmkit.values.period import Period
from crmkit.values.person_name import PersonName
from crmkit.values.phone import normalise_phone
from crmkit.values.text import clean_text, fold
from crmkit.values.url import normalise_url

__all__ = [
    "Address",
    "Clock",
    "IdFactory",
    "Money",
    "Period",
    "PersonName",
    "SystemClock",
    "clean_text",
    "days_before",
    "fold",
    "from_days",
    "from_micros",
    "local_date",
    "minor_digits",
    "normalise_email",
    "normalise_phone",
    "normalise_url",
    "parse_id",
    "to_days",
    "to_micros",
    "uuid_from_bytes",
    "zone",
]
