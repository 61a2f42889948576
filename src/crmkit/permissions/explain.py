"""Why an actor may, or may not, do something with a record; and who may."""

from collections.abc import Iterator
from uuid import UUID

import attrs

from crmkit.permissions.actions import ANY
from crmkit.permissions.directory import Directory
from crmkit.permissions.evaluation import Evaluation
from crmkit.permissions.grants import Effect, Rule
from crmkit.permissions.policy import SHARE_LEVELS, Policy
from crmkit.permissions.scopes import Reach, has_owner
from crmkit.query.bind import SegmentSource, no_segments
from crmkit.query.context import Moment, Row, World
from crmkit.schema import RecordType

__all__ = ["Decision", "Reason", "explain", "who_can"]


@attrs.frozen
class Reason:
    """One rule or share that was asked. ``source`` names it in words; ``held`` says whether it concerns the record.

    None is unknown: a condition on a value that the record does not have. Unknown neither allows nor denies.
    """

    source: str
    effect: Effect
    held: bool | None


@attrs.frozen
class Decision:
    """The answer and all reasons for it: something that allows held, and nothing that denies."""

    allowed: bool
    reasons: tuple[Reason, ...]

    def __bool__(self) -> bool:
        return self.allowed


def explain(
    policy: Policy,
    type_key: str,
    action: str,
    row: Row,
    world: World,
    moment: Moment,
    segments: SegmentSource = no_segments,
) -> Decision:
    """Whether the policy's actor may do the action to a record (for ``create``: to a new one of these values), and why.

    ``world`` gives all records there are, whoever may read them. Raises NotFound (``unknown_type``).
    """
    case = _Case(policy, policy.schema.type(type_key), action, row, Evaluation(policy.schema, world, moment, segments))
    return case.decision()


def who_can(
    directory: Directory,
    type_key: str,
    action: str,
    row: Row,
    world: World,
    moment: Moment,
    segments: SegmentSource = no_segments,
) -> tuple[tuple[UUID, Decision], ...]:
    """The active users who may do the action to a record, by id, with reasons; arguments as for ``explain``."""
    evaluation = Evaluation(directory.schema, world, moment, segments)
    on = directory.schema.type(type_key)
    cases = ((user, _Case(directory.policy(user), on, action, row, evaluation)) for user in directory.active)
    return tuple((user, case.decision()) for user, case in cases if case.allowed())


@attrs.frozen
class _Case:
    """One question: may this actor do this to this record."""

    policy: Policy
    on: RecordType
    action: str
    row: Row
    evaluation: Evaluation

    def decision(self) -> Decision:
        if self.policy.unlimited:
            return Decision(True, (Reason("the system may do everything", "allow", True),))
        return Decision(self.allowed(), (*self.rules(), *self.shares(), *self.nothing(), *self.unreadable()))

    def allowed(self) -> bool:
        return self.granted(self.action) and (self.action in _ALONE or self.granted("read"))

    def granted(self, action: str) -> bool:
        """By the expression that everything else uses, so that an explanation cannot differ from what happens."""
        scope = self.policy.scope(self.on.key, action)
        return self.evaluation.test(scope, self.on.key, self.policy.actor.ids)(self.row) is True

    def rules(self) -> Iterator[Reason]:
        for rule in self.policy.rules_for(self.on.key, self.action):
            if rule.effect == "allow" or rule.fields is None:
                yield Reason(self.rule_text(rule), rule.effect, self.holds(rule.reach))

    def holds(self, reach: Reach) -> bool | None:
        condition = reach.expr(self.on)
        return self.evaluation.test(condition, self.on.key, self.policy.actor.ids)(self.row)

    def shares(self) -> Iterator[Reason]:
        """The shares of the record that name the actor, where a rule gives the right that a share can widen."""
        levels = SHARE_LEVELS.get(self.action)
        if not levels or not has_owner(self.on) or not self.allowing():
            return
        ids = self.policy.actor.ids
        for share in self.evaluation.world.related("share", "record", self.row["id"]):
            if share["user"] in ids["me"] or share["team"] in ids.get("teams", ()):
                current = share["expires_at"] is None or share["expires_at"] > self.evaluation.moment.now
                yield Reason(self.share_text(share), "allow", current and share["level"] in levels)

    def allowing(self) -> bool:
        return any(rule.effect == "allow" for rule in self.policy.rules_for(self.on.key, self.action))

    def nothing(self) -> Iterator[Reason]:
        if not self.allowing():
            source = f"no role of {self.policy.actor.name} allows: {_words(self.action)} {_words(self.on.plural)}"
            yield Reason(source, "deny", True)

    def unreadable(self) -> Iterator[Reason]:
        if self.action not in _ALONE and not self.granted("read"):
            yield Reason(f"{self.policy.actor.name} may not read this {_words(self.on.key)}", "deny", True)

    def rule_text(self, rule: Rule) -> str:
        role = self.evaluation.world.get("role", rule.role)
        name = rule.role if role is None else role["name"]
        verb = "do anything with" if rule.action == ANY else _words(rule.action)
        what = "records of any type" if rule.on == ANY else _words(self.on.plural)
        fields = "" if rule.fields is None else f" (only {', '.join(sorted(rule.fields))})"
        denies = "" if rule.effect == "allow" else " denies"
        return f"role {name}{denies}: {verb} {_SCOPE_TEXTS[rule.scope].format(what)}{fields}"

    def share_text(self, share: Row) -> str:
        world = self.evaluation.world
        by_user = share["user"] in self.policy.actor.ids["me"]
        team = None if by_user else world.get("team", share["team"])
        whom = self.policy.actor.name if by_user else f"team {share['team'] if team is None else team['name']}"
        until = "" if share["expires_at"] is None else f" until {share['expires_at'].isoformat(timespec='minutes')}"
        return f"shared with {whom} to {share['level']}{until}: {share['reason']}"


_ALONE = frozenset({"read", "create"})
"""The actions that do not take the right to read the record."""

_SCOPE_TEXTS = {
    "own": "own {}",
    "team": "{} of own team",
    "team_and_below": "{} of own team and teams below",
    "all": "all {}",
    "where": "{} that meet its condition",
}


def _words(key: str) -> str:
    return key.replace("_", " ")
