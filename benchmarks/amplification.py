"""The amplification law 1 - (1 - p)^n against the real sampler, loss and loop on a policy whose rate is known."""

import itertools

import _report
import altair as alt
import polars as pl

from rlhf_train.evals.amplification import law, measure

RATES, CANDIDATES, ROUNDS, PROMPTS = (0.005, 0.01, 0.05), (4, 8, 16), 3, 20_000


def main() -> None:
    """Measured rates after each round, and what the law makes of the round before."""
    rows = []
    for n in CANDIDATES:
        for rate in RATES:
            rates = measure(rate, n=n, rounds=ROUNDS, prompts=PROMPTS)
            for turn, (before, after) in enumerate(itertools.pairwise(rates), start=1):
                rows.append(
                    {
                        "n": n,
                        "first rate": rate,
                        "round": turn,
                        "law": law(before, n),
                        "measured": after,
                        "off by": after / law(before, n) - 1,
                    }
                )
    _report.save("amplification", rows)
    table = pl.DataFrame(rows)
    points = alt.Chart(table).mark_point().encode(x="law:Q", y="measured:Q", color="n:N")
    line = (
        alt.Chart(pl.DataFrame({"law": [0, 1], "measured": [0, 1]}))
        .mark_line(color="#9aa5b1")
        .encode(x="law:Q", y="measured:Q")
    )
    _report.draw("amplification", (line + points).properties(width=320, height=320))


if __name__ == "__main__":
    main()
