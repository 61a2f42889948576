"""A deal service with FastAPI: crmkit owns the database, each request is one unit of work.

Run it with ``CRM_URL=sqlite:///crm.db uvicorn --factory examples.fastapi_app:from_environment`` and read ``/docs``.
"""

import os
from typing import Annotated, Any
from uuid import UUID

import attrs
from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse
from marshmallow import ValidationError

from crmkit import CRM, CrmkitError, Session
from crmkit.errors import AccessError, Conflict, Duplicate, InputError, NotFound, Unavailable, UnknownActor, Vetoed
from crmkit.sdk.intake import intake_schema, problems_of

STATUS: tuple[tuple[type[CrmkitError], int], ...] = (
    (NotFound, 404),
    (Duplicate, 409),
    (InputError, 422),
    (UnknownActor, 401),
    (AccessError, 403),
    (Conflict, 409),
    (Vetoed, 409),
    (Unavailable, 503),
    (CrmkitError, 500),
)
"""Which error is whose: the first line that fits counts."""


def who(x_user: Annotated[str, Header()]) -> str:
    """Stands for your authentication: the e-mail address of whoever sent the request."""
    return x_user


User = Annotated[str, Depends(who)]


def make_app(crm: CRM) -> FastAPI:
    """The service over a migrated CRM."""
    app = FastAPI(title="Deals")

    # A session opens and ends inside its endpoint, and not in a dependency with ``yield``: FastAPI finishes those after
    # the answer has been sent, when a commit that fails can no longer be told to anybody.
    # Endpoints are plain functions: FastAPI runs them in threads, where waiting for the database stops nobody else.
    @app.get("/deals")
    def list_deals(user: User, where: str = "true", sort: str = "-amount", limit: int = 50) -> list[dict[str, Any]]:
        """The first deals of a filter in text form, such as ``amount > money("1000", "EUR") and "vip" in tags``."""
        with crm.session(user) as me:
            return [as_json(me, "deal", deal) for deal in me.deals.where(where).order_by(sort).limit(min(limit, 500))]

    @app.post("/deals", status_code=201)
    def create_deal(user: User, document: dict[str, Any]) -> dict[str, Any]:
        with crm.session(user) as me:
            return as_json(me, "deal", me.deals.create(from_json(me, "deal", document)))

    @app.patch("/deals/{deal_id}")
    def update_deal(user: User, deal_id: UUID, version: int, document: dict[str, Any]) -> dict[str, Any]:
        """``version`` is the one the client has read; another one is refused."""
        with crm.session(user) as me:
            deal = me.deals.get(deal_id)
            if deal.version != version:
                raise Conflict(f"the deal is at version {deal.version} by now", field="version", hint="read it again")
            return as_json(me, "deal", me.deals.update(deal, from_json(me, "deal", document, partial=True)))

    @app.post("/deals/{deal_id}/move")
    def move_deal(user: User, deal_id: UUID, to: str) -> dict[str, Any]:
        with crm.session(user) as me:
            return as_json(me, "deal", me.deals.move(deal_id, to=to))

    @app.post("/changesets/{changeset_id}/undo")
    def undo(user: User, changeset_id: UUID, dry_run: bool = True) -> dict[str, Any]:
        with crm.session(user, dry_run=dry_run) as me:
            result = me.undo(changeset_id)
            return {bucket: len(getattr(result, bucket)) for bucket in ("reverted", "kept", "refused")}

    @app.exception_handler(CrmkitError)
    def refused(request: Request, error: CrmkitError) -> JSONResponse:
        status = next(status for kind, status in STATUS if isinstance(error, kind))
        return JSONResponse({"problems": [attrs.asdict(problem) for problem in error.problems]}, status)

    return app


def from_json(me: Session, type_key: str, document: dict[str, Any], *, partial: bool = False) -> dict[str, Any]:
    """The values of a JSON document, by the schema of the record type as it stands in the tenant."""
    try:
        values: dict[str, Any] = intake_schema(me.type_of(type_key))().load(document, partial=partial)
    except ValidationError as error:
        raise problems_of(error) from error
    return values


def as_json(me: Session, type_key: str, record: Any) -> dict[str, Any]:
    """A record as JSON, custom fields and the system's own fields among them."""
    fields = me.type_of(type_key).by_key.values()
    return {f.key: None if (value := record[f.key]) is None else f.type.dump(value) for f in fields}


def from_environment() -> FastAPI:
    """The service over the database of CRM_URL, with the first administrator of CRM_ADMIN."""
    crm = CRM(os.environ.get("CRM_URL", "sqlite:///crm.db"))
    crm.migrate(admin=os.environ.get("CRM_ADMIN", "ana@acme.example"))
    return make_app(crm)
