"""The service in a machine of its own, under its real manager."""
