"""What you can do to files and their texts.

A verb of the command line is a module with its ``Options`` and a function ``run``.  Nothing here knows a
command line: what a verb says and asks goes through its front end (`encconf.verbs.front`).
"""
