"""What you can do to encrypted texts.  Nothing here knows a console or a command line."""
