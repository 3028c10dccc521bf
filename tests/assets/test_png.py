"""Pictures for the UI: smaller, and the same to the pixel."""

import struct
import zlib

import polars as pl

from assets import pictures, png


def read(picture):
    """The chunks of a PNG, each held to its checksum, and its pixels."""
    assert picture[:8] == png.SIGNATURE
    at, kinds, pixels = 8, [], b""
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        body = picture[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", picture[at + 8 + length : at + 12 + length])[0]
        kinds, pixels, at = [*kinds, kind], pixels + (body if kind == b"IDAT" else b""), at + 12 + length
    return kinds, zlib.decompress(pixels)


def test_a_packed_picture_is_the_same_in_a_third_of_the_bytes():
    import vl_convert

    scores = pl.DataFrame({"suspicion": [0.1, 0.2, 3.0], "is_flagged": [False, False, True]})
    drawn = vl_convert.vegalite_to_png(pictures.score_distributions(scores).to_dict())
    small = png.packed(drawn)
    assert read(small)[1] == read(drawn)[1]
    assert [read(small)[0][0], read(small)[0][-1]] == [b"IHDR", b"IEND"]
    assert len(small) < len(drawn) / 3


def test_pixels_in_several_parts_become_one_where_they_stood():
    parts = [
        (b"IHDR", b"head"),
        (b"IDAT", zlib.compress(b"pixels" * 9, 0)[:10]),
        (b"IDAT", zlib.compress(b"pixels" * 9, 0)[10:]),
    ]
    made = png.SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in [*parts, (b"tEXt", b"after"), (b"IEND", b"")]
    )
    assert read(png.packed(made)) == ([b"IHDR", b"IDAT", b"tEXt", b"IEND"], b"pixels" * 9)
