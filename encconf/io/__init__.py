"""Reading files, replacing them atomically, private folders, signals, work in threads."""
