"""Prints a graph of each feature map, form of attention and model that bochner-gen knows, `// -----` between them.

usage: all-graphs.py BOCHNER-GEN

Graphs have static heads and f64, or dynamic heads and f32, by turns.
"""
import subprocess
import sys

MAPS = {
    "gmm_prf": [["--features", "12"], ["--covariance", "full"], ["--stabilize"], ["--smoothing", "0.5"]],
    "gmm_rks": [["--features", "13"], ["--covariance", "scalar"], ["--smoothing", "none"]],
    "fastfood_prf": [[], ["--learnable", "none"]],
    "fastfood_rks": [[], ["--learnable", "S"]],
    "generator_prf": [["--features", "7", "--noise-dims", "4,8"], ["--eval"], ["--features", "1", "--noise-dims", "4"]],
    "generator_rks": [["--features", "17", "--noise-dims", "8,16"], ["--eval"]],
    "favor": [["--features", "24"], ["--norm-factor", "1"], ["--stabilize"]],
    "gaussian_prf": [["--features", "2"], ["--stabilize"]],
    "gmm_prf_hyperbolic": [["--features", "24"], ["--covariance", "diagonal"], ["--stabilize"]],
    "rff": [["--features", "3"], ["--smoothing", "none"]],
    "gauss_rks": [["--features", "5"], ["--covariance", "diagonal"], ["--covariance", "scalar"]],
    "elu": [[], ["--smoothing", "2"]],
    "relu": [["--features", "1"]],
}


def requests():
    for name, variants in MAPS.items():
        for variant in variants:
            yield ["--map", name, *variant, "--lengths"]
            yield ["--map", name, *variant, "--attention", "features"]
        yield ["--map", name, "--causal"]
        yield ["--map", name, "--grad"]
    for variant in (["--components", "3", "--features", "5"], ["--covariance", "full"], ["--components", "1"]):
        yield ["--map", "alacarte", *variant, "--attention", "mixture", "--lengths"]
        yield ["--map", "alacarte", *variant, "--attention", "mixture", "--causal"]
        yield ["--map", "alacarte", *variant, "--attention", "features"]
    for attention in ("softmax", "gaussian_kernel"):
        yield ["--attention", attention, "--lengths"]
        yield ["--attention", attention, "--causal"]
    several = [argument for name in MAPS for argument in ("--map", name)]
    yield [*several, "--attention", "generalized", "--stabilize", "--lengths"]
    yield [*several, "--attention", "generalized", "--eval", "--causal"]
    yield ["--map", "elu", "--attention", "generalized"]
    yield [*several, "--attention", "generalized", "--grad"]
    yield ["--map", "alacarte", "--attention", "mixture", "--grad"]
    yield ["--map", "alacarte", "--attention", "features", "--grad"]
    yield ["--attention", "softmax", "--grad"]
    yield ["--attention", "gaussian_kernel", "--lengths", "--grad"]


def models():
    classifier = ["--model", "classifier", "--heads", "2", "--layers", "2", "--head-dim", "4"]
    yield [*classifier, "--map", "favor", "--features", "8", "--sample", "--orthogonal", "--causal"]
    yield [*classifier, "--attention", "softmax", "--labels", "--dropout", "0.2", "--lengths"]
    yield [*classifier, "--map", "generator_prf", "--features", "6", "--noise-dims", "3,5", "--grad", "--dtype", "f16"]
    yield [*classifier, "--map", "fastfood_rks", "--train-step", "--dropout", "0.1", "--clip-norm", "1"]
    yield ["--model", "encoder-layer", "--heads", "2", "--head-dim", "4", "--map", "relu", "--dropout", "0.5", "--grad"]


def print_graph(command):
    run = subprocess.run([sys.argv[1], *command], capture_output=True, text=True, check=True)
    return f"// {' '.join(command)}\n{run.stdout}"


def main():
    graphs = []
    sizes = [["--head-dim", "16", "--heads", "3", "--dtype", "f64"], ["--head-dim", "1"]]
    for number, request in enumerate(requests()):
        command = [*request, *sizes[number % 2]]
        if number % 2 and "features" not in request:
            command += ["--value-dim", "7"]
        graphs.append(print_graph(command))
    graphs += [print_graph(command) for command in models()]
    print("// -----\n".join(graphs))


if __name__ == "__main__":
    main()
