"""training/optimizers.json: parameters after each of eight optimizer steps with given gradients; learning-rate schedules.

All cases have the same three parameters, [4, 3], [5] and [2, 2, 3], and the same gradients. Some gradients are zero, some between 1e-8
and 1e-3 (so that the position of epsilon in the formula matters), and some steps have a norm above 10 (so that they are clipped). A
case is an optimizer with all hyperparameters, including the defaults.
"""

import training_encoding as enc
from training_encoding import keras, normal, np, pack, rng_of, torch

SHAPES = ([4, 3], [5], [2, 2, 3])
STEPS = 8


def problem():
    rng = rng_of("optimizers")
    initial = [normal(rng, *shape) for shape in SHAPES]
    scale = np.array([1, 0.1, 3, 1, 0.01, 10, 1, 0.3])  # of the gradients of each step
    gradients = [np.stack([normal(rng, *shape, scale=s) for s in scale]) for shape in SHAPES]
    gradients[0][:, :, 2] *= 1e-3  # a column of small gradients
    gradients[1][:, 0] *= 1e-7  # a gradient about as large as epsilon
    gradients[1][:, 1] = 0  # a gradient of 0 in all steps
    gradients[2][:4, 0] = 0  # a block without gradients before step 4
    gradients[2][3:, 1, 1] *= 1e-4  # gradients that become small at step 3
    gradients[2][4] = 0  # a step in which all gradients of a tensor are 0
    return initial, [g.astype(np.float32) for g in gradients]


INITIAL, GRADIENTS = problem()

# ---- Keras --------------------------------------------------------------------------------------

