"""A long mixed load on a service whose models change, in which every answer is looked at."""
