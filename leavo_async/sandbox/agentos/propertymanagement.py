"""Tier `propertymanagement`: leads, and the pictures of properties.

The paths of pictures are documented only as far as the property; what comes after it is made up: `/photos` to add
one, `/photos/{OID}` to change and remove it, and the same for `floorplans` and `portalmedia`.
"""

from collections.abc import Mapping

from leavo_async.sandbox.agentos.agency import Kind
from leavo_async.sandbox.agentos.endpoints import (
    Asked,
    Endpoint,
    Endpoints,
    changed,
    created,
    creating,
    every,
    removed,
)
from leavo_async.sandbox.agentos.given import fields, something
from leavo_async.sandbox.agentos.refused import not_found
from leavo_async.sandbox.messages import Done

_PROPERTIES: Mapping[str, Kind] = {"lettings/lettingsproperty": "lettings", "sales/salesinstructions": "sales"}
_MEDIA: Mapping[str, Kind] = {"photos": "photos", "floorplans": "floorplans", "portalmedia": "portal media"}


def _adding(of: Kind, kind: Kind) -> Endpoint:
    def endpoint(asked: Asked) -> Done:
        owner = asked.agency.get(of, asked.path["propertyID"])
        return created(asked, kind, {"PropertyOID": owner["OID"], "Bytes": something(asked.call.body)})

    return endpoint


def _changing(of: Kind, kind: Kind) -> Endpoint:
    return lambda asked: changed(asked, kind, _its_own(asked, of, kind), fields(asked.call.body))


def _removing(of: Kind, kind: Kind) -> Endpoint:
    return lambda asked: removed(asked, kind, _its_own(asked, of, kind))


def _its_own(asked: Asked, of: Kind, kind: Kind) -> str:
    """The OID in the path, if what has it belongs to the property in the path."""
    owner, medium = asked.agency.get(of, asked.path["propertyID"]), asked.agency.get(kind, asked.path["OID"])
    if medium["PropertyOID"] != owner["OID"]:
        raise not_found(kind)
    return asked.path["OID"]


def _media(base: str, of: Kind, name: str, kind: Kind) -> Endpoints:
    return {
        f"{base}/{{propertyID}}/{name}": {"POST": _adding(of, kind)},
        f"{base}/{{propertyID}}/{name}/{{OID}}": {"PATCH": _changing(of, kind), "DELETE": _removing(of, kind)},
    }


ENDPOINTS: Endpoints = {
    "leads/create": {"POST": creating("leads")},
    "leads/sourceTypes/{offset}/{count}": {"GET": every("lead sources")},
    **{
        route: methods
        for base, of in _PROPERTIES.items()
        for name, kind in _MEDIA.items()
        for route, methods in _media(base, of, name, kind).items()
    },
}
