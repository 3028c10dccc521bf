"""A judge on a real `transformers serve`: a random model babbles, which is a fault of each output, and what was kept stays."""

import pytest

from pipelines.judges import server, wording
from tests.pipelines.annotators import outputs_of
from tests.pipelines.chat_served import serving, tiny_llama
from tests.pipelines.test_judges_server import careful


def test_a_real_server_that_babbles_gives_faults_and_what_was_judged_is_kept(tmp_path, stub):
    pytest.importorskip("fastapi", reason="a real server: install the extra transformers[serving]")
    folder, outputs = tmp_path / "babbler", outputs_of([(True, False)])
    asked = [message["content"] for message in wording.messages("Passage 1.", "Question 0?", "Answer 1.")]
    for part in tiny_llama(asked, positions=2048):
        part.save_pretrained(folder)
    known = {"model": str(folder), "cache": tmp_path / "cache", "retries": 0}
    stub.script = careful
    first = server.judge(outputs.head(1), base_url=stub.base_url, **known)
    with serving(folder) as address:
        found = server.judge(outputs, base_url=address, max_tokens=16, **known)
    assert found.head(1).equals(first)
    assert found["confidence"].to_list() == [0, None]
    assert found["fault"][1].startswith(("out of format: the reply holds", "no answer"))
