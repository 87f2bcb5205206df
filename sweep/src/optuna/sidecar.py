"""Speaks with Optuna for a coordinator of `longshore sweep`: one JSON object a line on stdin, one answer a line on stdout.

Requests (`do`) and their answers; an answer with `error` says what went wrong in words:
  open    storage, study, directions, sampler, seed, space, owner, create -> {}
  ask     name, budget          -> {setting} | {exhausted: true}
  report  name, step, value     -> {}
  tell    name, state, values, constraints, setting, reports -> {}
  trials                        -> {directions, parameters, trials}

A trial is known by the coordinator that has it (`owner`) and the name that it has there. So every request may be made again: what was
asked for gets the same answer, what was told stays as it was.
"""

import json
import os
import sys
import time
import warnings

OWNER, NAME, SURPLUS = "longshore:owner", "longshore:trial", "longshore:surplus"


def fail(message):
    print(json.dumps({"error": message}), flush=True)
    sys.exit(1)


try:
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import TrialState
except ImportError as error:
    fail(f"{sys.executable} has no Optuna ({error}); install it with `{sys.executable} -m pip install optuna`, or give --python")

# What is told a second time after a kill, and what is called experimental, is meant.
warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.WARNING)
STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


def sampler_of(kind, seed):
    samplers = optuna.samplers
    if kind == "tpe":
        # Trials of workers that run count as weak, so that two do not get the same suggestion.
        return samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
    kinds = {"random": samplers.RandomSampler, "cma_es": samplers.CmaEsSampler, "gp": samplers.GPSampler}
    return kinds[kind](seed=seed)


def distribution(parameter):
    """The distribution of a parameter, as `Range` has it."""
    kind, values = parameter["kind"], parameter["values"]
    if kind == "choice":
        return CategoricalDistribution([plain(value) for value in values])
    if kind in ("integer", "log_integer"):
        return IntDistribution(values[0], values[1], log=kind == "log_integer")
    return FloatDistribution(values[0], values[1], log=kind == "log_uniform")


def plain(value):
    """Optuna's choices are numbers, words and truth values; anything else is its JSON."""
    return value if isinstance(value, (str, int, float, bool)) else json.dumps(value)


def parameters_of(space, draw):
    """The setting of a trial: `draw` gives the value of each parameter that counts."""
    setting = {}
    for parameter in space:
        condition = parameter.get("only_if")
        if condition and not (condition["key"] in setting and setting[condition["key"]] in condition["is"]):
            continue
        value = draw(parameter["key"], distribution(parameter))
        if parameter["kind"] == "choice":
            value = next(one for one in parameter["values"] if plain(one) == value)
        setting[parameter["key"]] = value
    return setting


def loaded(storage, study):
    """A study that is there."""
    path = storage.removeprefix("sqlite:///")
    if path != storage and not os.path.exists(path):
        raise ValueError(f"there is no file {path}")
    try:
        return optuna.load_study(storage=storage, study_name=study)
    except KeyError:
        names = ", ".join(f"`{name}`" for name in optuna.get_all_study_names(storage)) or "none"
        raise ValueError(f"there is no study `{study}`; the storage has {names}") from None


def created(storage, study, directions):
    """The study, made where it is not there. Two that begin at once make the same tables, and one of them is refused: it tries again."""
    for left in reversed(range(10)):
        try:
            return optuna.create_study(storage=storage, study_name=study, directions=directions, load_if_exists=True)
        except Exception as error:
            is_made = any(words in str(error) for words in ("already exists", "UniqueViolation", "UNIQUE constraint"))
            if not is_made or left == 0:
                raise
            time.sleep(0.5)


