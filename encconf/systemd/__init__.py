"""encconf and systemd: single values for units over a socket, unit files, and systemd's own formats.

`encconf.systemd.server` hands values to units that ask with ``LoadCredential=NAME:SOCKET``; which unit
may have which is said by `encconf.systemd.rules`, what the values are by `encconf.systemd.values`.
`encconf.systemd.units` writes the unit files, `encconf.systemd.creds` runs ``systemd-creds``, and
`encconf.systemd.envfile` has the dialect of ``EnvironmentFile=``.

What systemd does was read in its manual pages and sources (version 257) and seen in a running one.
"""
