"""The recipes of docs/sinks.md against the engines that they are for."""
