"""Leavo's CRM API."""

from leavo_async.apis.leavo.client import LeadsResource, LeavoClient
from leavo_async.apis.leavo.models import Lead, NewLead
from leavo_async.apis.leavo.profile import LEAVO

__all__ = ["LEAVO", "Lead", "LeadsResource", "LeavoClient", "NewLead"]
