"""What a program does with opened files: layers, reloading, editing.

One module for each.  None of them decrypts: they call `encconf.api`.
"""
