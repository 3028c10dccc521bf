"""Pictures in few bytes: the renderer packs them for speed, and a page of the UI loads them again and again."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS = b"IDAT"


def packed(png: bytes) -> bytes:
    """The same picture, its pixels packed as well as zlib can."""
    chunks = list(_chunks(png))
    pixels = zlib.decompress(b"".join(body for kind, body in chunks if kind == PIXELS))
    kept = [(kind, body) for kind, body in chunks if kind != PIXELS]
    kept.insert([kind for kind, _ in chunks].index(PIXELS), (PIXELS, zlib.compress(pixels, 9)))
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in kept)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        yield kind, png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
