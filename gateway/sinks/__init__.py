"""Where notifications go: one settings class with one ``send`` each."""
