"""``crmkit <plural> list`` and ``show``, for built-in record types and for custom objects."""

import csv
import io
from typing import Any

import pytest

from crmkit.cli.nouns import NOUNS
from tests.cli.command import REP, run
from tests.cli.conftest import Company


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_table_shows_what_the_user_sees_with_names_for_references(company: Company) -> None:
    answer = company("accounts", "list", "--order", "name", "--fields", "name,headroom,owner")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "Name              Headroom  Owner",
        "----------------  --------  ----------------",
        "ACME Ltd                 3  ana@acme.example",
        "Żółw & Sons                 Bo Li",
        "北京科技有限公司        12  Bo Li",
        "3 of 3 accounts",
    ]


def test_a_rep_gets_own_records_and_a_smaller_total(company: Company) -> None:
    answer = company("accounts", "list", "--limit", "1", "--order", "-name", "--fields", "name", user=REP)
    assert answer.out.splitlines()[2:] == ["北京科技有限公司", "1 of 2 accounts"]


def test_json_is_one_document_with_ids_types_and_any_language(company: Company) -> None:
    answer = company("deals", "list", "--format", "json")
    assert "展会" in answer.out
    (deal,) = answer.document
    assert deal["id"] == str(company.ids["deal"])
    assert deal["account"] == str(company.ids["北京科技有限公司"])
    assert deal["amount"] == {"amount": "12000.50", "currency": "CNY"}
    assert (deal["closed_on"], deal["version"]) == (None, 1)


def test_csv_has_a_heading_and_cells_that_can_be_read_back(company: Company) -> None:
    answer = company("accounts", "list", "--format", "csv", "--order", "name", "--fields", "id,name,headroom")
    assert cells(answer.out) == [
        ["id", "name", "headroom"],
        [str(company.ids["ACME"]), "ACME Ltd", "3"],
        [str(company.ids["Żółw & Sons"]), "Żółw & Sons", ""],
        [str(company.ids["北京科技有限公司"]), "北京科技有限公司", "12"],
    ]


@pytest.mark.parametrize(
    ("form", "printed"), [("table", "no contacts\n"), ("json", "[]\n"), ("csv", "id,name,email\n")]
)
def test_an_empty_list_is_said_in_every_format(company: Company, form: str, printed: str) -> None:
    answer = company("contacts", "list", "--format", form, "--fields", "id,name,email")
    assert (answer.code, answer.out) == (0, printed)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--where", 'name == "北京科技有限公司"'], ["北京科技有限公司"]),
        (["--where", "headroom > 2", "--order", "-headroom"], ["北京科技有限公司", "ACME Ltd"]),
        (["--where", "owner == me"], ["ACME Ltd"]),
        (["--order", "-headroom,name", "--limit", "2"], ["北京科技有限公司", "ACME Ltd"]),
        (["--order", "name", "--limit", "all"], ["ACME Ltd", "Żółw & Sons", "北京科技有限公司"]),
        (["--limit", "0"], []),
    ],
)
def test_conditions_order_and_limit(company: Company, options: list[str], names: list[str]) -> None:
    assert [r["name"] for r in company("accounts", "list", "--format", "json", *options).document] == names


def test_the_past_is_listed_as_it_was(company: Company) -> None:
    past = ("--as-of", "2024-05-01T12:00:00+00:00")
    assert "ACME Ltd" in company("accounts", "list").out
    assert "ACME Ltd" not in company("accounts", "list", *past).out
    shown = company("accounts", "show", str(company.ids["ACME"]), "--format", "json", *past)
    assert shown.document["name"] == "ACME"


def test_one_record_is_shown_in_every_format(company: Company) -> None:
    shown = {form: company("deals", "show", str(company.ids["deal"]), "--format", form) for form in ("json", "csv")}
    assert shown["json"].document["name"] == "展会"
    heading, row = cells(shown["csv"].out)
    assert dict(zip(heading, row, strict=True))["amount"] == "12000.50 CNY"
    lines = [line.split() for line in company("deals", "show", str(company.ids["deal"])).out.splitlines()]
    assert ["amount", "Amount", "12,000.50", "CNY"] in lines
    assert ["account", "Account", "北京科技有限公司"] in lines


