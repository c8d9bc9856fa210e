"""Pictures of cases: the slice that is shown and the outlines over it."""
