"""The commands, one in each file.  `encconf.cli.table` has their order."""
