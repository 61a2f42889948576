"""Histories of deals that cannot have happened are named, whatever pipeline their intervals are in."""

import json
from typing import Any

from crmkit import CRM
from crmkit.kernel.session.health import examine
from crmkit.testing import FakeClock
from tests.cli.command import run
from tests.staff import ADMIN, hire


def named(crm: CRM, pipeline: str | None = None) -> set[tuple[Any, str]]:
    with crm.session(ADMIN) as me:
        return {(fault.deal, fault.code) for fault in me.metrics(pipeline).faults()}


def doctor(crm: CRM) -> tuple[str, str]:
    (found,) = [f for f in examine(crm, crm.session) if f.what == "histories of deals in default"]
    return found.status, found.detail


def two_pipelines(crm: CRM) -> tuple[Any, Any, Any]:
    """Another pipeline, its stage, and a deal of the first one."""
    with crm.session(ADMIN) as me:
        other = me.pipelines.create(name="续约")
        elsewhere = me.stages.create(pipeline=other, name="商谈", position=0)
        return other, elsewhere, me.deals.create(name="Rollout", pipeline=me.pipelines.one(name="Sales"))


def test_a_deal_in_stages_of_two_pipelines_at_once_is_named(crm: CRM, clock: FakeClock) -> None:
    _, elsewhere, deal = two_pipelines(crm)
    clock.move(days=2)
    with crm.session(ADMIN) as me:
        more = {"stage": elsewhere.id, "position": 0, "kind": "open", "entered": me.now}
        me.records("stage_interval").create(deal=deal.id, **more)
    assert named(crm, "Sales") == {(deal.id, "two_open_spells")}
    assert named(crm, "续约") == set()
    status, detail = doctor(crm)
    assert status == "problem"
    assert str(deal.id) in detail
    assert "two_open_spells" in detail


def test_a_deal_that_went_over_to_another_pipeline_has_a_possible_history(crm: CRM, clock: FakeClock) -> None:
    other, elsewhere, deal = two_pipelines(crm)
    clock.move(days=2)
    with crm.session(ADMIN) as me:
        me.deals.update(deal, pipeline=other, stage=elsewhere)
    assert named(crm) == set()
    assert doctor(crm) == ("ok", "possible")


def test_a_deal_that_says_it_is_in_another_stage_than_its_history_is_named(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
        plain = me.deals.create(name="plain")
        [interval] = me.deals.intervals(deal.id)
        me.records("stage_interval").update(interval.id, stage=me.stages.one(name="negotiation").id)
        assert me.deals.intervals(plain.id)
    assert named(crm) == {(deal.id, "other_stage")}
    status, detail = doctor(crm)
    assert status == "problem"
    assert "other_stage" in detail


def test_what_is_impossible_is_told_of_readable_deals_only(crm: CRM) -> None:
    hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        [interval] = me.deals.intervals(me.deals.create(name="hers").id)
        me.records("stage_interval").update(interval.id, stage=me.stages.one(name="negotiation").id)
        assert len(list(me.metrics().faults())) == 1
    with crm.session("bo@acme.example") as me:
        assert list(me.metrics().faults()) == []


def test_the_doctor_shows_three_and_names_all_as_json(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        deals = [me.deals.create(name=f"{n}") for n in range(5)]
        there = me.stages.one(name="negotiation").id
        for deal in deals:
            [interval] = me.deals.intervals(deal.id)
            me.records("stage_interval").update(interval.id, stage=there)
    shown = run("doctor", "--db", migrated_url)
    assert shown.code == 1
    assert "and 2 more" in shown.out
    assert sum(str(deal.id) in shown.out for deal in deals) == 3
    rows = json.loads(run("doctor", "--db", migrated_url, "--format", "json").out)
    (whole,) = [row["detail"] for row in rows if row["check"] == "histories of deals in default"]
    assert all(str(deal.id) in whole for deal in deals)
