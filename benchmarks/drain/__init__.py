"""What it costs to bring a backlog of events from files to an HTTP endpoint, ours and others'."""
