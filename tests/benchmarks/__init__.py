"""What it costs, ours beside others: python -m tests.benchmarks"""