def test_a_custom_object_is_a_noun_like_any_other(company: Company) -> None:
    listed = company("vessels", "list", "--format", "json")
    assert [vessel["name"] for vessel in listed.document] == ["远洋号"]
    assert company("vessels", "show", str(company.ids["vessel"]), "--format", "json").document["name"] == "远洋号"
    assert company("vessels", "list", user=REP).out == "no vessels\n"


@pytest.mark.parametrize("plural", NOUNS)
def test_every_record_type_that_is_no_link_has_a_noun(company: Company, plural: str) -> None:
    answer = company(plural, "list", "--format", "json")
    assert answer.code == 0
    assert isinstance(answer.document, list)
    assert f"List {plural} that you may see." in run(plural, "list", "--help").out


def test_nouns_are_the_plurals_of_the_schema(company: Company) -> None:
    built_in = {t.plural for t in company.crm.declared.types.values() if not t.link and t.key != "object"}
    assert set(NOUNS) == built_in


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["accounts", "list", "--where", "headrom > 2"], "[unknown_field] account has no field 'headrom'"),
        (["accounts", "list", "--where", "name =="], "[syntax] this is not an expression"),
        (["accounts", "list", "--where", ""], "[syntax]"),
        (["accounts", "list", "--where", "__import__('os')"], "[unknown_function]"),
        (["accounts", "list", "--where", 'headroom > "viel"'], "headroom: [not_an_integer]"),
        (["accounts", "list", "--order", "nam"], "[unknown_field]"),
        (["accounts", "list", "--order", ""], "[unknown_field]"),
        (["accounts", "list", "--order", "owner"], "[not_sortable]"),
        (["accounts", "list", "--limit", "-1"], "[bad_limit]"),
        (["accounts", "list", "--limit", "many"], "'many' is neither a number nor 'all'"),
        (["accounts", "list", "--fields", "naem"], "accounts have no field 'naem'; did you mean 'name'?"),
        (["accounts", "list", "--as-of", "yesterday"], "[not_an_instant]"),
        (["accounts", "list", "--as-of", "2024-05-01T12:00:00"], "[naive_datetime]"),
        (["accounts", "list", "--format", "xml"], "'xml' is not one of"),
        (["accounts", "list", "--tenant", "nord"], "[unknown_tenant]"),
        (["accounts", "show", "ACME"], "[not_an_id]"),
        (["accounts", "show", "00000000-0000-7000-8000-000000000000"], "[not_found]"),
        (["ships", "list"], "[unknown_type] there is no record type 'ships'"),
        (["vessels", "list", "--where", "depth > 3"], "[unknown_field]"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_reason_and_without_a_traceback(
    company: Company, arguments: list[str], said: str
) -> None:
    answer = company(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("user", ["nobody@acme.example", "Bo Li", "", "🐢"])
def test_who_is_not_known_gets_nothing(company: Company, user: str) -> None:
    answer = run("accounts", "list", "--db", company.url, "--as", user)
    assert (answer.code, answer.out) == (2, "")
    assert "[unknown_actor]" in answer.err


def test_a_field_the_user_may_not_read_is_no_column_and_cannot_be_asked_for(company: Company) -> None:
    with company.crm.session("ana@acme.example") as me:
        rep = me.roles.one(name="rep")
        denied: dict[str, Any] = {"on": "account", "action": "read", "effect": "deny", "fields": ["headroom"]}
        me.records("grant").create(role=rep, **denied)
    assert "headroom" not in company("accounts", "list", "--format", "csv", user=REP).out
    for arguments in (["--fields", "headroom"], ["--where", "headroom > 1"], ["--order", "headroom"]):
        assert company("accounts", "list", *arguments, user=REP).code == 2
    assert "headroom" in company("accounts", "list", "--format", "csv").out
