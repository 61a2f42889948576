"""``crmkit history``, ``changesets`` and ``undo``."""

import csv
import io

from tests.cli.command import REP
from tests.cli.conftest import Company

ROLES = ("ana@acme.example", "一家公司")


def test_history_shows_every_version_with_who_when_and_what(company: Company) -> None:
    answer = company("history", str(company.ids["ACME"]), "--format", "json")
    first, second = answer.document
    assert (first["version"], first["actor"], first["reason"]) == (1, *ROLES)
    assert (first["at"][:10], second["at"][:10]) == ("2024-05-01", "2024-05-02")
    assert second["changeset"] == company.changesets["renamed"]
    assert second["changes"] == [{"field": "name", "before": "ACME", "after": "ACME Ltd"}]
    assert {"field": "headroom", "before": None, "after": 3} in first["changes"]


def test_history_reads_like_a_sentence_in_a_table_and_in_csv(company: Company) -> None:
    table = company("history", str(company.ids["ACME"]))
    assert table.out.splitlines()[-1].endswith("name: ACME → ACME Ltd")
    heading, _, last = csv.reader(io.StringIO(company("history", str(company.ids["ACME"]), "--format", "csv").out))
    assert dict(zip(heading, last, strict=True))["changes"] == "name: ACME → ACME Ltd"
    deal = company("history", str(company.ids["deal"])).out
    assert "account: 北京科技有限公司" in deal
    assert "amount: 12,000.50 CNY" in deal


def test_history_finds_records_of_any_type_and_deleted_ones(company: Company) -> None:
    with company.crm.session("ana@acme.example") as me:
        me.records("vessel").delete(company.ids["vessel"])
    for record in ("vessel", "bo"):
        assert company("history", str(company.ids[record]), "--format", "json").document[0]["version"] == 1


def test_history_of_a_record_out_of_sight_is_not_found(company: Company) -> None:
    answer = company("history", str(company.ids["ACME"]), user=REP)
    assert (answer.code, answer.out) == (2, "")
    assert "[not_found]" in answer.err
    assert company("history", str(company.ids["deal"]), user=REP).code == 0


def test_changesets_are_listed_latest_first(company: Company) -> None:
    listed = company("changesets", "--format", "json").document
    assert [c["changeset"] for c in listed[:2]] == [company.changesets["renamed"], company.changesets["made"]]
    assert listed[0]["command"] == "account.update"
    assert [c["changeset"] for c in company("changesets", "--limit", "1", "--format", "json").document] == [
        company.changesets["renamed"]
    ]
    assert "renamed" in company("changesets").out
    assert company("changesets", "--format", "csv").out.startswith("changeset,at,actor,command,")


def test_a_changeset_is_listed_to_those_who_see_something_of_it(company: Company) -> None:
    listed = [c["changeset"] for c in company("changesets", "--format", "json", user=REP).document]
    assert company.changesets["made"] in listed
    assert company.changesets["renamed"] not in listed


def test_undo_takes_a_changeset_back(company: Company) -> None:
    answer = company("undo", company.changesets["renamed"], "--format", "json")
    assert (answer.code, answer.err) == (0, "")
    (entry,) = answer.document
    assert (entry["bucket"], entry["type"], entry["name"]) == ("reverted", "account", "ACME")
    assert (entry["fields"], entry["reason"]) == (["name"], "set back")
    with company.crm.session("ana@acme.example") as me:
        assert me.accounts.get(company.ids["ACME"]).name == "ACME"


def test_a_dry_run_says_the_same_and_does_nothing(company: Company) -> None:
    answer = company("undo", company.changesets["renamed"], "--dry-run")
    assert answer.out.splitlines()[-1] == "1 would be reverted, 0 kept, 0 refused"
    with company.crm.session("ana@acme.example") as me:
        assert me.accounts.get(company.ids["ACME"]).name == "ACME Ltd"
        assert me.changesets.latest(me.unit, 1)[0].command == "account.update"


def test_what_was_changed_since_is_kept(company: Company) -> None:
    with company.crm.session("ana@acme.example") as me:
        me.accounts.update(company.ids["ACME"], name="ACME 控股")
    answer = company("undo", company.changesets["renamed"])
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "0 reverted, 1 kept, 0 refused"
    assert ["kept", "account", str(company.ids["ACME"]), "ACME", "控股", "name", "edited", "since"] in [
        line.split() for line in answer.out.splitlines()
    ]


def test_a_refused_part_ends_in_exit_code_1_with_its_reason(company: Company) -> None:
    with company.crm.session("ana@acme.example") as me:
        other = me.accounts.create(name="旅行社")
    with company.crm.session("ana@acme.example") as me:
        me.deals.create(name="later", account=other)
    answer = company("undo", str(other.changeset_id), "--format", "csv")
    assert answer.code == 1
    assert [row.split(",")[0] for row in answer.out.splitlines()[1:]] == ["refused"]
    assert "deals refer to it by account" in answer.out


def test_who_may_not_change_the_records_undoes_nothing(company: Company) -> None:
    company("undo", company.changesets["renamed"], user=REP)
    with company.crm.session("ana@acme.example") as me:
        assert me.accounts.get(company.ids["ACME"]).name == "ACME Ltd"


def test_a_changeset_that_is_none_is_refused(company: Company) -> None:
    for given, said in (("yesterday", "[not_an_id]"), (str(company.ids["ACME"]), "[unknown_changeset]")):
        answer = company("undo", given)
        assert (answer.code, answer.out) == (2, "")
        assert said in answer.err
