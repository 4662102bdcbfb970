"""What a program does with encrypted files: merge layers, reload, edit.

There is one module for each.  None of them decrypts or encrypts by itself.
"""
