"""Tier `advertising`: what the company lets and sells."""

from leavo_async.sandbox.agentos.agency import Kind
from leavo_async.sandbox.agentos.endpoints import Asked, Endpoint, Endpoints, listing, shown
from leavo_async.sandbox.agentos.given import flag
from leavo_async.sandbox.messages import Done, Json

PARTS: tuple[Kind, ...] = ("features", "floorplans", "photos", "rooms")


def lettings(asked: Asked) -> Done:
    """GET lettings/advertised: of all branches, or of one."""
    return listing(asked, _of_one_branch(asked, "lettings"))


def sales(asked: Asked) -> Done:
    """GET sales/advertised: of one branch, only developments, only investments. The names are misspelt there, too."""
    query = asked.call.query
    records = _of_one_branch(asked, "sales")
    if flag(query, "onlyDevelopement"):
        records = [record for record in records if record["IsDevelopment"]]
    if flag(query, "onlyInvestements"):
        records = [record for record in records if record["IsInvestment"]]
    return listing(asked, [_linked(asked, record) for record in records])


def sale(asked: Asked) -> Done:
    """GET sales/salesinstructions/{OID}."""
    return shown(_linked(asked, asked.agency.get("sales", asked.path["OID"])))


def part(kind: Kind) -> Endpoint:
    """GET sales/salesinstructions/{OID}/photos, and the like."""

    def endpoint(asked: Asked) -> Done:
        whole = asked.agency.get("sales", asked.path["OID"])
        return listing(asked, asked.agency.where(kind, "PropertyOID", whole["OID"]))

    return endpoint


def _of_one_branch(asked: Asked, kind: Kind) -> list[Json]:
    """The records of the branch that the query names; all if it names none."""
    branch = asked.call.query.get("branchID")
    return asked.agency.all(kind) if branch is None else asked.agency.where(kind, "BranchID", branch)


def _linked(asked: Asked, record: Json) -> Json:
    """With links to its parts; which models have links, and whether to a path or to a whole URL, is made up."""
    here = f"/v4/advertising/{asked.agency.short_name}/sales/salesinstructions/{record['OID']}"
    links = [{"Href": f"{here}/{kind}/0/1000", "Method": "GET", "Relationship": kind} for kind in PARTS]
    return {**record, "Links": links}


ENDPOINTS: Endpoints = {
    "lettings/advertised/{offset}/{count}": {"GET": lettings},
    "sales/advertised/{offset}/{count}": {"GET": sales},
    "sales/salesinstructions/{OID}": {"GET": sale},
    **{f"sales/salesinstructions/{{OID}}/{kind}/{{offset}}/{{count}}": {"GET": part(kind)} for kind in PARTS},
}
