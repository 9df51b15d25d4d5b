"""Readers of the sets in the wild that have a layout of their own: LVIS, OCID and FSS-1000."""
