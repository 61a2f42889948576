"""``crmkit explain``: conditions and rights."""

import pytest

from tests.cli.command import REP
from tests.cli.conftest import Company

WHERE = 'amount > money("10000", "CNY") and account.name == "ACME"'


def test_a_condition_is_explained_clause_by_clause(company: Company) -> None:
    answer = company("explain", "deals", str(company.ids["deal"]), "--where", WHERE)
    assert answer.out.splitlines() == ["✗ and", '  ✓ amount > money("10000.00", "CNY")', '  ✗ account.name == "ACME"']


def test_a_condition_is_explained_to_programs(company: Company) -> None:
    arguments = ("explain", "deal", str(company.ids["deal"]), "--where", WHERE, "--format")
    document = company(*arguments, "json").document
    assert (document["clause"], document["held"]) == ("and", False)
    assert [clause["held"] for clause in document["clauses"]] == [True, False]
    assert company(*arguments, "csv").out.splitlines()[:2] == ["depth,held,clause", "0,false,and"]


def test_a_right_is_explained_by_the_rules_that_were_asked(company: Company) -> None:
    arguments = ("explain", "deals", str(company.ids["deal"]), "--action")
    allowed = company(*arguments, "update", user=REP)
    assert allowed.out.splitlines()[0] == "You may update it."
    assert "role rep: update own deals" in allowed.out
    denied = company(*arguments, "delete", "--format", "json", user=REP).document
    assert (denied["action"], denied["allowed"]) == ("delete", False)
    assert denied["reasons"] == [{"effect": "deny", "held": True, "source": "no role of Bo Li allows: delete deals"}]
    assert company(*arguments, "delete", "--format", "csv", user=REP).out.startswith("effect,held,source\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give either --where or --action"),
        (["--where", "true", "--action", "read"], "give either --where or --action"),
        (["--where", "amoun > 3"], "[unknown_field]"),
        (["--action", "updat"], "[unknown_action]"),
    ],
)
def test_what_cannot_be_explained_is_refused(company: Company, arguments: list[str], said: str) -> None:
    answer = company("explain", "deals", str(company.ids["deal"]), *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_a_record_out_of_sight_is_not_explained(company: Company) -> None:
    for question in (["--where", "true"], ["--action", "read"]):
        answer = company("explain", "accounts", str(company.ids["ACME"]), *question, user=REP)
        assert (answer.code, answer.out) == (2, "")
        assert "[not_found]" in answer.err
