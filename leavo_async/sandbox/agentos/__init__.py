"""The agentOS face of the sandbox: its routes, and an agency that is made up.

The vendor's documents name routes, a few parameters and five required fields; everything else about an answer's fields
is made up here and says so where it stands.
"""
