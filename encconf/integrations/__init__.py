"""Integrations with other libraries: pydantic-settings and pytest.  Import the module of the one you use."""
