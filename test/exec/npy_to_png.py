"""npy_to_png.py IMAGE.npy IMAGE.png: [1, height, width, 3] floats of 0..1 as a PNG, for tests that need a photograph."""
import struct
import sys
import zlib

import numpy

pixels = numpy.rint(numpy.load(sys.argv[1])[0] * 255).astype(numpy.uint8)
height, width, channels = pixels.shape
assert channels == 3


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = b"".join(b"\0" + row.tobytes() for row in pixels)
with open(sys.argv[2], "wb") as f:
    f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
    f.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
