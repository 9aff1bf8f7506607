"""All that a device needs: pixels → face → vector → neighbours → vote, and the gallery on disk. Never imports torch."""
