"""A network's diagnosis as a page to share: one HTML file, or a folder of pictures and numbers."""