class Sidecar:
    def open(self, storage, study, owner, directions=(), sampler=None, seed=None, space=(), create=True):
        self.owner, self.space, self.several = owner, space, len(directions) > 1
        names = ["maximize" if direction == "maximise" else "minimize" for direction in directions]
        if create:
            self.study = created(storage, study, names)
            own = [direction.name.lower() for direction in self.study.directions]
            if own != names:
                raise ValueError(f"study `{study}` there has the directions {own}, this one has {names}")
        else:
            self.study = loaded(storage, study)
        own = (trial for trial in self.study.get_trials(deepcopy=False) if trial.user_attrs.get(OWNER) == owner)
        self.trials = {trial.user_attrs[NAME]: trial._trial_id for trial in own if NAME in trial.user_attrs}
        self.live = {}
        if sampler is not None:
            # One that begins again in the middle does not draw again what it drew before.
            self.study.sampler = sampler_of(sampler, (seed + len(self.trials)) % 2**32)
        return {}

    def trial(self, name):
        """The trial with this name, to be asked and told."""
        if name not in self.live:
            self.live[name] = optuna.trial.Trial(self.study, self.trials[name])
        return self.live[name]

    def frozen(self, name):
        return self.study._storage.get_trial(self.trials[name])

    def suggested(self, trial):
        suggest = {
            CategoricalDistribution: lambda key, one: trial.suggest_categorical(key, one.choices),
            IntDistribution: lambda key, one: trial.suggest_int(key, one.low, one.high, log=one.log),
            FloatDistribution: lambda key, one: trial.suggest_float(key, one.low, one.high, log=one.log),
        }
        return {"setting": parameters_of(self.space, lambda key, one: suggest[type(one)](key, one))}

    def ask(self, name, budget=None):
        if name in self.trials:
            return self.suggested(self.trial(name))
        if budget is not None and self.counted() >= budget:
            return {"exhausted": True}
        trial = self.study.ask()
        trial.set_user_attr(OWNER, self.owner)
        if budget is not None and self.counted(trial.number) >= budget:
            # Another coordinator was faster.
            trial.set_user_attr(SURPLUS, True)
            self.study.tell(trial, state=TrialState.FAIL)
            return {"exhausted": True}
        trial.set_user_attr(NAME, name)
        self.trials[name], self.live[name] = trial._trial_id, trial
        return self.suggested(trial)

    def counted(self, before=None):
        """Trials that count against the budget, of all coordinators; those before a number where one is given."""
        trials = self.study.get_trials(deepcopy=False)
        return sum(1 for one in trials if SURPLUS not in one.user_attrs and (before is None or one.number < before))

    def report(self, name, step, value):
        # Optuna knows intermediate values of one objective only.
        if not self.several and name in self.trials and not self.frozen(name).state.is_finished():
            self.trial(name).report(value, step)
        return {}

    def tell(self, name, state, values, constraints, setting, reports):
        state = STATES[state]
        if name not in self.trials:
            return self.add(name, state, values, constraints, setting, reports)
        if self.frozen(name).state.is_finished():
            return {}
        trial = self.trial(name)
        if constraints is not None:
            trial.set_constraint("missed", constraints)
        told = values if state == TrialState.COMPLETE else None
        self.study.tell(trial, values=told, state=state)
        self.live.pop(name, None)
        return {}

    def add(self, name, state, values, constraints, setting, reports):
        """A trial that Optuna has not suggested: a person's, or one of a study that is copied there."""
        distributions = {one["key"]: distribution(one) for one in self.space if one["key"] in setting}
        own = {key: plain(value) for key, value in setting.items() if key in distributions}
        if not all(distributions[key]._contains(distributions[key].to_internal_repr(value)) for key, value in own.items()):
            # After the space was narrowed elsewhere; it would spoil what the sampler learns.
            return {}
        frozen = optuna.trial.create_trial(
            state=state,
            values=values if state == TrialState.COMPLETE else None,
            params=own,
            distributions=distributions,
            user_attrs={OWNER: self.owner, NAME: name},
            intermediate_values={} if self.several else dict(enumerate(reports)),
            constraints=None if constraints is None else {"missed": constraints},
        )
        self.study.add_trial(frozen)
        newest = next(one for one in reversed(self.study.get_trials(deepcopy=False)) if one.user_attrs.get(NAME) == name)
        self.trials[name] = newest._trial_id
        return {}

    def all_trials(self):
        parameters, trials = {}, []
        for trial in self.study.get_trials(deepcopy=False):
            for key, one in trial.distributions.items():
                parameters.setdefault(key, []).append(described(one))
            values = trial.values if trial.state == TrialState.COMPLETE else None
            trials.append({"state": trial.state.name.lower(), "setting": trial.params, "values": values})
        directions = ["maximise" if one.name == "MAXIMIZE" else "minimise" for one in self.study.directions]
        return {"directions": directions, "parameters": parameters, "trials": trials}


def described(one):
    if isinstance(one, CategoricalDistribution):
        return {"kind": "choice", "values": list(one.choices)}
    name = "integer" if isinstance(one, IntDistribution) else "uniform"
    return {"kind": ("log_" if one.log else "") + name, "values": [one.low, one.high], "step": one.step}


def main():
    sidecar = Sidecar()
    for line in sys.stdin:
        request = json.loads(line)
        do = request.pop("do")
        try:
            answer = getattr(sidecar, "all_trials" if do == "trials" else do)(**request)
        except Exception as error:  # Whatever a storage or a sampler raises is for the coordinator to tell.
            first = str(error).strip().splitlines()
            answer = {"error": f"{type(error).__name__}: {first[0] if first else 'no message'}"}
        print(json.dumps(answer), flush=True)


main()
