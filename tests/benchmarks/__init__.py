"""What things cost, as ratios within one run: ``make bench`` prints, a person reads."""
