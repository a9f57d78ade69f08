"""Every fault that a spool and an uploader can meet. `table.py` says how tests name theirs."""
