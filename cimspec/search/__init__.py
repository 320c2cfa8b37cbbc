"""The search over bits per layer. Modules are imported on demand: some need torch."""
