"""The pictures of a comparison and of a reproduction. Need matplotlib, from the extra `cli`."""

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


def plot_reproduction(lines, title):
    """Draw one panel a scenario: our accuracy of every method, beside the published one.

    A bar is our standard error; where there are several seeds, each is a small dot.

    Parameters
    ----------
    lines : list of Line
        What `reproduction.summarize` returned.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    scenarios = list(dict.fromkeys(line.scenario for line in lines))
    methods = list(dict.fromkeys(line.method for line in lines))
    figure = Figure(figsize=(2.6 + 3 * len(scenarios), 1.8 + 0.3 * len(methods)), layout="constrained")
    panels = figure.subplots(1, len(scenarios), sharey=True, squeeze=False)[0]
    for panel, scenario in zip(panels, scenarios, strict=True):
        _beside_published(panel, [line for line in lines if line.scenario == scenario], methods)
        panel.set_title(f"{scenario}-incremental", fontsize=10)
        panel.set_xlabel("accuracy after the last task, %", fontsize=9)
    panels[0].set_yticks(range(len(methods)), methods)
    panels[0].set_ylim(len(methods) - 0.5, -0.5)  # the first method stands on top
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(title, fontsize=11)
    return figure


def _beside_published(panel, lines, methods):
    """Draw one scenario: a method a row; what is not known is left out."""
    place = {name: k for k, name in enumerate(methods)}
    rows = [place[line.method] for line in lines]
    published = [math.nan if line.published is None else line.published for line in lines]
    seeds = [(value, place[line.method]) for line in lines for value in line.accuracies]
    error = [0 if math.isnan(line.error) else line.error for line in lines]
    panel.plot(published, rows, "D", markersize=7, markerfacecolor="none", color="0.4", label="published")
    panel.plot(*np.array(seeds).reshape(-1, 2).T, ".", color="C0", alpha=0.4, label="our seeds")
    panel.errorbar(
        [line.mean for line in lines], rows, xerr=error, fmt="o", markersize=4, color="C0", label="ours"
    )
    panel.grid(alpha=0.3)
