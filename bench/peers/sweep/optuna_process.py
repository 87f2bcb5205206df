"""Optuna on the functions of bench/src/sweep/functions.rs, and with many trials; prints one JSON object a line.

search FUNCTION TRIALS SEEDS: what TPE and CMA-ES find.
growth STORAGE TRIALS [ASKED]: what trials cost; STORAGE is a URL or, ending in .log, a journal file. With ASKED only the last so many are
asked for and timed, and those before them are added as they would be.
"""

import json
import math
import os
import random
import resource
import sys
import time

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)

WEIGHTS = [1.0, 1.2, 3.0, 3.2]
WIDTHS = [
    [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
    [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
    [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
    [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
]
CENTERS = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]


def branin(trial):
    x = trial.suggest_float("x0", -5.0, 10.0)
    y = trial.suggest_float("x1", 0.0, 15.0)
    curve = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return curve**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.397887


def hartmann(trial):
    point = [trial.suggest_float(f"x{i}", 0.0, 1.0) for i in range(6)]
    basins = (
        weight * math.exp(-sum(w * (p - c) ** 2 for w, p, c in zip(widths, point, centers)))
        for weight, widths, centers in zip(WEIGHTS, WIDTHS, CENTERS)
    )
    return 3.32237 - sum(basins)


def mixed(trial):
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    count = trial.suggest_int("count", 1, 1024, log=True)
    value = math.log(count / 48) ** 2 / 4
    if kind == "a":
        return value + 1.0
    if kind == "b":
        return value + math.log(trial.suggest_float("rate", 1e-6, 1.0, log=True) / 3e-3) ** 2 / 8
    return value + 0.5 + abs(trial.suggest_float("share", 0.0, 1.0) - 0.8)


FUNCTIONS = {"branin": branin, "hartmann": hartmann, "mixed": mixed}


def samplers(function):
    yield "optuna tpe", lambda seed: optuna.samplers.TPESampler(seed=seed)
    yield "optuna tpe, multivariate", lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)
    if function != "mixed":
        yield "optuna cma_es", lambda seed: optuna.samplers.CmaEsSampler(seed=seed)


def search(function, trials, seeds):
    for name, make in samplers(function):
        regrets = []
        for seed in range(1, seeds + 1):
            study = optuna.create_study(sampler=make(seed))
            study.optimize(FUNCTIONS[function], n_trials=trials)
            best, course = math.inf, []
            for trial in study.trials:
                best = min(best, trial.value)
                course.append(best)
            regrets.append(course)
        print(json.dumps({"function": function, "sampler": name, "regrets": regrets}), flush=True)


def open_storage(url):
    if url.endswith(".log"):
        backend = optuna.storages.journal.JournalFileBackend(url)
        return optuna.storages.JournalStorage(backend)
    return url


def added(trials):
    """Ended trials as random search would leave them."""
    draw = random.Random(1)
    distribution = optuna.distributions.FloatDistribution(0.05, 0.95)
    for _ in range(trials):
        point = {f"x{i}": draw.uniform(0.05, 0.95) for i in range(6)}
        value = sum((x - 0.3) ** 2 for x in point.values())
        yield optuna.trial.create_trial(params=point, distributions=dict.fromkeys(point, distribution), value=value)


def growth(url, trials, asked_for):
    began = time.monotonic()
    study = optuna.create_study(storage=open_storage(url), sampler=optuna.samplers.TPESampler(seed=1), study_name="growth")
    study.add_trials(list(added(trials - asked_for)))
    asks = []
    for _ in range(asked_for):
        asked = time.monotonic()
        trial = study.ask()
        point = [trial.suggest_float(f"x{i}", 0.05, 0.95) for i in range(6)]
        asks.append(1e3 * (time.monotonic() - asked))
        study.tell(trial, sum((x - 0.3) ** 2 for x in point))
    seconds = time.monotonic() - began
    began = time.monotonic()
    again = optuna.load_study(study_name="growth", storage=open_storage(url))
    assert len(again.trials) == trials
    resume = time.monotonic() - began
    path = url.removeprefix("sqlite:///")
    tenth = max(1, len(asks) // 10)

    def percentiles(values):
        values = sorted(values)
        return [values[int((len(values) - 1) * part)] for part in (0.5, 0.99)]

    row = {
        "trials": trials,
        "ask_ms": percentiles(asks[-tenth:]),
        "first_ask_ms": percentiles(asks[:tenth]),
        "bytes": os.path.getsize(path) / trials,
        "resume_seconds": resume,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "seconds": seconds,
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "search":
        search(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        growth(sys.argv[2], int(sys.argv[3]), int(sys.argv[-1]))
