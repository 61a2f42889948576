"""A plugin that answers with what it may not is blamed by name, and nothing is written."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from crmkit import CRM
from crmkit.errors import InvalidDefinition, PluginError, Vetoed
from crmkit.schema.types import Integer, Json
from crmkit.sdk import Change, Command, Veto, command, hookimpl

ANA = "ana@acme.example"


def plugin(answer: Callable[[tuple[Change, ...]], Any]) -> Any:
    class Plugin:
        name = "odd"
        listens_to = ("account",)

        @hookimpl
        def crmkit_before_change(self, changes: tuple[Change, ...]) -> Any:
            return answer(changes)

    return Plugin()


def failing(changes: tuple[Change, ...]) -> Any:
    """A generator, whose body runs only when its answers are read."""
    yield Veto(changes[0].row, "no")
    raise ZeroDivisionError("oh")


@pytest.fixture
def url(migrated_sqlite: Callable[[str], str]) -> str:
    return migrated_sqlite("crm")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda changes: True, "TypeError"),
        (lambda changes: [None], "neither a change nor a veto"),
        (lambda changes: "no", "neither a change nor a veto"),
        (lambda changes: [Veto(7, "no")], "row 7 is none of the batch"),
        (lambda changes: [attrs.evolve(changes[0], row=7)], "row 7 is none of the batch"),
        (
            lambda changes: [changes[0].amended(industry="钢铁"), changes[0].amended(website="a.example")],
            "amended twice",
        ),
        (failing, "ZeroDivisionError: oh"),
    ],
)
def test_a_wrong_answer_names_the_plugin_and_keeps_nothing(
    open_crm: Callable[..., CRM], url: str, answer: Callable[[tuple[Change, ...]], Any], words: str
) -> None:
    crm = open_crm(url, plugins=[plugin(answer)])
    with crm.session(ANA) as me:
        with pytest.raises(PluginError, match=words) as refused:
            me.accounts.create(name="宝钢")
        assert "plugin 'odd' failed in crmkit_before_change" in str(refused.value)
        assert me.accounts.count() == 0
        assert me.changeset_id is None


def test_answers_may_come_one_by_one(open_crm: Callable[..., CRM], url: str) -> None:
    def veto(changes: tuple[Change, ...]) -> Any:
        yield from (Veto(change.row, "closed today") for change in changes)

    with open_crm(url, plugins=[plugin(veto)]).session(ANA) as me, pytest.raises(Vetoed, match="closed today"):
        me.accounts.create(name="宝钢")


def test_a_hook_that_wraps_others_is_refused_when_the_crm_is_made() -> None:
    class Wrapping:
        name = "wrapping"

        @hookimpl(wrapper=True)
        def crmkit_before_change(self, changes: Any) -> Any:
            return (yield)

    with pytest.raises(PluginError, match="'wrapping' wraps crmkit_before_change"):
        CRM("sqlite://", plugins=[Wrapping()])


# ------------------------------------------------------------------------------------------------------------- in place


def test_plugins_are_asked_in_the_order_given_and_the_built_in_ones_last(
    open_crm: Callable[..., CRM], migrated_url: str
) -> None:
    def named(name: str, first: bool = False) -> Any:
        class Plugin:
            listens_to = ("contact", "deal")

            @hookimpl(tryfirst=first)
            def crmkit_before_change(self, session: Any, changes: tuple[Change, ...]) -> Any:
                if changes[0].type_key == "contact":
                    return [c.amended(title=(c.values["title"] or "") + name) for c in changes]
                won = session.stages.one(name="won").id
                return [c.amended(stage=won) for c in changes]

        plugin = Plugin()
        plugin.name = name  # type: ignore[attr-defined]
        return plugin

    crm = open_crm(migrated_url, plugins=[named("1"), named("2"), named("3", first=True), named("4")])
    with crm.session(ANA) as me:
        assert me.contacts.create(name="李娜").title == "3124"
        deal = me.deals.create(name="d")
        assert (deal.outcome, deal.closed_on) == ("won", me.today)


def test_a_hook_that_was_not_marked_is_refused_instead_of_never_called() -> None:
    class Unmarked:
        def crmkit_before_change(self, changes: Any) -> None: ...

    with pytest.raises(PluginError, match=r"crmkit_before_change is not marked with @hookimpl"):
        CRM("sqlite://", plugins=[Unmarked()])


def test_values_are_changed_by_amending_and_never_in_place(open_crm: Callable[..., CRM], url: str) -> None:
    """What a plugin wrote into them would be stored without having been validated."""

    def meddle(changes: tuple[Change, ...]) -> Any:
        changes[0].values["seats"] = "five"  # type: ignore[index]

    with open_crm(url, plugins=[plugin(meddle)]).session(ANA) as me:
        me.fields.add("account", "seats", Integer())
        with pytest.raises(PluginError, match="'odd' failed in crmkit_before_change: TypeError"):
            me.accounts.create(name="宝钢", seats=5)
        assert me.accounts.count() == 0


def test_what_the_plugin_before_left_is_not_changed_in_place_either(open_crm: Callable[..., CRM], url: str) -> None:
    def meddle(changes: tuple[Change, ...]) -> Any:
        changes[0].values["name"] = 5  # type: ignore[index]

    amending, meddling = plugin(lambda changes: [c.amended(industry="钢铁") for c in changes]), plugin(meddle)
    amending.name = "amending"
    with open_crm(url, plugins=[amending, meddling]).session(ANA) as me:
        with pytest.raises(PluginError, match="'odd' failed"):
            me.accounts.create(name="宝钢")
        assert me.accounts.count() == 0


def test_what_a_plugin_does_to_a_document_stays_with_the_plugin(open_crm: Callable[..., CRM], url: str) -> None:
    def meddle(changes: tuple[Change, ...]) -> Any:
        changes[0].values["specs"]["weight"] = object()

    crm = open_crm(url, plugins=[plugin(meddle)])
    with crm.session(ANA) as me:
        me.fields.add("account", "specs", Json())
        account = me.accounts.create(name="宝钢", specs={"weight": 1})
    with crm.session(ANA) as me:
        assert me.accounts.get(account).custom["specs"] == {"weight": 1}


def test_values_of_a_bulk_update_are_shown_and_not_lent(open_crm: Callable[..., CRM], url: str) -> None:
    class Meddling:
        name = "meddling"
        listens_to = ("account",)

        def concerned(self, values: Any) -> bool:
            values["industry"] = 5
            return False

        @hookimpl
        def crmkit_before_change(self, changes: Any) -> None: ...

    with open_crm(url, plugins=[Meddling()]).session(ANA) as me:
        me.accounts.create(name="宝钢")
        with pytest.raises(PluginError, match="'meddling' failed in concerned: TypeError"):
            me.accounts.where().update(industry="钢铁")
        assert [account.industry for account in me.accounts] == [None]


# ------------------------------------------------------------------------------------------------------------- commands


def giving(hook: str, given: Any) -> Any:
    """A plugin that gives something when a CRM is made."""

    def give(self: Any) -> Any:
        return given

    give.__name__ = hook
    return type("Giving", (), {"name": "giving", hook: hookimpl(give)})()


@pytest.mark.parametrize("name", ["account.create", "deal.move", "account.tag", "*.assign", "*.complete"])
def test_a_command_does_not_take_the_name_of_another(name: str) -> None:
    """Verbs that are there already would be hidden by it, or it by them."""

    @command(name)
    class Other(Command[None]):
        """Of the same name."""

    with pytest.raises(InvalidDefinition) as refused:
        CRM("sqlite://", plugins=[giving("crmkit_commands", [Other])])
    assert refused.value.code == "duplicate_command"


def test_two_plugins_with_a_verb_of_their_own_do_not_hurt_each_other() -> None:
    @command("account.renew")
    class Renew(Command[None]):
        """One."""

    @command("deal.renew")
    class RenewDeal(Command[None]):
        """And another."""

    crm = CRM("sqlite://", plugins=[giving("crmkit_commands", [Renew, RenewDeal])])
    assert {crm.commands.verbs(noun)["renew"] for noun in ("account", "deal")} == {Renew, RenewDeal}


@pytest.mark.parametrize("given", [5, int, "account.create", None, Command])
def test_what_is_no_command_is_refused_when_the_crm_is_made(given: Any) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        CRM("sqlite://", plugins=[giving("crmkit_commands", [given])])
    assert refused.value.code == "bad_command"


@pytest.mark.parametrize("hook", ["crmkit_commands", "crmkit_actions", "crmkit_field_types", "crmkit_record_types"])
def test_who_gives_no_list_or_fails_while_giving_is_blamed_by_name(hook: str) -> None:
    for given, words in ((5, "TypeError"), ((1 // (n - 1) for n in range(2)), "ZeroDivisionError")):
        with pytest.raises(PluginError, match=f"'giving' failed in {hook}: {words}"):
            CRM("sqlite://", plugins=[giving(hook, given)])
