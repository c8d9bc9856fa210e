"""Checks of this machine and this installation, each finding with its mend."""
