"""What a program does with an opened file: sections, schemas, masked values, layers, reloading, editing.

One module for each.  None of them decrypts: they call `encconf.api`.
"""
