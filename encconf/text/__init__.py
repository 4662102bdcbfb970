"""A text as leaves with exact spans, paths into it, and the alignment of two versions."""
