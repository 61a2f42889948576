"""examples/plugin: every kind of hook in one real plugin."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crmkit import CRM, F, Money
from crmkit.errors import Denied, Duplicate, InvalidRecord, Vetoed
from crmkit.testing import FakeClock
from tests.examples.databases import on_both

FOLDER = Path(__file__).parents[2] / "examples" / "plugin"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.fixture
def crm(url: str, open_crm: Callable[..., CRM]) -> CRM:
    crm = open_crm(url, plugins=["crmkit_quotes"])
    crm.migrate()
    return crm


@on_both
def test_an_accepted_quote_is_binding_and_stands_in_the_timeline_of_the_deal(crm: Any) -> None:
    with crm.session("ana@acme.example") as me:
        deal = me.deals.create(name="宝钢", amount=Money("12000.005", "EUR"))
        quote = me.deals.quote(deal, days=14)
        assert (quote.total, quote.valid_until) == (Money(12_000, "EUR"), me.today + timedelta(days=14))
        assert [d.name for d in me.deals.where(F.quotes.any(F.status == "open"))] == ["宝钢"]
    with crm.session("ana@acme.example") as me:
        accepted = me.quotes.accept(quote)
        acceptance = me.changeset_id
    with crm.session("ana@acme.example") as me:
        assert [a.subject for a in me.activities.where(deal=deal)] == [f"Quote {quote.number} accepted: 12000.00 EUR"]
        for change in (lambda: me.quotes.update(accepted, total=Money(1, "EUR")), lambda: me.quotes.delete(accepted)):
            with pytest.raises(Vetoed, match="an accepted quote is binding"):
                change()
        assert acceptance is not None
        undone = me.undo(acceptance)
        assert (undone.reverted, [entry.reason for entry in undone.refused]) == ((), ["an accepted quote is binding"])
        assert me.quotes.get(accepted) == accepted
    assert crm.undelivered() == []


def test_a_quote_is_accepted_in_time_and_by_who_may(crm: Any, clock: FakeClock) -> None:
    with crm.session("ana@acme.example") as me:
        role = me.roles.create(name="clerk")
        for on, action in (("quote", "read"), ("quote", "update"), ("deal", "read")):
            me.records("grant").create(role=role, on=on, action=action, scope="all")
        me.records("role_member").create(role=role, user=me.users.create(email="bo@acme.example", name="Bo"))
        quote = me.deals.quote(me.deals.create(name="Rollout", amount=Money(1, "EUR")), days=14)
    with crm.session("bo@acme.example") as bo, pytest.raises(Denied, match="accept"):
        bo.quotes.accept(quote)
    clock.move(days=15)
    with crm.session("ana@acme.example") as me, pytest.raises(InvalidRecord, match="good until"):
        me.quotes.accept(quote)
    with crm.session("ana@acme.example") as me:
        assert me.quotes.get(quote).status == "open"


def test_a_deal_without_an_amount_gets_no_quote(crm: Any) -> None:
    with crm.session("ana@acme.example") as me:
        deal = me.deals.create(name="Rollout")
        with pytest.raises(InvalidRecord, match="without an amount"):
            me.deals.quote(deal)
        assert me.records("quote").count() == 0


@on_both
def test_a_field_of_the_plugins_type_is_a_field_like_any_other(crm: Any) -> None:
    with crm.session("ana@acme.example") as me:
        me.fields.add("product", "gtin", "gtin", unique=True, indexed=True)
        pen = me.products.create(name="Pen", gtin="4006381 333931")
        assert pen.gtin == "04006381333931"
        with pytest.raises(Duplicate):
            me.products.create(name="Other", gtin="04006381333931")
        with pytest.raises(InvalidRecord, match="the last digit"):
            me.products.create(name="Other", gtin="4006381333932")
        assert list(me.products.where(F.gtin == "4006381333931")) == [pen]
        assert list(me.products.where(F.gtin.contains("381"))) == [pen]
        assert me.products.count() == 1


def test_it_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What installing the distribution leaves behind, made by hand from its pyproject.toml."""
    project = (FOLDER / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points.crmkit]\nquotes = "crmkit_quotes"' in project
    info = tmp_path / "crmkit_quotes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crmkit-quotes\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[crmkit]\nquotes = crmkit_quotes\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "quotes" in CRM("sqlite://", installed_plugins=True).plugins.names
    assert "quotes" not in CRM("sqlite://").plugins.names


def test_it_imports_the_sdk_and_nothing_else_of_crmkit() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (FOLDER / "crmkit_quotes").glob("*.py"))
    modules = set(re.findall(r"^(?:from|import) (crmkit\S*)", text, flags=re.MULTILINE))
    assert {module for module in modules if not module.startswith("crmkit_quotes")} == {"crmkit.sdk"}
