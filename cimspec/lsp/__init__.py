"""The language server: what an editor asks about `.cim` files. `requests`, `server`, `convert` alone need pygls."""
