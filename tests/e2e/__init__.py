"""The commands from outside: real processes, real sockets, real directories."""
