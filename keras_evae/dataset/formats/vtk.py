"""VTK image data (.vti), as ParaView and PyVista read it; VTK itself is not needed."""

from typing import IO, Any

import numpy as np


def write_vtk(stream: IO[bytes], states: Any, cell: tuple[float, float, float]) -> None:
    """Writes states `(n, y, x, 3)` as point data of one grid, x fastest, to a file that is open for writing bytes.

    One state is the array `spins`; of several the k-th is `spins_k`, with as many digits as the last one has.
    `cell` are the distances of the sites, `(dx, dy, dz)` in metres.
    """
    count, height, width, _ = states.shape
    names = ["spins"] if count == 1 else [f"spins_{index:0{len(str(count - 1))}d}" for index in range(count)]
    extent, size = f"0 {width - 1} 0 {height - 1} 0 0", 12 * height * width
    arrays = "".join(
        f'<DataArray type="Float32" Name="{name}" NumberOfComponents="3" format="appended" '
        f'offset="{index * (8 + size)}"/>\n'
        for index, name in enumerate(names)
    )
    stream.write(
        '<?xml version="1.0"?>\n<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" '
        f'header_type="UInt64">\n<ImageData WholeExtent="{extent}" Origin="0 0 0" '
        f'Spacing="{" ".join(map(repr, cell))}">\n<Piece Extent="{extent}">\n<PointData Vectors="{names[0]}">\n'
        f'{arrays}</PointData>\n</Piece>\n</ImageData>\n<AppendedData encoding="raw">\n_'.encode()
    )
    for index in range(count):
        stream.write(np.uint64(size).tobytes() + np.asarray(states[index : index + 1], "<f4").tobytes())
    stream.write(b"\n</AppendedData>\n</VTKFile>\n")
