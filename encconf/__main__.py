"""``python -m encconf``: the command line."""

from encconf.cli import run

if __name__ == "__main__":
    run()
