"""One process of Reverb: the server, a writer or a sampler, as `longshore bench replay` starts and ends them.

Each prints {"ready": true} once it may be measured, begins with a line on its standard input, prints one JSON object with
what it did, and ends with its input. The server only waits for that end.
"""

import argparse
import json
import os
import sys
import time
from collections import deque

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TABLE = "replayed"
# Random bytes that items are cut out of, each at a place of its own.
POOL_BYTES = 64 << 20
# Prime: places repeat late.
STRIDE = 4_999_999


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    server = roles.add_parser("server")
    server.add_argument("--max-items", type=int, required=True)
    writer, sampler = roles.add_parser("writer"), roles.add_parser("sampler")
    writer.add_argument("--fill", type=int, required=True, help="items inserted before anything is measured")
    writer.add_argument("--window", type=int, required=True, help="items not acknowledged; 0 leaves it to Reverb")
    sampler.add_argument("--in-flight", type=int, default=0, help="samples on their way to a worker; 0 for the fastest")
    sampler.add_argument("--workers", type=int, default=1)
    for role in (server, writer, sampler):
        role.add_argument("--port", type=int, required=True)
    for role in (writer, sampler):
        role.add_argument("--steps", type=int, required=True, help="of an item")
        role.add_argument("--step-bytes", type=int, required=True)
        role.add_argument("--seconds", type=float, required=True)
    return parser.parse_args()


def say(**what):
    print(json.dumps(what), flush=True)


def go():
    """Says that it is ready and waits; false when there is nothing to measure."""
    say(ready=True)
    return sys.stdin.readline() != ""


def serve(options):
    import reverb

    table = reverb.Table(
        name=TABLE,
        sampler=reverb.selectors.Uniform(),
        remover=reverb.selectors.Fifo(),
        max_size=options.max_items,
        rate_limiter=reverb.rate_limiters.MinSize(1),
    )
    server = reverb.Server(tables=[table], port=options.port)
    say(ready=True)
    sys.stdin.read()
    server.stop()


class Writer:
    def __init__(self, options):
        import numpy as np
        import reverb

        self.options = options
        self.pool = np.random.default_rng(1).integers(0, 256, POOL_BYTES, dtype=np.uint8)
        self.at = 0
        client = reverb.Client(f"127.0.0.1:{options.port}")
        self.writer = client.trajectory_writer(num_keep_alive_refs=options.steps, validate_items=False)
        # A chunk is an item: nothing is sent twice, nothing is cut at sampling.
        self.writer.configure((0,), num_keep_alive_refs=options.steps, max_chunk_length=options.steps)

    def insert(self):
        steps, size = self.options.steps, self.options.step_bytes
        self.at = (self.at + STRIDE) % (POOL_BYTES - steps * size)
        # Whoever plays writes what he saw into fresh memory; the writers of all contenders do that once for each item.
        item = self.pool[self.at : self.at + steps * size].copy()
        for step in range(0, steps * size, size):
            self.writer.append([item[step : step + size]])
        self.writer.create_item(TABLE, 1.0, [self.writer.history[0][-steps:]])

    def fill(self, items):
        for _ in range(items):
            self.insert()
            # It would take in any number of items.
            self.writer.flush(block_until_num_items=64)
        self.writer.flush()

    def measure(self):
        # Without a bound the writer runs ahead of its server until memory ends; this one never held it up.
        window = self.options.window or 64
        unacknowledged, latencies = deque(), []
        items, start = 0, time.perf_counter()
        while time.perf_counter() - start < self.options.seconds:
            unacknowledged.append(time.perf_counter())
            self.insert()
            items += 1
            if len(unacknowledged) == window:
                self.writer.flush(block_until_num_items=window - 1)
                latencies.append(time.perf_counter() - unacknowledged.popleft())
        self.writer.flush()
        seconds = time.perf_counter() - start
        latencies.sort()
        percentile = lambda share: 1e3 * latencies[int(share * (len(latencies) - 1))] if latencies else None
        size = self.options.steps * self.options.step_bytes
        say(items=items, bytes=items * size, seconds=seconds, p50_ms=percentile(0.5), p99_ms=percentile(0.99))


def write(options):
    writer = Writer(options)
    writer.fill(options.fill)
    if go():
        writer.measure()
        sys.stdin.read()


def sample(options):
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    import reverb

    in_flight = options.in_flight or (64 if options.steps > 1 else 1000)
    dataset = reverb.TrajectoryDataset(
        f"127.0.0.1:{options.port}",
        TABLE,
        dtypes=[tf.uint8],
        shapes=[tf.TensorShape([options.steps, options.step_bytes])],
        max_in_flight_samples_per_worker=in_flight,
        num_workers_per_iterator=options.workers,
    )
    # Batches as a learner takes them: else the calls out of Python are what is measured.
    batch = 1 if options.steps > 1 else 256
    if batch > 1:
        dataset = dataset.batch(batch)
    settings = tf.data.Options()
    settings.threading.private_threadpool_size = 1
    settings.autotune.enabled = False
    batches = iter(dataset.with_options(settings))
    next(batches)
    if not go():
        return
    items, start = 0, time.perf_counter()
    while time.perf_counter() - start < options.seconds:
        next(batches)
        items += batch
    seconds = time.perf_counter() - start
    say(items=items, bytes=items * options.steps * options.step_bytes, seconds=seconds)
    sys.stdin.read()


def main():
    options = arguments()
    {"server": serve, "writer": write, "sampler": sample}[options.role](options)
    # Threads of gRPC and TensorFlow may never end by themselves.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
