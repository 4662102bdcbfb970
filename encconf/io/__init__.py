"""Reading files, replacing them atomically, private folders, signals, memory, work in threads."""
