"""From plaintext files to encrypted files: behind `encconf import` and `encconf doctor`.

`encconf.migration.dialects` reads ``.env`` files, `encconf.migration.plain` writes their variables in one of
encconf's formats, `encconf.migration.history` searches git for old versions of the file, and
`encconf.migration.ways` has the seven ways to keep secrets and what each needs on this machine.
"""
