"""The pages of a data set: card, funnel and a sheet for people."""
