"""Laabam One's face of the sandbox: its invoices and other collections, its messages, its scopes.

Routes, headers, money and pages are as the vendor's documents show them (https://doc.laabam.one/api/). They do not
show the fields of an invoice, the error of bad input or the path of a message's status: those are made up here.
"""
