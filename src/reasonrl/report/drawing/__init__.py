"""Charts as SVG: scales, colors, and the frame of a page."""
