"""What you can do to encrypted texts.  Nothing here prints or depends on the command line."""
