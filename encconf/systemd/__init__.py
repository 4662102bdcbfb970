"""Support for systemd: a server that sends single values to units, unit files, and encrypted credentials.

`encconf.systemd.server` sends values to units with ``LoadCredential=NAME:SOCKET``.  `encconf.systemd.rules`
says which unit gets which value, and `encconf.systemd.server` reads the values.  `encconf.systemd.units`
writes unit files, `encconf.systemd.units` runs ``systemd-creds``, and `encconf.formats.envfile` reads and
writes ``EnvironmentFile=``.

The code follows systemd's manual pages and sources (version 257), and tests with a running systemd.
"""
