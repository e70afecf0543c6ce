"""The two readings of HTML: a fast scan for signals, and a tree for lint and repair."""
