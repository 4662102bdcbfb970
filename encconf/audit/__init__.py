"""Reports about encrypted files that need no key and change nothing.

`encconf.audit.check` finds mistakes in a whole repository.  `encconf.audit.explain` says which rule applies
to a file and why.  `encconf.audit.access` finds out who can read which files and since when.
`encconf.audit.diff` finds out what differs between two versions, without showing values.
"""
