"""Graph files as `longshore bench encoder` writes them; drawn byte by byte in docs/formats.md."""

import struct
from dataclasses import dataclass

import numpy

HEADER = struct.Struct("<4sIQQIII")


@dataclass
class Graph:
    nodes: int
    relations: int
    sources: numpy.ndarray  # [edges], int64
    targets: numpy.ndarray  # [edges], int64
    features: numpy.ndarray  # [nodes, features], float32
    aims: numpy.ndarray  # [nodes], float32
    edge_relations: numpy.ndarray  # [edges], int64; empty without relations
    edge_features: numpy.ndarray  # [edges, edge features], float32


def read(path):
    with open(path, "rb") as file:
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            raise SystemExit(f"{path} ends within its header")
        magic, version, nodes, edges, width, relations, edge_width = HEADER.unpack(header)
        if (magic, version) != (b"LSHG", 1):
            raise SystemExit(f"{path} is no graph file of version 1: it begins with {header[:8]!r}")

        def column(kind, count):
            values = numpy.fromfile(file, kind, count)
            if len(values) < count:
                raise SystemExit(f"{path} ends {count - len(values)} values too early")
            return values

        return Graph(
            nodes=nodes,
            relations=relations,
            sources=column("<u4", edges).astype(numpy.int64),
            targets=column("<u4", edges).astype(numpy.int64),
            features=column("<f4", nodes * width).reshape(nodes, width),
            aims=column("<f4", nodes),
            edge_features=column("<f4", edges * edge_width).reshape(edges, edge_width),
            edge_relations=column("u1", edges if relations else 0).astype(numpy.int64),
        )
