"""Charts as SVG: records, scales, colours, and the frame of a page."""
