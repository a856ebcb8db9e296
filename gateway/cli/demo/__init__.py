"""The demo: stand-ins, orders and the story that is told of them."""
