"""Read files, replace them atomically, make private folders, and handle signals, memory and threads."""
