"""Looking at encrypted files without changing them: what is wrong with them, and why they are as they are.

`encconf.audit.check` finds what should not be, over a whole repository and without any key;
`encconf.audit.explain` says what applies to one file.
`encconf.audit.access` tells who can read what and since when, `encconf.audit.diff` what differs
between two versions without telling values.
"""
