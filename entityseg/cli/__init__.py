"""The command line: `entityseg NOUN VERB`; it finds the other floors' commands by entry point and imports none."""
