"""Say what is wrong with the gradients of a network, with numbers, and what would mend it."""
