"""The law that fits measured data."""
