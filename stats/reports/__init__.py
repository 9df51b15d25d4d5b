"""Tables and pages of statistics."""
