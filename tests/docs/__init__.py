"""The site: that it builds, that what it shows is so, and that what it says to type can be typed."""
