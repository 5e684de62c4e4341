"""What no format can beat."""
