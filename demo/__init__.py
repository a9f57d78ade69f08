"""`make demo`: real Flower simulations without network, a spool, and an uploader that drains it."""
