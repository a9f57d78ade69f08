"""Carry a spool across an air gap: bundles go out, receipts come back. `docs/air-gap.md`."""
