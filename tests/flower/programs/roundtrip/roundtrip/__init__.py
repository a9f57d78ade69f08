"""An app for `flwr run`."""
