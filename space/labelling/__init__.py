"""The labelling page, in parts."""
