"""Hosts of data sets: each lists the files of a repository, and fetches one of them by the user's own token."""
