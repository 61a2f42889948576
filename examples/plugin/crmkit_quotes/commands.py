"""The use cases: verbs of deals and quotes, and objects for ``me.do``."""

from datetime import timedelta
from typing import Any

from crmkit.sdk import Command, InvalidRecord, Target, command
from crmkit_quotes.quote import Quote

__all__ = ["AcceptQuote", "QuoteDeal"]


@command("deal.quote", action="create")
class QuoteDeal(Command[Quote]):
    """``me.deals.quote(deal, days=14)``: a quote over the deal's amount that is good for so many days.

    Raises InvalidRecord (``no_amount``), and what creating a quote raises.
    """

    deal: Target
    days: int = 30

    def run(self, me: Any) -> Quote:
        deal = me.deals.get(self.deal)
        if deal.amount is None:
            raise InvalidRecord("a deal without an amount cannot be quoted", code="no_amount", field="amount")
        made: Quote = me.quotes.create(
            number=f"{deal.id.hex[-8:]}-{len(list(me.system_reader.referring('quote', 'deal', [deal.id]))) + 1}",
            deal=deal,
            total=deal.amount,
            valid_until=me.today + timedelta(days=self.days),
        )
        return made


@command("quote.accept", action="accept")
class AcceptQuote(Command[Quote]):
    """``me.quotes.accept(quote)``: the quote is accepted, and binding from then on.

    Needs the right ``accept``, which this plugin adds, besides ``update``. Raises InvalidRecord (``expired``).
    """

    quote: Target

    def run(self, me: Any) -> Quote:
        quote = me.quotes.get(self.quote)
        me.require("quote", "accept", quote)
        if quote.valid_until < me.today:
            raise InvalidRecord(f"the quote was good until {quote.valid_until}", code="expired", field="valid_until")
        accepted: Quote = me.quotes.update(quote, status="accepted")
        return accepted
