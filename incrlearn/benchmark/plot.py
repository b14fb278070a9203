"""The picture of a comparison, in which forgetting can be seen. Needs matplotlib, from the extra `cli`."""

import math

import numpy as np


def plot(rows, runs, title, n_tasks):
    """Draw one panel a method: accuracy on every task, a line a task, after every task.

    A line that falls is a task that is being forgotten. With several seeds lines are means, and a band
    shows the standard error.

    Parameters
    ----------
    rows : list of (str, dict)
        What `summarize` returned: which methods, best first.
    runs : list of Run
    title : str
    n_tasks : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    columns = min(5, len(rows))
    height = math.ceil(len(rows) / columns)
    figure = Figure(figsize=(1.2 + 2.5 * columns, 1.4 + 2.2 * height), layout="constrained")
    panels = figure.subplots(height, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, (name, row) in zip(panels, rows, strict=False):
        _panel(panel, np.array([run.matrix for run in runs if run.method == name]))
        panel.set_title(f"{name}   {100 * row['average_accuracy'][0]:.1f} %", fontsize=10)
    for panel in panels[len(rows) :]:
        panel.set_axis_off()
    for panel in panels[max(0, len(rows) - columns) : len(rows)]:  # the lowest of every column
        panel.tick_params(labelbottom=True)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    figure.supxlabel("tasks learned", fontsize=10)
    figure.supylabel("accuracy on each task, %", fontsize=10)
    figure.suptitle(title, fontsize=12)
    return figure


def _panel(panel, matrices):
    """Draw one method: matrices of shape (seeds, t, t)."""
    from matplotlib import colormaps

    n_seeds, t, _ = matrices.shape
    colors = colormaps["viridis"](np.linspace(0, 0.9, t))
    for j in range(t):
        after = np.arange(j + 1, t + 1)
        accuracy = 100 * matrices[:, j:, j]
        mean = accuracy.mean(axis=0)
        panel.plot(after, mean, color=colors[j], marker="o", markersize=3, label=f"task {j + 1}")
        if n_seeds > 1:
            error = accuracy.std(axis=0, ddof=1) / math.sqrt(n_seeds)
            panel.fill_between(after, mean - error, mean + error, color=colors[j], alpha=0.2, linewidth=0)
    panel.set_ylim(-4, 104)
    panel.set_xlim(0.7, t + 0.3)
    panel.set_xticks(range(1, t + 1, max(1, t // 10)))
    panel.grid(alpha=0.3)
