"""Doors into other people's libraries: pydantic-settings and pytest.  Each imports its library when it is
used.
"""
