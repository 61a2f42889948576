"""The permission rules once more, written from the contract in plain Python: no expressions, no schema, no compiler.

It reads a world of dict rows, and conditions in the form that ``strategies.Condition`` gives them. Everything is
looked up again each time, by scanning.
"""

from typing import Any
from uuid import UUID

import attrs

from crmkit.values import Money
from tests.permissions.world import NOW, DictWorld, Row

FIELDS = {
    "account": {
        "name", "industry", "website", "phone", "address", "parent", "annual_revenue", "headcount", "description",
        "lifecycle", "lifecycle_reason", "owner",
    },
    "deal": {
        "name", "account", "contact", "product", "pipeline", "stage", "stage_since", "outcome", "amount", "probability",
        "manual_probability", "forecast_category", "manual_category", "expected_close", "closed_on", "loss_reason",
        "owner", "credited_to", "margin",
    },
    "product": {"name", "family", "price", "active"},
    "user": {"email", "name", "active"},
}  # fmt: skip
SENSITIVE = {("deal", "margin")}
OWNED = {"account", "deal"}


@attrs.frozen
class Oracle:
    """One user in one world; ``rows`` of the world hold everything, ``conditions`` the conditions of grants by id."""

    world: DictWorld
    conditions: dict[UUID, Any]
    user: UUID

    # ---------------------------------------------------------------------------------------------------------- people

    def active(self) -> bool:
        return any(row["id"] == self.user and row["active"] for row in self.world.all("user"))

    def teams(self) -> set[UUID]:
        return {row["team"] for row in self.world.all("team_member") if row["user"] == self.user}

    def spread(self, teams: set[UUID], *, up: bool) -> set[UUID]:
        """The teams and those above (or below) them, by looking at every team until nothing is new."""
        found = set(teams)
        for _ in self.world.all("team"):
            for team in self.world.all("team"):
                if team["parent"] is None:
                    continue
                near, far = (team["id"], team["parent"]) if up else (team["parent"], team["id"])
                if near in found:
                    found.add(far)
        return found

    def mates(self, teams: set[UUID]) -> set[UUID]:
        return {self.user} | {row["user"] for row in self.world.all("team_member") if row["team"] in teams}

    def people(self, scope: str) -> set[UUID]:
        if scope == "own":
            return {self.user}
        return self.mates(self.teams() if scope == "team" else self.spread(self.teams(), up=False))

    # ---------------------------------------------------------------------------------------------------------- grants

    def grants(self, effect: str, on: str, action: str) -> list[Row]:
        roles = {row["role"] for row in self.world.all("role_member") if row["user"] == self.user}
        return [
            grant
            for grant in self.world.all("grant")
            if grant["role"] in roles
            and grant["effect"] == effect
            and grant["on"] in (on, "*")
            and grant["action"] in (action, "*")
        ]

    def concerns(self, grant: Row, on: str, row: Row) -> bool:
        """Whether the record is in the grant's scope for certain."""
        if grant["scope"] == "all":
            return True
        if grant["scope"] == "where":
            return self.meets(self.conditions[grant["id"]], row) is True
        if on == "user":
            return row["id"] in self.people(grant["scope"])
        return on in OWNED and row["owner"] in self.people(grant["scope"])

    def shared(self, on: str, action: str, row: Row) -> bool:
        if on not in OWNED or action not in ("read", "update"):
            return False
        for share in self.world.all("share"):
            mine = share["user"] == self.user or share["team"] in self.spread(self.teams(), up=True)
            over = share["expires_at"] is not None and share["expires_at"] <= NOW
            enough = action == "read" or share["level"] == "edit"
            if share["record"] == row["id"] and mine and not over and enough:
                return True
        return False

    # --------------------------------------------------------------------------------------------------------- answers

    def allows(self, on: str, action: str, row: Row, field: str | None = None) -> bool:
        """Whether some allow (that covers the field) concerns the record and no deny of the whole record does."""
        allowed = any(
            (field is None or grant["fields"] is None or field in grant["fields"])
            and (self.concerns(grant, on, row) or self.shared(on, action, row))
            for grant in self.grants("allow", on, action)
        )
        denied = any(
            grant["fields"] is None and self.concerns(grant, on, row) for grant in self.grants("deny", on, action)
        )
        return allowed and not denied

    def keeps(self, on: str, action: str, row: Row, field: str) -> bool:
        """Whether an allow covers the field and no deny takes the record or the field away."""
        hidden = any(
            grant["fields"] is not None and field in grant["fields"] and self.concerns(grant, on, row)
            for grant in self.grants("deny", on, action)
        )
        return self.allows(on, action, row, field) and not hidden

    def may(self, on: str, action: str, row: Row) -> bool:
        """Whether the action may really be done: a record that may not be read is not there."""
        return self.allows(on, action, row) and (action == "create" or self.allows(on, "read", row))

    def readable(self, on: str, row: Row) -> set[str]:
        return {
            field
            for field in FIELDS[on]
            if self.keeps(on, "read", row, field)
            and ((on, field) not in SENSITIVE or self.keeps(on, "see_sensitive", row, field))
        }

    def updatable(self, on: str, row: Row) -> set[str]:
        return {
            field
            for field in self.readable(on, row)
            if self.keeps(on, "update", row, field)
            and (field != "owner" or on not in OWNED or self.allows(on, "assign", row))
        }

    def creatable(self, on: str, row: Row) -> set[str]:
        return {field for field in FIELDS[on] if self.keeps(on, "create", row, field)}

    # ------------------------------------------------------------------------------------------------------ conditions

    def meets(self, condition: Any, row: Row) -> bool | None:
        """Three-valued: a comparison with a value that is missing is neither true nor false."""
        match condition.kind, condition.argument:
            case "not", inner:
                held = self.meets(inner, row)
                return None if held is None else not held
            case "and", parts:
                return _least(self.meets(part, row) for part in parts)
            case "or", parts:
                held = _least(_contrary(self.meets(part, row)) for part in parts)
                return _contrary(held)
            case "named", name:
                return bool(row["name"] == name)
            case "amount_from", amount:
                return self.at_least(row["amount"], amount)
            case "no_amount", _:
                return row["amount"] is None
            case "closed_before_today", _:
                # At noon in UTC it is evening of the same day in Shanghai.
                return None if row["expected_close"] is None else bool(row["expected_close"] < NOW.date())
            case "account_of", people:
                account = self.world.get("account", row["account"]) if row["account"] else None
                owner = None if account is None else account["owner"]
                return None if owner is None else owner in self.people(people)
            case "has_deal_from", amount:
                deals = [deal for deal in self.world.all("deal") if deal["account"] == row["id"]]
                return any(self.at_least(deal["amount"], amount) is True for deal in deals)
            case "tagged", name:
                tags = [tag["id"] for tag in self.world.all("tag") if tag["name"] == name]
                current = [t for t in self.world.all("tagging") if t["expires_at"] is None or t["expires_at"] > NOW]
                return any(t["tag"] in tags and t["record"] == row["id"] for t in current)
        raise AssertionError(condition)

    @staticmethod
    def at_least(value: Money | None, amount: Money) -> bool | None:
        if value is None or value.currency != amount.currency:
            return None
        return value.amount >= amount.amount


def _contrary(held: bool | None) -> bool | None:
    return None if held is None else not held


def _least(held: Any) -> bool | None:
    seen = list(held)
    return False if False in seen else None if None in seen else True
