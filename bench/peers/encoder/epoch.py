"""Times one peer on one graph file: full-graph epochs (forward, backward, Adam) or forward passes.

The network is the same for all: two layers, 64 wide, four heads of 16, ReLU between, a linear readout to one number a
node, mean squared error. Prints one JSON object.
"""

import argparse
import json
import resource
import statistics
import time

import graph_file

WIDTH, HEADS, SLOPE = 64, 4, 0.01


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, choices=["pyg-gatv2", "pyg-gat", "pyg-gatv2-edges", "dgl-gatv2"])
    parser.add_argument("--graph", required=True, help="file written by `longshore bench encoder`")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="timed passes, after one that is not")
    parser.add_argument("--inference", action="store_true", help="forward passes without gradient instead of epochs")
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--memory-gb", type=float, default=18.0, help="address space beyond which it is out of memory")
    return parser.parse_args()


def pyg(torch, graph, width, kind, with_edges, device):
    """Two PyG layers as a function of the node features."""
    from torch_geometric import nn

    layer = {"gat": nn.GATConv, "gatv2": nn.GATv2Conv}[kind]
    ends = torch.stack([torch.from_numpy(graph.sources), torch.from_numpy(graph.targets)]).to(device)
    terms = edge_terms(torch, graph).to(device) if with_edges else None
    options = {"heads": HEADS, "negative_slope": SLOPE, "add_self_loops": False, "edge_dim": terms.shape[1] if with_edges else None}
    first = layer(width, WIDTH // HEADS, **options).to(device)
    second = layer(WIDTH, WIDTH // HEADS, **options).to(device)
    return [first, second], lambda x: second(first(x, ends, terms).relu(), ends, terms)


def edge_terms(torch, graph):
    """Relation, one column each, and features: what GATv2 takes as `edge_attr`."""
    relations = torch.nn.functional.one_hot(torch.from_numpy(graph.edge_relations), graph.relations)
    return torch.cat([relations.float(), torch.from_numpy(graph.edge_features)], 1)


def dgl(torch, graph, width):
    """Two DGL layers as a function of the node features."""
    import dgl
    from dgl.nn.pytorch import GATv2Conv

    ends = dgl.graph((torch.from_numpy(graph.sources), torch.from_numpy(graph.targets)), num_nodes=graph.nodes)
    # All sparse formats that it keeps are made beforehand.
    ends.create_formats_()
    first = GATv2Conv(width, WIDTH // HEADS, HEADS, negative_slope=SLOPE, allow_zero_in_degree=True)
    second = GATv2Conv(WIDTH, WIDTH // HEADS, HEADS, negative_slope=SLOPE, allow_zero_in_degree=True)
    return [first, second], lambda x: second(ends, first(ends, x).flatten(1).relu()).flatten(1)


def measure(options):
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    graph = graph_file.read(options.graph)
    features, aims = torch.from_numpy(graph.features).to(options.device), torch.from_numpy(graph.aims).to(options.device)
    width = features.shape[1]
    if options.peer == "dgl-gatv2":
        layers, embed = dgl(torch, graph, width)
    else:
        _, kind, *edges = options.peer.split("-")
        layers, embed = pyg(torch, graph, width, kind, bool(edges), options.device)
    readout = torch.nn.Linear(WIDTH, 1).to(options.device)
    parameters = [value for part in [*layers, readout] for value in part.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=1e-3)

    def epoch():
        optimiser.zero_grad()
        loss = torch.nn.functional.mse_loss(readout(embed(features)).squeeze(1), aims)
        loss.backward()
        optimiser.step()
        return loss.item()

    def infer():
        with torch.inference_mode():
            return torch.nn.functional.mse_loss(readout(embed(features)).squeeze(1), aims).item()

    once = infer if options.inference else epoch
    first_loss = once()
    seconds = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "loss": first_loss, "torch": torch.__version__}


def main():
    options = arguments()
    if options.device == "cpu":
        # Beside a GPU a process maps far more than it uses.
        limit = int(options.memory_gb * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    result = {"peer": options.peer, "threads": options.threads, "inference": options.inference}
    try:
        result |= measure(options)
        result["median"] = statistics.median(result["seconds"])
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        where = f"within {options.memory_gb:.1f} GB" if options.device == "cpu" else f"on {options.device}"
        result["error"] = f"out of memory {where}"
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result))


if __name__ == "__main__":
    main()
