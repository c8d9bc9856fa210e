"""File layouts and tables that several data sets share."""
