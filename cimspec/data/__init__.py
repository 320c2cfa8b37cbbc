"""Images and labels: built-in data sets, their fixed splits, and whether they fit a network."""
