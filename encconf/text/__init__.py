"""A text as leaves with exact spans, paths into it, and which lines of two texts belong together."""
