"""How pages of ours look: style, SVG drawing, numbers as a reader sees them. Knows nothing of what a page is about."""
