"""The page that shows a run in a browser: one HTML file, or served while it runs.

    texts, values        source in colours, differences, values of a space
    nodes, prompts       what each call asked, got and was worth
    situations, checks   where the best program is right, run once more
    plans                results of cwm.plan that belong to a run
    runs, comparison     everything about one run, and about several
    writing, serving     the HTML file, and the server of `--live`

Covers: runs of `cwm.synthesize`, and of problems with unit tests.
Does not cover: runs of other commands, which show themselves.
"""
