"""Entries of a leaderboard that others can join: what one folder holds, how it is written, checked and shown."""
