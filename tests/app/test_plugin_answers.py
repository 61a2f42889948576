"""A plugin that answers with what it may not is blamed by name, and nothing is written."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from crmkit import CRM
from crmkit.errors import PluginError, Vetoed
from crmkit.sdk import Change, Veto, hookimpl

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
