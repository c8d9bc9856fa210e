"""Small tools without torch that every package uses."""
