"""The Laabam One Public API."""

from leavo_async.apis.laabam.client import LaabamClient
from leavo_async.apis.laabam.messages import Message, Template
from leavo_async.apis.laabam.messaging import MessagesResource
from leavo_async.apis.laabam.models import Invoice, InvoiceItem, NewInvoice, NewInvoiceItem, Record
from leavo_async.apis.laabam.profile import LAABAM
from leavo_async.apis.laabam.resources import InvoicesResource, RecordsResource

__all__ = [
    "LAABAM",
    "Invoice",
    "InvoiceItem",
    "InvoicesResource",
    "LaabamClient",
    "Message",
    "MessagesResource",
    "NewInvoice",
    "NewInvoiceItem",
    "Record",
    "RecordsResource",
    "Template",
]
