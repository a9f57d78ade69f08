"""The site policy at its real path, seen by real processes in namespaces of their own."""
