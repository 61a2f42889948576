"""The world everything is measured in: the same for the same size, whoever makes it.

For 100,000 contacts: 10,000 accounts, 20,000 deals of which a fifth was changed ten days ago, 200,000 activities of the
last ninety days, 20 users in 4 teams, a tag on every tenth contact. Contacts have three custom fields (unique text,
indexed choice, indexed number), deals one (indexed choice). It is made through crmkit.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import attrs

from crmkit import CRM, F, Money, days_ago
from crmkit.schema.types import Choice, Integer, Text
from crmkit.values import Address

__all__ = [
    "ADMIN",
    "NOW",
    "REGIONS",
    "TAGS",
    "TIERS",
    "Facts",
    "FixedClock",
    "crm_on",
    "furnish",
    "furnish_deals",
    "ground",
    "new_contacts",
]

ADMIN = "admin@house.example"
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
TIERS = ("gold", "silver", "bronze", "none")
TAGS = ("vip", "newsletter", "fair")
REGIONS = ("emea", "apac", "latam", "amer")

_GIVEN = ("Ada", "Ben", "Chloe", "David", "Emma", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Klara", "Louis", "Mara")
_FAMILY = ("Archer", "Baker", "Castillo", "Dubois", "Evans", "Fischer", "Garcia", "Haas", "Ivanova", "Jansen", "Keller")
_CHINESE = ("王小明", "李娜", "张伟", "刘洋", "陈静", "欧阳修")
_TITLES = ("Engineer", "Buyer", "Head of Purchasing", "CEO", "Assistant", "CFO", "采购经理")
_CITIES = (("Berlin", "10115", "DE"), ("Paris", "75001", "FR"), ("Madrid", "28001", "ES"), ("上海", "200000", "CN"))


class FixedClock:
    """A clock that stands still where it was set."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@attrs.define
class Facts:
    """What a raw program has to know about a world: keys, and the columns that custom fields lie in."""

    tenant: int = 1
    users: dict[str, UUID] = attrs.field(factory=dict)
    pipeline: UUID = attrs.field(factory=lambda: UUID(int=0))
    stages: list[UUID] = attrs.field(factory=list)
    """In order: four open ones, won, lost."""
    accounts: dict[UUID, list[UUID]] = attrs.field(factory=dict)
    """By owner."""
    slots: dict[str, str] = attrs.field(factory=dict)
    tags: dict[str, UUID] = attrs.field(factory=dict)

    @property
    def reps(self) -> list[str]:
        return [email for email in self.users if email.startswith("rep")]


def crm_on(url: str, clock: FixedClock | None = None, **options: Any) -> CRM:
    """A CRM on a database of a world, at the world's present."""
    return CRM(url, clock=clock or FixedClock(NOW), **options)


