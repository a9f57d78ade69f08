"""One HTML file that shows everything: `model` says what, `gather` finds it, `render` writes it."""
