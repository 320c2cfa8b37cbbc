"""The pages of the catalogue, one file for each hundred codes."""
