"""Pictures, plots and pages; shared by every floor. Nothing is imported until it is asked for."""
