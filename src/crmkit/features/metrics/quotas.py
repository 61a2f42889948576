"""Quotas as people tell them: whose each is, by user, id or e-mail address."""

from collections.abc import Collection, Hashable, Mapping
from typing import Any

from crmkit.errors import NotFound, UsageError
from crmkit.features.metrics.tallies.parameters import check_money
from crmkit.permissions import Actor
from crmkit.store.read.reader import Reader
from crmkit.values import Money, fold

__all__ = ["check_quotas", "quotas_by_user"]


def check_quotas(quotas: Any, team_quota: Any) -> None:
    """Refuse what is no mapping to money: UsageError with code ``bad_quotas`` or ``not_money``."""
    if not isinstance(quotas, Mapping):
        raise UsageError("quotas are money by user", code="bad_quotas", field="quotas", hint="{user: Money(...)}")
    for quota in (*quotas.values(), *(() if team_quota is None else (team_quota,))):
        check_money(quota, "quota")


def quotas_by_user(
    quotas: Mapping[Any, Money], credited: Collection[Hashable], reader: Reader, actor: Actor
) -> dict[Hashable, Money]:
    """The quotas by the ids of users, who may be told by record, id, id as text or e-mail address.

    Raises NotFound (``unknown_user``) for who is neither the actor nor ``credited`` nor a user the actor may read, and
    UsageError (``bad_quotas``) for two of one user.
    """
    users = {user.id: user.email for user in reader.records("user")}
    ids = {actor.id, *credited, *users}
    known: dict[Any, Hashable] = {id: id for id in ids} | {str(id): id for id in ids}
    known |= {fold(email): id for id, email in users.items() if email}
    meant: dict[Hashable, Money] = {}
    for who, quota in quotas.items():
        key = getattr(who, "id", who)
        whose = known.get(fold(key) if isinstance(key, str) else key)
        if whose is None:
            raise NotFound(
                f"there is no user {who!s:.80}", code="unknown_user", field="quotas", hint="a user, an id or an e-mail"
            )
        if whose in meant:
            raise UsageError(f"two quotas of {who!s:.80}", code="bad_quotas", field="quotas", hint="one for each user")
        meant[whose] = quota
    return meant
