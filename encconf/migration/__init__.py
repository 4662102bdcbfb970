"""From plain text to encrypted files and beyond: what `encconf import` and `encconf doctor` know.

`encconf.migration.dialects` reads what people keep in ``.env`` files, `encconf.migration.plain` makes a
text in one of encconf's formats of it, `encconf.migration.history` asks git where the old file went, and
`encconf.migration.ways` has the seven ways away from it and what each needs on this machine.
"""
