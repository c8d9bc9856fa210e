"""Packages of trained models that others can fetch: a folder, or a repository of a hub. No torch here."""
