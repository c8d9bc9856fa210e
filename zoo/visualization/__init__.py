"""Pictures of cases: the choice of a slice, and the outlines of masks over it."""
