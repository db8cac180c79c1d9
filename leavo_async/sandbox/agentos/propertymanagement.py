"""Tier `propertymanagement`: leads, and the pictures of properties.

Paths and methods are those of https://hub.agentos.com/v4-property-management-api for properties to let. The part that
could be read ends before the photos and floor plans of sales: theirs are taken to be alike. Bodies are unknown.
"""

from collections.abc import Mapping

from leavo_async.sandbox.agentos.agency import Kind
from leavo_async.sandbox.agentos.endpoints import (
    Asked,
    Endpoint,
    Endpoints,
    created,
    creating,
    every,
    listing,
    removed,
    shown,
    single,
)
from leavo_async.sandbox.agentos.given import something
from leavo_async.sandbox.agentos.refused import not_found
from leavo_async.sandbox.messages import Done

_PROPERTIES: Mapping[str, Kind] = {"lettings/lettingsproperty": "lettings", "sales/salesinstructions": "sales"}


def types(asked: Asked) -> Done:
    """GET portalmedia/types: all at once, as its path names no page; that they come as a bare list is a guess."""
    return shown(asked.agency.all("portal media types"))


def _listing(of: Kind, kind: Kind) -> Endpoint:
    """Lists what a property has. How a type of photo is named in the call is unknown, so there are those of all."""

    def endpoint(asked: Asked) -> Done:
        owner = asked.agency.get(of, asked.path["propertyID"])
        return listing(asked, asked.agency.where(kind, "PropertyOID", owner["OID"]))

    return endpoint


def _adding(of: Kind, kind: Kind) -> Endpoint:
    def endpoint(asked: Asked) -> Done:
        owner = asked.agency.get(of, asked.path["propertyID"])
        return created(asked, kind, {"PropertyOID": owner["OID"], "Bytes": something(asked.call.body)})

    return endpoint


def _removing(of: Kind, kind: Kind) -> Endpoint:
    """Removes by its own OID what belongs to any property of this kind."""

    def endpoint(asked: Asked) -> Done:
        medium = asked.agency.get(kind, asked.path["OID"])
        if not asked.agency.has(of, medium["PropertyOID"]):
            raise not_found(kind)
        return removed(asked, kind, medium["OID"])

    return endpoint


def _media(base: str, of: Kind) -> Endpoints:
    its_own = f"{base}/{{propertyID}}"
    return {
        f"{base}/portalmedia/types": {"GET": types},
        f"{its_own}/portalmedia": {"POST": _adding(of, "portal media")},
        f"{its_own}/portalmedia/{{offset}}/{{count}}": {"GET": _listing(of, "portal media")},
        f"{its_own}/addphoto": {"PATCH": _adding(of, "photos")},
        f"{its_own}/photos/type/{{offset}}/{{count}}": {"GET": _listing(of, "photos")},
        f"{base}/{{OID}}/deletephoto": {"DELETE": _removing(of, "photos")},
        f"{its_own}/addfloorplan": {"PATCH": _adding(of, "floorplans")},
        f"{base}/{{OID}}/deletefloorplan": {"DELETE": _removing(of, "floorplans")},
    }


ENDPOINTS: Endpoints = {
    "leads/create": {"POST": creating("leads")},
    "leads/sourceTypes/{offset}/{count}": {"GET": every("lead sources")},
    "leads/{leadSourceID}/sourceTypes": {"GET": single("lead sources", "leadSourceID")},
    **{route: methods for base, of in _PROPERTIES.items() for route, methods in _media(base, of).items()},
}
