"""Views of an image: the whole and its crops, and the entities in each."""
