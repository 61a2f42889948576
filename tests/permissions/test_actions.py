"""The registry of actions."""

import pytest

from crmkit.errors import InvalidDefinition
from crmkit.permissions import ACTIONS


def test_an_action_that_is_there_is_checked_in_silence_and_so_is_every_action():
    assert [ACTIONS.checked(name) for name in ("read", "see_sensitive", "*")] == ["read", "see_sensitive", "*"]


def test_more_actions_make_a_larger_registry_and_leave_the_old_one_alone():
    larger = ACTIONS.with_("convert", "close", "read")
    assert set(larger) - set(ACTIONS) == {"convert", "close"}
    assert "convert" not in ACTIONS
    assert larger == ACTIONS.with_("close", "convert")
    assert list(larger) == sorted(larger)


def test_an_unknown_action_is_refused_and_what_was_meant_is_named():
    with pytest.raises(InvalidDefinition) as refused:
        ACTIONS.with_("convert").checked("convrt")
    problem = refused.value.problems[0]
    assert (problem.code, problem.field) == ("unknown_action", "action")
    assert problem.hint == "did you mean 'convert'?"


@pytest.mark.parametrize("name", ["", "*", "Read", "读取", "re ad", "a" * 49, 7])
def test_a_name_that_no_action_can_have_is_refused(name):
    with pytest.raises(InvalidDefinition) as refused:
        ACTIONS.with_(name)
    assert refused.value.code == "bad_key"
