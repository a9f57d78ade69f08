"""The daemon that sends what is in the spool. It does all the networking of this project."""
