"""V3's diary, kept for those who use it already: pages by query, and 30 days to look back.

The documents give the page's query and the 30 days; that the path is that of V4 under the tier `diary` is made up.
"""

from datetime import timedelta

from leavo_async.sandbox.agentos.appointments import is_between
from leavo_async.sandbox.agentos.endpoints import Asked, Endpoints, shown
from leavo_async.sandbox.agentos.paging import page
from leavo_async.sandbox.messages import Done

_LOOK_BACK = timedelta(days=30)


def appointments(asked: Asked) -> Done:
    """GET diary/appointments/{branchID}?offset=&count=."""
    branch = asked.agency.get("branches", asked.path["branchID"])
    found = asked.agency.where("appointments", "BranchID", branch["OID"])
    kept = [it for it in found if is_between(it, asked.today - _LOOK_BACK, None)]
    return shown(page(kept, asked.call.query))


ENDPOINTS: Endpoints = {"diary/appointments/{branchID}": {"GET": appointments}}
