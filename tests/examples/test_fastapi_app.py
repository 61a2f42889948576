"""examples/fastapi_app.py, asked over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from examples.fastapi_app import make_app
from fastapi.testclient import TestClient

from crmkit import CRM
from crmkit.schema.types import Choice, Integer
from tests.examples.databases import on_both


@pytest.fixture
def client(url: str, open_crm: Callable[..., CRM]) -> TestClient:
    crm = open_crm(url)
    with crm.session("ana@acme.example") as me:
        me.fields.add("deal", "seats", Integer(minimum=1))
        me.fields.add("deal", "priority", Choice(["low", "high"]), required=True, default="low")
    return TestClient(make_app(crm), headers={"X-User": "ana@acme.example"})


def deals(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = client.get("/deals", params=query).json()
    return answer


def problems(answer: Any) -> list[tuple[str, str | None]]:
    return [(problem["code"], problem["field"]) for problem in answer.json()["problems"]]


@on_both
def test_a_deal_is_made_found_moved_and_kept_in_step(client: TestClient) -> None:
    amount = {"amount": "12000.00", "currency": "EUR"}
    made = client.post("/deals", json={"name": "宝钢项目", "amount": amount, "seats": 12})
    assert (made.status_code, made.json()["amount"], made.json()["seats"]) == (201, amount, 12)
    assert made.json()["priority"] == "low"
    found = deals(client, where='amount > money("1000", "EUR") and seats == 12')
    assert [deal["name"] for deal in found] == ["宝钢项目"]
    assert deals(client, where='amount > money("1000", "USD")') == []
    moved = client.post(f"/deals/{made.json()['id']}/move", params={"to": "won"})
    assert (moved.json()["outcome"], moved.json()["version"]) == ("won", 2)
    renamed = client.patch(f"/deals/{made.json()['id']}", params={"version": 2}, json={"name": "宝钢二期"})
    assert (renamed.json()["name"], renamed.json()["amount"]) == ("宝钢二期", amount)


def test_a_stale_version_is_a_conflict_and_changes_nothing(client: TestClient) -> None:
    made = client.post("/deals", json={"name": "one"}).json()
    path = f"/deals/{made['id']}"
    assert client.patch(path, params={"version": 1}, json={"name": "two"}).status_code == 200
    late = client.patch(path, params={"version": 1}, json={"name": "three"})
    assert (late.status_code, problems(late)) == (409, [("conflict", "version")])
    assert [deal["name"] for deal in deals(client)] == ["two"]


def test_a_bad_document_names_every_problem_and_leaves_nothing(client: TestClient) -> None:
    refused = client.post("/deals", json={"amount": {"amount": "x", "currency": "EUR"}, "seats": 0, "size": 1})
    assert refused.status_code == 422
    assert {field for _, field in problems(refused)} == {"name", "amount", "seats", "size"}
    assert deals(client) == []


@pytest.mark.parametrize(("where", "code"), [("amout > 1", "unknown_field"), ("amount >", "syntax")])
def test_a_filter_that_means_nothing_is_refused(client: TestClient, where: str, code: str) -> None:
    refused = client.get("/deals", params={"where": where})
    assert (refused.status_code, refused.json()["problems"][0]["code"]) == (422, code)


def test_who_is_unknown_gets_in_nowhere(client: TestClient) -> None:
    assert client.post("/deals", json={"name": "x"}, headers={"X-User": "eve@evil.example"}).status_code == 401
    assert deals(client) == []


def test_an_undo_is_shown_before_it_is_done(client: TestClient) -> None:
    changeset = client.post("/deals", json={"name": "one"}).json()["changeset_id"]
    undo = f"/changesets/{changeset}/undo"
    # The deal and its stay in the first stage.
    assert client.post(undo).json() == {"reverted": 2, "kept": 0, "refused": 0}
    assert len(deals(client)) == 1
    assert client.post(undo, params={"dry_run": False}).json() == {"reverted": 2, "kept": 0, "refused": 0}
    assert deals(client) == []
    assert client.post("/changesets/0190a5d0-0000-7000-8000-000000000000/undo").status_code == 404
