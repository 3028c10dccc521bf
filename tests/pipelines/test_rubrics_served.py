"""Scoring against a real `transformers serve`: a random model babbles, which ends the run with a clear word."""

import pytest

from pipelines import rubrics
from pipelines.rubrics import wording
from pipelines.schema import FEATURE_NAMES, DataError
from tests.pipelines.chat_served import serving, tiny_llama
from tests.pipelines.judges import PROMPT, careful


def test_a_real_server_that_babbles_is_told_and_what_was_scored_is_kept(tmp_path, stub):
    pytest.importorskip("fastapi", reason="a real server: install the extra transformers[serving]")
    folder, cache = tmp_path / "babbler", tmp_path / "cache"
    asked = [message["content"] for name in FEATURE_NAMES for message in wording.messages(PROMPT, "Fine.", name)]
    for part in tiny_llama(asked, positions=2048):
        part.save_pretrained(folder)
    stub.script, known = careful, {"model": str(folder), "cache": cache}
    first = rubrics.score([PROMPT], ["The battery lasts."], base_url=stub.base_url, **known)
    summaries = ["The battery lasts.", "A dull screen.", "An odd fit."]
    with serving(folder) as address:
        with pytest.raises(
            DataError, match=r"none of 2 summaries .* aspect_coverage: the reply holds .*; 0 new marks are kept in"
        ):
            rubrics.score([PROMPT] * 2, summaries[1:], base_url=address, max_tokens=16, retries=1, **known)
        scored = rubrics.score([PROMPT] * 3, summaries, base_url=address, max_tokens=16, retries=0, **known)
        with pytest.raises(DataError, match=r"pinned to"):
            rubrics.score([PROMPT], summaries[1:2], base_url=address, model="other")
    assert scored.features.equals(first.features)
    assert scored.rejects["row"].to_list() == [1, 2]
    assert (scored.asked, scored.cached) == (2, 7)