# The optimizers and their defaults. check_defaults() compares them with Keras.
KERAS = {
    "sgd": (keras.optimizers.SGD, {"learningRate": 0.01, "momentum": 0.0, "nesterov": False}),
    "rmsprop": (
        keras.optimizers.RMSprop,
        {"learningRate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False},
    ),
    "adagrad": (
        keras.optimizers.Adagrad,
        {"learningRate": 0.001, "initialAccumulatorValue": 0.1, "epsilon": 1e-7},
    ),
    "adam": (
        keras.optimizers.Adam,
        {"learningRate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7, "amsgrad": False},
    ),
    "adamw": (
        keras.optimizers.AdamW,
        {"learningRate": 0.001, "weightDecay": 0.004, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7,
         "amsgrad": False},
    ),
    "nadam": (
        keras.optimizers.Nadam,
        {"learningRate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
    ),
}  # fmt: skip


def check_defaults():
    for make, defaults in KERAS.values():
        config = make().get_config()
        for name, value in enc.snake_options(defaults).items():
            assert np.isclose(config[name], value), (make, name, config[name])
        others = ("clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps")
        assert all(config[o] is None for o in others) and not config["use_ema"]
        assert (config["weight_decay"] is None) == ("weightDecay" not in defaults)


def keras_optimizer(name, options, variables=()):
    """options: excludeFromWeightDecay is a list of indices of variables; learningRate may be the specification of a schedule."""
    make, defaults = KERAS[name]
    options = defaults | options
    arguments = {k: v for k, v in options.items() if k != "excludeFromWeightDecay"}
    if isinstance(arguments["learningRate"], dict):
        arguments["learningRate"] = keras_schedule(**arguments["learningRate"])
    optimizer = make(**enc.snake_options(arguments))
    if "excludeFromWeightDecay" in options:
        optimizer.exclude_from_weight_decay(var_list=[variables[i] for i in options["excludeFromWeightDecay"]])
    return optimizer, options


def keras_case(name, optimizer_name, changes=None, gradients=None):
    variables = [keras.Variable(v) for v in INITIAL]
    optimizer, options = keras_optimizer(optimizer_name, changes or {}, variables)
    after, averages = [], []
    for step in range(len((gradients or GRADIENTS)[0])):
        optimizer.apply([torch.tensor(g[step]) for g in gradients or GRADIENTS], variables)
        after.append([v.numpy().copy() for v in variables])
        if options.get("useEma"):
            averages.append([v.numpy().copy() for v in optimizer._model_variables_moving_average])
    case = {"name": f"keras {name}", "optimizer": optimizer_name, "source": "keras", "options": options}
    if gradients:
        case["gradients"] = [pack(g) for g in gradients]
    case["after"] = [pack(np.stack(steps)) for steps in zip(*after)]
    if averages:
        case["averages"] = [pack(np.stack(steps)) for steps in zip(*averages)]
    return case


CLIPS = {"clipValue": 0.5, "clipNorm": 1.0, "globalClipNorm": 2.0}


def keras_cases():
    for name in KERAS:
        yield keras_case(f"{name} defaults", name)
        if name != "sgd":  # with the default epsilon, most updates are about as large as the rate, whatever the gradient
            yield keras_case(f"{name} larger epsilon", name, {"learningRate": 0.05, "epsilon": 1e-3})
    yield keras_case("sgd momentum", "sgd", {"momentum": 0.9})
    yield keras_case("sgd nesterov", "sgd", {"momentum": 0.9, "nesterov": True})
    yield keras_case("rmsprop momentum", "rmsprop", {"momentum": 0.9})
    yield keras_case("rmsprop centered", "rmsprop", {"centered": True})
    yield keras_case("rmsprop centered momentum", "rmsprop", {"centered": True, "momentum": 0.5, "rho": 0.8})
    yield keras_case("adam betas", "adam", {"learningRate": 0.01, "beta1": 0.5, "beta2": 0.9})

    for clip, limit in CLIPS.items():
        for name in ("sgd", "adam"):
            yield keras_case(f"{name} {clip}", name, {"learningRate": 0.1, clip: limit})
    yield keras_case("adam weightDecay", "adam", {"learningRate": 0.01, "weightDecay": 0.1})
    yield keras_case("sgd weightDecay momentum", "sgd", {"weightDecay": 0.1, "momentum": 0.9})
    yield keras_case("adamw larger decay", "adamw", {"learningRate": 0.01, "weightDecay": 0.1})
    yield keras_case("adamw excludeFromWeightDecay", "adamw", {"weightDecay": 0.5, "excludeFromWeightDecay": [1]})
    yield keras_case("adamw globalClipNorm", "adamw", {"learningRate": 0.01, "globalClipNorm": 2.0})

    ema = {"learningRate": 0.1, "useEma": True, "emaMomentum": 0.9, "emaOverwriteFrequency": None}
    yield keras_case("adam ema", "adam", ema)
    yield keras_case("sgd ema, overwriting every 3", "sgd", ema | {"emaOverwriteFrequency": 3})
    yield keras_case("adam accumulating 2", "adam", {"learningRate": 0.1, "gradientAccumulationSteps": 2})
    accumulate = {"learningRate": 0.1, "gradientAccumulationSteps": 3, "globalClipNorm": 2.0}
    yield keras_case("sgd accumulating 3, globalClipNorm", "sgd", accumulate)

    halving = {"initialLearningRate": 0.1, "decaySteps": 2, "decayRate": 0.5}
    decay = {"schedule": "exponentialDecay", "options": halving}
    yield keras_case("sgd schedule", "sgd", {"learningRate": decay})
    yield keras_case("sgd momentum schedule", "sgd", {"learningRate": decay, "momentum": 0.9})
    yield keras_case("adamw schedule", "adamw", {"learningRate": decay, "weightDecay": 0.1})

    infinite = [g[:2].copy() for g in GRADIENTS]
    infinite[1][1, 3] = np.inf
    for clip, limit in CLIPS.items():  # only globalClipNorm changes the other tensors, too
        yield keras_case(f"sgd {clip}, an infinite gradient", "sgd", {clip: limit}, infinite)
    nothing = [np.zeros_like(g[:1]) for g in GRADIENTS]
    for clip, limit in CLIPS.items():
        yield keras_case(f"sgd {clip}, no gradient", "sgd", {clip: limit}, nothing)


# ---- PyTorch ------------------------------------------------------------------------------------

# Keras's defaults, so that differences come from the formula only. The cases below also have PyTorch's defaults.
TORCH = {
    "sgd": (torch.optim.SGD, {"learningRate": 0.01, "momentum": 0.0, "dampening": 0.0, "nesterov": False}),
    "rmsprop": (
        torch.optim.RMSprop,
        {"learningRate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False},
    ),
    "adagrad": (
        torch.optim.Adagrad,
        {"learningRate": 0.001, "initialAccumulatorValue": 0.1, "epsilon": 1e-7},
    ),
    "adam": (torch.optim.Adam, {"learningRate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}),
    "adamw": (
        torch.optim.AdamW,
        {"learningRate": 0.001, "weightDecay": 0.004, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
    ),
    "nadam": (
        torch.optim.NAdam,
        {"learningRate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7, "momentumDecay": 0.004},
    ),
}  # fmt: skip

TORCH_NAMES = {
    "learningRate": "lr", "epsilon": "eps", "rho": "alpha", "weightDecay": "weight_decay",
    "initialAccumulatorValue": "initial_accumulator_value", "momentumDecay": "momentum_decay",
}  # fmt: skip


def torch_optimizer(name, options, variables):
    make, defaults = TORCH[name]
    options = {"weightDecay": 0.0} | defaults | options
    arguments = {TORCH_NAMES.get(k, k): v for k, v in options.items() if k not in ("beta1", "beta2")}
    if "beta1" in options:
        arguments["betas"] = (options["beta1"], options["beta2"])
    return make(variables, **arguments, foreach=False), options


def torch_case(name, optimizer_name, changes=None, clip=None):
    variables = [torch.nn.Parameter(torch.tensor(v)) for v in INITIAL]
    optimizer, options = torch_optimizer(optimizer_name, changes or {}, variables)
    after = []
    for step in range(STEPS):
        for v, g in zip(variables, GRADIENTS):
            v.grad = torch.tensor(g[step])
        if clip == "clipGradNorm":
            torch.nn.utils.clip_grad_norm_(variables, 2.0)
        elif clip == "clipGradValue":
            torch.nn.utils.clip_grad_value_(variables, 0.5)
        optimizer.step()
        after.append([v.detach().numpy().copy() for v in variables])
    if clip:
        options |= {clip: 2.0 if clip == "clipGradNorm" else 0.5}
    return {
        "name": f"pytorch {name}", "optimizer": optimizer_name, "source": "pytorch", "options": options,
        "after": [pack(np.stack(steps)) for steps in zip(*after)],
    }  # fmt: skip


def torch_cases():
    for name in TORCH:
        yield torch_case(f"{name}", name)
        if name != "sgd":
            yield torch_case(f"{name} larger epsilon", name, {"learningRate": 0.05, "epsilon": 1e-3})
    yield torch_case("sgd momentum", "sgd", {"momentum": 0.9})
    yield torch_case("sgd momentum dampening", "sgd", {"momentum": 0.9, "dampening": 0.3})
    yield torch_case("sgd nesterov", "sgd", {"momentum": 0.9, "nesterov": True})
    yield torch_case("sgd weightDecay", "sgd", {"weightDecay": 0.1, "momentum": 0.9})
    yield torch_case("rmsprop momentum", "rmsprop", {"momentum": 0.9})
    yield torch_case("rmsprop centered", "rmsprop", {"centered": True})
    yield torch_case("rmsprop own defaults", "rmsprop", {"learningRate": 0.01, "rho": 0.99, "epsilon": 1e-8})
    own = {"learningRate": 0.01, "initialAccumulatorValue": 0.0, "epsilon": 1e-10}
    yield torch_case("adagrad own defaults", "adagrad", own)
    yield torch_case("adam own defaults", "adam", {"epsilon": 1e-8})
    yield torch_case("adam weightDecay", "adam", {"learningRate": 0.01, "weightDecay": 0.1})
    yield torch_case("adamw own defaults", "adamw", {"epsilon": 1e-8, "weightDecay": 0.01})
    yield torch_case("adamw larger decay", "adamw", {"learningRate": 0.01, "weightDecay": 0.1})
    yield torch_case("nadam own defaults", "nadam", {"learningRate": 0.002, "epsilon": 1e-8})
    yield torch_case("nadam momentumDecay 1", "nadam", {"momentumDecay": 1.0})  # the momentum schedule of Keras
    for name in ("sgd", "adam"):
        for clip in ("clipGradNorm", "clipGradValue"):
            yield torch_case(f"{name} {clip}", name, {"learningRate": 0.1}, clip)


# ---- learning-rate schedules --------------------------------------------------------------------

SCHEDULE_STEPS = range(31)


def keras_schedule(schedule, options):
    return getattr(keras.optimizers.schedules, schedule[0].upper() + schedule[1:])(**enc.snake_options(options))


def schedules():
    def of_keras(name, schedule, **options):
        rates = [enc.array(keras_schedule(schedule, options)(step)) for step in SCHEDULE_STEPS]
        source = {"name": f"keras {name}", "schedule": schedule, "source": "keras"}
        return source | {"options": options, "learningRates": pack(rates)}

    start = {"initialLearningRate": 0.1}
    for staircase in (False, True):
        stairs = ", staircase" if staircase else ""
        steps = {"decaySteps": 7, "staircase": staircase}
        yield of_keras(f"exponentialDecay{stairs}", "exponentialDecay", **start, decayRate=0.6, **steps)
        yield of_keras(f"inverseTimeDecay{stairs}", "inverseTimeDecay", **start, decayRate=0.5, **steps)
    yield of_keras("cosineDecay", "cosineDecay", **start, decaySteps=20, alpha=0.0)
    yield of_keras("cosineDecay, alpha", "cosineDecay", **start, decaySteps=20, alpha=0.1)
    warm = {"initialLearningRate": 0.01, "decaySteps": 18, "alpha": 0.05, "warmupTarget": 0.2, "warmupSteps": 6}
    yield of_keras("cosineDecay, warmup", "cosineDecay", **warm)
    restart = {"firstDecaySteps": 8, "alpha": 0.0}
    yield of_keras("cosineDecayRestarts", "cosineDecayRestarts", **start, **restart, tMul=2.0, mMul=1.0)
    restart = {"firstDecaySteps": 6, "alpha": 0.1}
    yield of_keras("cosineDecayRestarts, equal", "cosineDecayRestarts", **start, **restart, tMul=1.0, mMul=0.5)
    pieces = {"boundaries": [5, 12, 20], "values": [0.1, 0.05, 0.2, 0.01]}
    yield of_keras("piecewiseConstantDecay", "piecewiseConstantDecay", **pieces)
    to = {"decaySteps": 12, "endLearningRate": 0.01}
    yield of_keras("polynomialDecay", "polynomialDecay", **start, **to, power=1.0, cycle=False)
    yield of_keras("polynomialDecay, power 2, cycle", "polynomialDecay", **start, **to, power=2.0, cycle=True)

    def of_torch(name, schedule, make, **options):
        """Returns the case of a PyTorch schedule with the base rate 0.1. As PyTorch requires, optimizer.step() precedes step()."""
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
        snake = {k: enc.snake(k) for k in options}
        scheduler = make(optimizer, **{snake[k]: v for k, v in options.items()})
        rates = []
        for step in SCHEDULE_STEPS:
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if step + 1 < len(SCHEDULE_STEPS):
                scheduler.step()
        base = {} if schedule == "oneCycle" else {"initialLearningRate": 0.1}
        source = {"name": f"pytorch {name}", "schedule": schedule, "source": "pytorch"}
        return source | {"options": base | options, "learningRates": pack(rates)}

    one_cycle = torch.optim.lr_scheduler.OneCycleLR
    total = {"totalSteps": len(SCHEDULE_STEPS), "maxLr": 0.5, "divFactor": 25.0, "finalDivFactor": 1e4}
    cos = {"pctStart": 0.3, "annealStrategy": "cos", "threePhase": False, "cycleMomentum": False}
    yield of_torch("oneCycle", "oneCycle", one_cycle, **total, **cos)
    yield of_torch("oneCycle, linear", "oneCycle", one_cycle, **total, **cos | {"annealStrategy": "linear"})
    yield of_torch("oneCycle, three phases", "oneCycle", one_cycle, **total, **cos | {"threePhase": True})
    yield of_torch("step", "step", torch.optim.lr_scheduler.StepLR, stepSize=7, gamma=0.5)


def write():
    check_defaults()
    cases = [*keras_cases(), *torch_cases()]
    initial, gradients = [pack(v) for v in INITIAL], [pack(g) for g in GRADIENTS]
    more = {"initial": initial, "gradients": gradients, "schedules": list(schedules())}
    enc.write("optimizers.json", "training_optimizers.py", cases, **more)
