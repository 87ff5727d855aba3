"""What a profile is made of: measured rows, words, examples, the map, and the page that shows them."""
