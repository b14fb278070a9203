"""Datasets, scenarios and metrics: what a learner is measured on, and how."""
