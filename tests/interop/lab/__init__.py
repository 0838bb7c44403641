"""The interop laboratory: real servers in a private network namespace."""
