"""Label videos in the browser."""
