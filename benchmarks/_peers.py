"""Who finds near duplicates: ours and others' libraries, all on the same texts, words in threes and the same threshold.

Each takes texts and gives the rows that it would drop, [N] bool: those that repeat a text before them, or nearly.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import polars as pl

THRESHOLD, HASHES = 0.7, 128
COSINE = 0.95  # its own default, 0.9, drops three quarters of these texts
BATCH = 10_000


def antivenom(texts: pl.Series) -> np.ndarray:
    """checks.resemblance.clusters."""
    from checks.resemblance import clusters

    return clusters(texts, threshold=THRESHOLD).label != np.arange(len(texts))


def rensa(texts: pl.Series) -> np.ndarray:
    """RMinHashDeduplicator with its bands: MinHash in Rust, candidates held against the estimate."""
    from rensa import RMinHashDeduplicator

    found = RMinHashDeduplicator(threshold=THRESHOLD, num_perm=HASHES, use_lsh=True)
    kept: list[bool] = []
    for batch in _triples(texts):
        kept += found.add_pairs([(str(len(kept) + at), said) for at, said in enumerate(batch)])
    return ~np.array(kept)


def datasketch(texts: pl.Series) -> np.ndarray:
    """MinHashLSH: candidates alone, asked before each text is inserted."""
    from datasketch import MinHash, MinHashLSH

    index, dropped = MinHashLSH(threshold=THRESHOLD, num_perm=HASHES), []
    for batch in _triples(texts):
        for sketch in MinHash.generator(([run.encode() for run in said] for said in batch), num_perm=HASHES, seed=1):
            dropped.append(bool(index.query(sketch)))
            index.insert(len(dropped), sketch)
    return np.array(dropped)


def semhash(texts: pl.Series) -> np.ndarray:
    """Cosine of averaged word vectors (here MiniLM's, since its own model lies on a hub) in an approximate index."""
    from model2vec import StaticModel
    from semhash import SemHash
    from transformers import AutoModel, AutoTokenizer

    from checks.encoding import minilm_folder

    folder = minilm_folder()
    vectors = AutoModel.from_pretrained(folder).embeddings.word_embeddings.weight.detach().numpy()
    model = StaticModel(vectors=vectors, tokenizer=AutoTokenizer.from_pretrained(folder).backend_tokenizer)
    rows = [{"text": text, "row": str(row)} for row, text in enumerate(texts)]
    result = SemHash.from_records(rows, columns=["text"], model=model).self_deduplicate(threshold=COSINE)
    dropped = np.zeros(len(texts), dtype=bool)
    dropped[[int(found.record["row"]) for found in result.filtered]] = True
    return dropped


def _triples(texts: pl.Series) -> Iterator[list[list[str]]]:
    """Runs of three words of each text, some texts at a time."""
    from checks.shingles import normalised

    for at in range(0, len(texts), BATCH):
        split = (text.split() for text in normalised(texts[at : at + BATCH]))
        yield [[" ".join(words[at : at + 3]) for at in range(max(len(words) - 2, 1))] for words in split]


PEERS: Mapping[str, Callable[[pl.Series], np.ndarray]] = {
    "antivenom": antivenom,
    "rensa": rensa,
    "datasketch": datasketch,
    "semhash": semhash,
}
