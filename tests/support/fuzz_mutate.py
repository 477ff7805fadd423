"""Mutations of files: of their bytes, and of what lies packed in them."""

import gzip
import io
import json
import re
import struct
import zipfile
import zlib

import numpy as np

INTERESTING = (0, 1, 2, 7, 8, 16, 127, 128, 255, 256, 32767, 65535, 1 << 31, (1 << 32) - 1, 1 << 63)
NUMBERS = (
    b"0",
    b"-1",
    b"1e308",
    b"1e999",
    b"nan",
    b"4294967295",
    b"9223372036854775808",
    b"9" * 5000,
    b"1.5",
)
WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def mutated(rng, data, others, tokens=()):
    """Change some bytes of a file; others are whole files to take pieces from."""
    changed = bytearray(data)
    for _ in range(1 if rng.random() < 0.5 else rng.randint(2, 6)):
        changed = rng.choice(CHANGES)(rng, changed, others, tokens)
    return bytes(changed)


def _flip(rng, data, _others, _tokens):
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _byte(rng, data, _others, _tokens):
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return data


def _number(rng, data, _others, _tokens):
    """Put a number at which counts and sizes break."""
    width = rng.choice(tuple(WIDTHS))
    if len(data) >= width:
        at = rng.randrange(min(len(data) - width + 1, 64 if rng.random() < 0.5 else len(data)))
        value = rng.choice(INTERESTING) & ((1 << 8 * width) - 1)
        data[at : at + width] = struct.pack(rng.choice("<>") + WIDTHS[width], value)
    return data


def _digits(rng, data, _others, _tokens):
    """Put another number where one is written in digits."""
    found = list(re.finditer(rb"[0-9.]+", data[:4096]))
    if found:
        place = rng.choice(found)
        data[place.start() : place.end()] = rng.choice(NUMBERS)
    return data


def _remove(rng, data, _others, _tokens):
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.randint(1, 16)]
    return data


def _cut(rng, data, _others, _tokens):
    return data[: rng.randrange(len(data) + 1)]


def _repeat(rng, data, _others, _tokens):
    start = rng.randrange(len(data) + 1)
    piece = data[start : start + rng.randint(1, 32)]
    data[start:start] = piece * rng.choice((1, 1, 2, 50))
    return data


def _insert(rng, data, _others, _tokens):
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.randint(1, 8))
    return data


def _token(rng, data, _others, tokens):
    if tokens:
        start = rng.randrange(len(data) + 1)
        data[start : start + rng.choice((0, 0, 4))] = rng.choice(tokens)
    return data


def _splice(rng, data, others, _tokens):
    other = rng.choice(others)
    start, end = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    return data[:start] + other[end : end + (1 << 16)]


CHANGES = (_flip, _byte, _number, _number, _digits, _remove, _cut, _repeat, _insert, _token, _token, _splice)


def in_gzip(rng, data, others, tokens=()):
    """Change what lies in a gzip file; a plain file is packed."""
    inner = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    return gzip.compress(mutated(rng, inner, others, tokens), 1)


def in_zip(rng, data, others, tokens=()):
    """Change one member of a zip file, or its name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info), info.compress_type) for info in archive.infolist()]
    target = rng.randrange(len(members)) if members else -1
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for at, (name, content, kind) in enumerate(members):
            if at == target and rng.random() < 0.1:
                name = rng.choice(("../../evil.npy", "/tmp/evil.npy", "images.npy", "x", "", "\x1b[2J.npy"))
            if at == target:
                content = mutated(rng, content, others, tokens)
            archive.writestr(zipfile.ZipInfo(name or "x"), content, compress_type=kind)
    return stream.getvalue()


def in_png(rng, data, others, tokens=()):
    """Change a chunk of a PNG image, or its pixels, with checksums that are right."""
    if data[:4] != b"\x89PNG":
        return mutated(rng, data, others, tokens)
    chunks, at = [], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    target = rng.randrange(len(chunks))
    kind, content = chunks[target]
    if kind == b"IDAT" and rng.random() < 0.5:
        content = zlib.compress(mutated(rng, zlib.decompress(content), others, tokens), 1)
    else:
        content = mutated(rng, content, others, tokens)
    chunks[target] = (rng.choice((kind, kind, kind, b"tRNS", b"PLTE", b"iCCP", b"zTXt", b"acTL")), content)
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def in_safetensors(rng, data, others, tokens=()):
    """Change the header, with a length that is right, or the values."""
    (length,) = struct.unpack("<Q", data[:8])
    header, values = data[8 : 8 + length], data[8 + length :]
    if rng.random() < 0.8:
        header = mutated(rng, header, others, tokens)
    else:
        values = mutated(rng, values, others, tokens)
    return struct.pack("<Q", len(header)) + header + values


def in_checkpoint(rng, data, others, tokens=()):
    """Change what a checkpoint says of its run, or its values under a right digest."""
    from safetensors.numpy import load, save

    from fastbp.runs.checkpoint import _digest

    (length,) = struct.unpack("<Q", data[:8])
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    about, arrays = metadata["run"], load(data)
    if rng.random() < 0.6:
        about = mutated(rng, about.encode(), others, tokens).decode("latin1")
    else:
        name = rng.choice(sorted(arrays))
        change = rng.choice(("remove", "shape", "type", "values"))
        if change == "remove":
            arrays.pop(name)
        elif change == "shape":
            arrays[name] = arrays[name].reshape(-1)[: rng.randrange(arrays[name].size + 1)]
        elif change == "type":
            arrays[name] = arrays[name].astype(rng.choice(("f4", "f8", "i8", "u1")))
        else:
            raw = np.frombuffer(rng.randbytes(arrays[name].nbytes), arrays[name].dtype)
            arrays[name] = raw.reshape(arrays[name].shape)
        about = json.dumps({**json.loads(about), "digest": _digest(arrays)})
    return save(arrays, {**metadata, "run": about})
