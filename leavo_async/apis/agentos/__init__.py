"""The agentOS API of letting and estate agencies."""

from leavo_async.apis.agentos.client import AgentOSClient
from leavo_async.apis.agentos.forms import DiaryAppointment, Guest, IssueDocument, MaintenanceIssue, TenancyApplication
from leavo_async.apis.agentos.models import Details, Record
from leavo_async.apis.agentos.profile import AGENTOS

__all__ = [
    "AGENTOS",
    "AgentOSClient",
    "Details",
    "DiaryAppointment",
    "Guest",
    "IssueDocument",
    "MaintenanceIssue",
    "Record",
    "TenancyApplication",
]
