"""Move from plaintext files to encrypted files, for `encconf import` and `encconf doctor`.

`encconf.migration.dialects` reads ``.env`` files, and writes their variables in one of encconf's formats.
`encconf.migration.history` searches git for plaintext versions of a file.  `encconf.migration.ways` knows
the seven ways to keep secrets, and finds out what each needs on this machine.  `encconf.migration.callers`
finds Python code that runs sops.
"""
