"""Select a section of a loaded dict, convert it to an object of the caller's type, or mask its values."""
