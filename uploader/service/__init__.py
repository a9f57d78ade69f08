"""Install the uploader as a service of this machine or of this user, and take it away again."""
