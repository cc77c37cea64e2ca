"""What can be said of a binary without running it."""

import io
import re
import struct
import zipfile

SHT_VERNEED = 0x6FFFFFFE


def zipped(name, data):
    """Bytes of the archive that is uploaded."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(name, data)
    return len(file.getvalue())


def versions_needed(data):
    """Names of the symbol versions that an ELF file of 64 bits needs of its libraries (`.gnu.version_r`)."""
    if data[:5] != b"\x7fELF\x02":
        raise ValueError("no ELF file of 64 bits")
    table, size, count = struct.unpack_from("<Q10xHH", data, 40)
    # Of a section: type, offset in the file, linked section, number of entries.
    sections = [struct.unpack_from("<4xI16xQ8xII", data, table + index * size) for index in range(count)]
    found = []
    for kind, at, linked, entries in sections:
        if kind == SHT_VERNEED:
            found += needed(data, at, entries, sections[linked][1])
    return found


def needed(data, at, entries, names):
    for _ in range(entries):
        count, first, following = struct.unpack_from("<2xH4xII", data, at)
        inner = at + first
        for _ in range(count):
            name, further = struct.unpack_from("<8xII", data, inner)
            yield data[names + name : data.index(b"\0", names + name)].decode()
            inner += further
        at += following


def newest_glibc(data):
    """`(2, 34)`; `None` of a binary that needs none."""
    versions = (re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", name) for name in versions_needed(data))
    return max(((int(found[1]), int(found[2])) for found in versions if found), default=None)
