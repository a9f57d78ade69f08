"""A drop box with its service, two users and a hostile third: real processes of real users."""
