"""Getting a data set: sources, downloads and archives."""
