"""What a loaded dict is made into: one section of it, an object of the caller's type, values that do not
print.
"""
