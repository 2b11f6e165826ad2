"""Types of scikit-learn that a skops file may hold beside those that skops itself trusts."""

# Parts of scikit-learn's own estimators and of numpy that hold numbers: building one from a file runs no
# code of the file's. A damaged tree can still crash the process that asks it to predict.
KNOWN = frozenset({
    "functools.partial",  # its function and arguments are looked at one by one
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
})  # fmt: skip
