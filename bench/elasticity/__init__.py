"""This project, its peers and plain kubectl side by side: start, growth, and a shrink that holds results.

`make bench-elasticity` runs it, in one go, with the peers taking turns. Belongs here: one module for each peer, which
says how it is started and scaled, and the machinery that is the same for all. Never here: anything that favours one of
them; what a peer is given beyond its defaults stands in its module, with the reason.
"""
