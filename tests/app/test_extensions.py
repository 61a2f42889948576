"""What plugins add to sessions, collections, new tenants and examinations."""

from collections.abc import Iterable
from typing import Any

import pytest

from crmkit import CRM
from crmkit.errors import InvalidDefinition, NotFound
from crmkit.kernel.collections.collection import Collection
from crmkit.sdk import Finding, hookimpl

ANA = "ana@acme.example"


class Named(Collection[Any]):
    __slots__ = ()

    def longest(self) -> Any:
        """The record with the longest name."""
        return max(self, key=lambda record: len(record.name))


class Counted(Collection[Any]):
    __slots__ = ()

    def twice(self) -> int:
        """Twice their number."""
        return 2 * self.count()


class Extending:
    name = "extending"

    @hookimpl
    def crmkit_collections(self) -> Iterable[tuple[str, type[Any]]]:
        return [("account", Named), ("*", Counted), ("deal", Named)]

    @hookimpl
    def crmkit_session_attributes(self) -> Iterable[tuple[str, Any]]:
        return [("weather", lambda me: f"fine for {me.actor.name}")]

    @hookimpl
    def crmkit_new_tenant(self, session: Any) -> None:
        session.accounts.create(name="示例公司")

    @hookimpl
    def crmkit_examine(self, session: Any) -> Iterable[Finding]:
        yield Finding("note", f"accounts of {session.tenant.key}", str(session.accounts.count()))


def made(url: str, *plugins: object) -> CRM:
    crm = CRM(url, plugins=plugins)
    crm.migrate(admin=ANA)
    return crm


def test_a_collection_has_the_methods_of_every_plugin_beside_its_own(database_url: str) -> None:
    crm = made(database_url, Extending())
    with crm.session(ANA) as me:
        me.accounts.create(name="ACME Holding")
        assert me.accounts.longest().name == "ACME Holding"
        assert me.accounts.twice() == 4
        deal = me.deals.create(name="Rollout")
        assert me.deals.longest().id == deal.id
        assert [stay.stage for stay in me.deals.intervals(deal)] == [deal.stage]
        assert me.tags.twice() == 0
        assert not hasattr(me.tags, "longest")
    crm.dispose()


def test_a_session_has_the_attributes_of_plugins() -> None:
    crm = made("sqlite://", Extending())
    with crm.session(ANA) as me:
        assert me.weather == "fine for ana@acme.example"
        assert {"weather", "metrics", "fields", "objects"} <= set(dir(me))
        with pytest.raises(AttributeError, match="wether"):
            _ = me.wether
        with pytest.raises(InvalidDefinition) as refused:
            me.objects.add("forecast", plural="weather", label="Weather")
        assert refused.value.code == "duplicate_type"
    crm.dispose()


def test_a_new_tenant_starts_with_what_plugins_make_unless_it_is_to_be_empty(database_url: str) -> None:
    crm = made(database_url, Extending())
    crm.tenants.create("north")
    crm.tenants.create("bare", furnished=False)
    for key, accounts, pipelines in (("default", 1, 1), ("north", 1, 1), ("bare", 0, 0)):
        with crm.system(tenant=key) as me:
            assert (me.accounts.count(), me.pipelines.count()) == (accounts, pipelines)
    crm.dispose()


def test_a_tenant_is_not_made_if_a_plugin_fails(database_url: str) -> None:
    class Failing:
        name = "failing"

        @hookimpl
        def crmkit_new_tenant(self, session: Any) -> None:
            if session.tenant.key == "north":
                session.accounts.get("00000000-0000-0000-0000-000000000000")

    crm = made(database_url, Failing())
    with pytest.raises(NotFound):
        crm.tenants.create("north")
    assert [tenant.key for tenant in crm.tenants.list()] == ["default"]
    crm.dispose()


def test_what_a_plugin_finds_is_told_and_that_it_fails_is_a_finding() -> None:
    class Failing:
        name = "failing"

        @hookimpl
        def crmkit_examine(self, session: Any) -> Iterable[Finding]:
            yield Finding("ok", "half", "done")
            raise ZeroDivisionError("oh")

    crm = made("sqlite://", Failing(), Extending())
    found = {finding.what: finding for finding in crm.examine()}
    assert found["accounts of default"].detail == "1"
    assert found["failing in default"].status == "problem"
    assert "ZeroDivisionError: oh" in found["failing in default"].detail
    assert found["shares of deals in default"].status == "ok"
    crm.dispose()


@pytest.mark.parametrize(
    ("hook", "answer"),
    [
        ("crmkit_collections", ["account"]),
        ("crmkit_collections", [("acount", Named)]),
        ("crmkit_collections", [("account", "Named")]),
        ("crmkit_session_attributes", [("metrics", len)]),
        ("crmkit_session_attributes", [("not a name", len)]),
        ("crmkit_session_attributes", [("weather", 7)]),
    ],
)
def test_an_extension_that_means_nothing_is_refused_when_the_crm_is_made(hook: str, answer: list[Any]) -> None:
    plugin = type("Odd", (), {"name": "odd", hook: hookimpl(lambda self: answer)})()
    with pytest.raises(InvalidDefinition) as refused:
        CRM("sqlite://", plugins=[plugin])
    assert refused.value.code == "bad_extension"
