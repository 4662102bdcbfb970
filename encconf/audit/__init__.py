"""Reports about encrypted files that need no key and change nothing.

`encconf.audit.check` finds mistakes in a whole repository, and `encconf.audit.explain` says which rule
applies to one file and why.  `encconf.audit.access` finds out who can read which files and since when, and
`encconf.audit.diff` what differs between two versions, without values.
"""
