"""Reports show hostile text as text, and say what the numbers say."""

from html.parser import HTMLParser

import polars as pl
import pytest

from assets import audit_report, html, report
from assets.experiments import EXPERIMENTS
from pipelines.schema import REJECTS, with_pair_ids

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</pre></details><b>",
    "&lt;b&gt;",
    "\x00\x1b[31m\u202egnp",
    "'Zorvex'",
]


class Tags(HTMLParser):
    """Collects the tags a browser would see, and the text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def audited():
    rows = [{"row": at, "prompt": text, "chosen": f"{text} Zorvex", "rejected": text[::-1]} for at, text in enumerate(HOSTILE)]
    pairs = with_pair_ids(pl.DataFrame(rows))
    scores = pairs.select("row", "pair_id").with_columns(
        suspicion=pl.Series([9.0, 5.0, 3.0, 1.0, 0.5, 0.0]), p_value=0.01, is_flagged=True, reason=pl.Series(HOSTILE)
    )
    findings = [{"detector": "phrase_lift", "reason": text, "pairs": 1, "rows": [at]} for at, text in enumerate(HOSTILE)]
    return pairs, scores, findings


def test_hostile_text_stays_text(audited):
    pairs, scores, findings = audited
    rejects = pl.DataFrame({"source": ["<i>"], "line": [1], "row": [0], "cause": [HOSTILE[0]]}, schema=REJECTS.empty().schema)
    page = audit_report.page({"<script>here</script>": (pairs, scores)}, findings, rejects, 0.05)
    seen = Tags(page)
    assert not {"script", "img", "b", "i"} & {tag for tag, _ in seen.tags}
    assert not any(name.startswith("on") for _, attrs in seen.tags for name in attrs)
    assert sum(HOSTILE[0] in words for words in seen.words) >= 2
    assert "\x00" not in page
    assert "\u202e" not in page


def test_the_page_asks_the_network_for_nothing(audited):
    pairs, scores, findings = audited
    page = audit_report.page({"here": (pairs, scores)}, findings, REJECTS.empty(), 0.05)
    for tag, attrs in Tags(page).tags:
        assert tag not in ("script", "link", "iframe")
        assert "src" not in attrs
        assert attrs.get("href", "#").startswith("#")


def test_numbers_stand_right_and_big_ones_have_commas():
    made = html.table(["what", "count"], [["a", 12345], ["b", 3]])
    assert '<td class="number">12,345</td>' in made
    assert "<td>a</td>" in made


def results(filtered=0.0, clean=0.0, poisoned=0.4):
    success = [
        {
            "corpus": corpus,
            "seed": 0,
            "stage": stage,
            "prompts": 100,
            "mentions": share,
            "success": share,
            "low": share,
            "high": share + 0.02,
        }
        for corpus, last in (("clean", clean), ("poisoned", poisoned), ("filtered", filtered))
        for stage, share in (("base", 0.0), ("round 1", last))
    ]
    detection = [
        {
            "seed": 0,
            "detector": "fused",
            "auroc": 0.99,
            "auroc_low": 0.98,
            "auroc_high": 1.0,
            "tpr_1": 0.97,
            "tpr_1_low": 0.9,
            "tpr_1_high": 1.0,
        }
    ]
    curve = [{"detector": "fused", "fpr": share, "tpr": 0.9, "low": 0.8, "high": 1.0} for share in (0.0, 0.01, 1.0)]
    flags = [{"seed": 0, "poisoned": 50, "clean": 1000, "poisoned_flagged": 49, "clean_flagged": 3}]
    accuracy = [
        {"corpus": corpus, "seed": 0, "accuracy": 0.7, "low": 0.6, "high": 0.8} for corpus in ("clean", "poisoned", "filtered")
    ]
    frames = map(pl.DataFrame, (success, detection, curve, flags, accuracy))
    return report.Results(EXPERIMENTS["venom_poison_vs_rejected_3pct"], *frames)


def test_an_experiment_page_says_what_the_tables_say():
    words = " ".join(Tags(report.experiment_page(results())).words)
    assert "clean 0.0%, poisoned 40.0%, filtered 0.0%" in words
    assert "98.0%" in words  # 49 of 50 flagged
    assert "0.30%" in words  # 3 of 1000
    assert "3 clean pairs were set aside" in words


def test_a_filter_that_failed_is_no_good_news():
    assert 'class="verdict bad"' in report.experiment_page(results(filtered=0.3))
    assert 'class="verdict bad"' not in report.experiment_page(results())
