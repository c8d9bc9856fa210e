"""Small tools without torch, used by all packages."""
