"""A plan as files for people: PowerShell, letters to owners, hunting queries.

What a script does is fixed text (`bodies/*.ps1`); what it does it to stands before that as data, in literals that
`powershell` makes. No name of the tenant is ever part of code.
"""
