"""encconf and systemd: single values for units over a socket, unit files, and systemd's own formats.

`encconf.systemd.server` sends values to units with ``LoadCredential=NAME:SOCKET``; `encconf.systemd.rules`
says which unit gets which value, and `encconf.systemd.values` reads the values.  `encconf.systemd.units`
writes unit files, `encconf.systemd.creds` runs ``systemd-creds``, and `encconf.systemd.envfile` reads and
writes ``EnvironmentFile=``.

The behaviour of systemd is from its manual pages and sources (version 257), and from tests with a running
one.
"""
