"""Laabam One's face of the sandbox: its invoices and other collections, its messages, its scopes.

Routes, headers, money, pages and the fields of an invoice are as the vendor's documents show them
(https://doc.laabam.one/api/, where invoices are marked as planned). They do not show the fields of customers, products
and payments, the error of bad input or the path of a message's status: those are made up here.
"""