def ground(crm: CRM, clock: FixedClock, contacts: int) -> Facts:
    """Users, teams, custom fields and accounts: what new contacts need."""
    clock.at = NOW - timedelta(days=60)
    crm.migrate(admin=ADMIN)
    facts = Facts()
    with crm.session(ADMIN) as me:
        (facts.users[ADMIN],) = (user.id for user in me.users)
        roles = {role.name: role for role in me.roles}
        teams = [me.teams.create(name=f"Team {i}") for i in range(4)]
        for i in range(20):
            role = "manager" if i < 4 else "rep"
            user = me.users.create(email=f"{role}{i}@house.example", name=f"{role.title()} {i}")
            facts.users[user.email] = user.id
            me.records("role_member").create(role=roles[role], user=user)
            me.records("team_member").create(team=teams[i % 4], user=user)
        me.fields.add("contact", "external_id", Text(max_length=40), unique=True)
        me.fields.add("contact", "tier", Choice(list(TIERS)), indexed=True)
        me.fields.add("contact", "score", Integer(minimum=0), indexed=True)
        me.fields.add("deal", "region", Choice(list(REGIONS)), indexed=True)
        for f in (*me.type_of("contact").custom, *me.type_of("deal").custom):
            facts.slots[f.key] = str(f.slot or f.unique_slot)
        (facts.pipeline,) = {stage.pipeline for stage in me.stages}
        facts.stages = [stage.id for stage in sorted(me.stages, key=lambda s: s.position)]
    with crm.session(ADMIN) as me:
        owners = [facts.users[email] for email in facts.reps]
        rows = ({"name": f"Company {i}", "industry": "saas", "owner": owners[i % 16]} for i in range(contacts // 10))
        made = me.accounts.create_many(rows, stop=True).ids
    for i, account in enumerate(made):
        facts.accounts.setdefault(owners[i % 16], []).append(account)
    clock.at = NOW
    return facts


def new_contacts(facts: Facts, count: int, owner: str | None = None) -> Iterator[dict[str, Any]]:
    """Contacts as a host would hand them in. With ``owner`` all are for accounts of that user, without each for an
    account of its own owner.
    """
    random = Random(count)
    owners = [facts.users[owner]] if owner else [facts.users[email] for email in facts.reps]
    for i in range(count):
        mine = owners[i % len(owners)]
        accounts = facts.accounts[mine]
        city, code, country = random.choice(_CITIES)
        chinese = i % 10 == 0
        row = {
            "name": random.choice(_CHINESE) if chinese else f"{random.choice(_GIVEN)} {random.choice(_FAMILY)}",
            "email": f"contact{i}@company{i % 997}.example",
            "phone": f"+4930{10000000 + i}",
            "title": random.choice(_TITLES),
            "account": accounts[random.randrange(len(accounts))],
            "address": Address(street=f"{random.randrange(200)} Main St", city=city, postal_code=code, country=country),
            "do_not_contact": random.random() < 0.05,
            "external_id": f"X-{count}-{i}",
            "tier": random.choice(TIERS),
            "score": random.randrange(1000),
        }
        yield row if owner else {**row, "owner": mine}


def furnish(crm: CRM, clock: FixedClock, facts: Facts, contacts: int) -> None:
    """Contacts, deals, activities and tags on a ground, and what happened to the deals since."""
    clock.at = NOW - timedelta(days=45)
    with crm.session(ADMIN) as me:
        ids = me.contacts.create_many(new_contacts(facts, contacts), stop=True).ids
    with crm.session(ADMIN) as me:
        tags = [me.records("tag").create(name=name).id for name in TAGS]
        rows = [
            {"tag": tags[i % 3], "record_type": "contact", "record": ids[at]}
            for i, at in enumerate(range(0, contacts, 10))
        ]
        me.writes(trusted=True).create("tagging", enumerate(rows), _tally())
    with crm.session(ADMIN) as me:
        deals = me.deals.create_many(_deals(facts, contacts // 5), stop=True).ids
    with crm.session(ADMIN) as me:
        me.activities.create_many(_activities(facts, ids, contacts * 2), stop=True)
    clock.at = NOW - timedelta(days=10)
    random = Random(5)
    with crm.session(ADMIN) as me:
        changed = [deal for deal in deals if random.random() < 0.2]
        me.deals.update_many(((deal, {"amount": _amount(random)}) for deal in changed), stop=True)
    clock.at = NOW


def furnish_deals(crm: CRM, facts: Facts) -> None:
    """What deals that moved need beside the ground: tags, a segment, and a segment that is watched, with its twin."""
    with crm.session(ADMIN) as me:
        facts.tags = {name: me.records("tag").create(name=name).id for name in TAGS}
        quiet = F.activities.none(F.at > days_ago(30))
        me.segments.create(name="quiet", on="deal", where=(F.region == "emea") & F.tags.has("vip") & quiet)


def _tally() -> Any:
    from crmkit.kernel.writes.results import Tally

    return Tally(stop=True)


def _amount(random: Random) -> Money:
    return Money(random.randrange(500, 250_000), "EUR" if random.random() < 0.9 else "USD")


def _deals(facts: Facts, count: int) -> Iterator[dict[str, Any]]:
    random = Random(2)
    owners = [facts.users[email] for email in facts.reps]
    for i in range(count):
        owner = owners[i % len(owners)]
        yield {
            "name": f"Deal {i}",
            "account": facts.accounts[owner][i % len(facts.accounts[owner])],
            "stage": random.choices(facts.stages, (5, 4, 3, 2, 3, 3))[0],
            "amount": _amount(random) if random.random() < 0.97 else None,
            "expected_close": date(2026, 4, 1) + timedelta(days=random.randrange(120)),
            "region": random.choice(REGIONS),
            "owner": owner,
        }


def _activities(facts: Facts, contacts: tuple[UUID, ...], count: int) -> Iterator[dict[str, Any]]:
    random = Random(3)
    owners = [facts.users[email] for email in facts.reps]
    for i in range(count):
        yield {
            "kind": random.choice(("call", "email", "meeting", "note")),
            "subject": f"Talk {i}",
            "at": NOW - timedelta(minutes=random.randrange(90 * 24 * 60)),
            "contact": contacts[random.randrange(len(contacts))],
            "owner": owners[i % len(owners)],
        }
