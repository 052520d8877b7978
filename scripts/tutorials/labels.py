"""The tutorials, each with the model and the example that its reader would deploy, labelled before the first run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NOTEBOOKS = Path(__file__).parent / "notebooks"
OWN = Path(__file__).parents[2] / "tests" / "e2e" / "tutorials"


@dataclass(frozen=True)
class Package:
    """A package whose source distribution has the tutorials."""

    name: str
    version: str
    licence: str


PACKAGES = {
    "sklearn": Package("scikit-learn", "1.9.1", "BSD-3-Clause"),
    "skl2onnx": Package("skl2onnx", "1.20.0", "Apache-2.0"),
    "statsmodels": Package("statsmodels", "0.15.0", "BSD-3-Clause"),
}


@dataclass(frozen=True)
class Tutorial:
    """A notebook with its label.

    Attributes
    ----------
    source
        The file in the package's source distribution; of our own notebooks, in this repository.
    models, examples
        The right variables; several if the notebook itself does not decide between them.
    held_out
        The ranking was not tuned on it.
    reason
        The reason for a wrong guess, written after the run.
    """

    name: str
    source: str
    models: tuple[str, ...]
    examples: tuple[str, ...]
    held_out: bool = False
    reason: str = ""

    @property
    def package(self) -> Package | None:
        """The package that it is from; None: it is our own."""
        return PACKAGES.get(self.name.partition("-")[0])

    @property
    def path(self) -> Path:
        """The notebook's file."""
        return NOTEBOOKS / f"{self.name}.ipynb" if self.package else OWN / Path(self.source).name


TUTORIALS = (
    Tutorial("ours-torch-digits", "tests/e2e/tutorials/torch-digits.ipynb", ("model",), ("X",)),
    Tutorial("ours-xgboost-train", "tests/e2e/tutorials/xgboost-train.ipynb", ("bst",), ("X_test",)),
    Tutorial("skl2onnx-catboost", "docs/tutorial/plot_gexternal_catboost.py", ("pipe",), ("X",)),
    Tutorial(
        "skl2onnx-custom-parser",
        "docs/examples/plot_custom_parser_alternative.py",
        ("model",),
        ("X32", "X_test"),
        held_out=True,
    ),
    Tutorial("skl2onnx-dataframe", "docs/tutorial/plot_gbegin_dataframe.py", ("pipe",), ("train_data",)),
    Tutorial("skl2onnx-gpr", "docs/examples/plot_gpr.py", ("gpr",), ("X_test",)),
    Tutorial("skl2onnx-hasher", "docs/tutorial/plot_weird_pandas_and_hash.py", ("pipe",), ("X_train",), held_out=True),
    Tutorial("skl2onnx-iris", "docs/examples/plot_convert_model.py", ("clr",), ("X_test",)),
    Tutorial("skl2onnx-lightgbm", "docs/tutorial/plot_gexternal_lightgbm.py", ("pipe",), ("X",)),
    Tutorial("skl2onnx-lightgbm-regressor", "docs/tutorial/plot_gexternal_lightgbm_reg.py", ("reg",), ("X", "X32")),
    Tutorial(
        "skl2onnx-measure-time", "docs/tutorial/plot_bbegin_measure_time.py", ("ereg",), ("X_test",), held_out=True
    ),
    Tutorial("skl2onnx-voting", "docs/tutorial/plot_abegin_convert_pipeline.py", ("ereg",), ("X_test",)),
    Tutorial("skl2onnx-xgboost", "docs/tutorial/plot_gexternal_xgboost.py", ("bst",), ("X_test",)),
    Tutorial(
        "sklearn-adaboost",
        "examples/ensemble/plot_adaboost_multiclass.py",
        ("adaboost_clf",),
        ("X_test",),
    ),
    Tutorial(
        "sklearn-bayesian-ridge",
        "examples/linear_model/plot_bayesian_ridge_curvefit.py",
        ("reg",),
        ("X_test",),
    ),
    Tutorial(
        "sklearn-calibration-multiclass",
        "examples/calibration/plot_calibration_multiclass.py",
        ("cal_clf",),
        ("X_test",),
    ),
    Tutorial(
        "sklearn-confusion-matrix",
        "examples/model_selection/plot_confusion_matrix.py",
        ("classifier",),
        ("X_test",),
        held_out=True,
    ),
    Tutorial("sklearn-digits", "examples/classification/plot_digits_classification.py", ("clf",), ("X_test",)),
    Tutorial("sklearn-digits-pipe", "examples/compose/plot_digits_pipe.py", ("search",), ("X_digits",)),
    Tutorial(
        "sklearn-feature-selection",
        "examples/feature_selection/plot_feature_selection.py",
        ("clf_selected",),
        ("X_test",),
    ),
    Tutorial("sklearn-feature-union", "examples/compose/plot_feature_union.py", ("grid_search",), ("X",)),
    Tutorial(
        "sklearn-forest-multioutput",
        "examples/ensemble/plot_random_forest_regression_multioutput.py",
        ("regr_rf", "regr_multirf"),
        ("X_test",),
    ),
    Tutorial("sklearn-frozen", "examples/frozen/plot_frozen_examples.py", ("calibrated_classifier",), ("X_test",)),
    Tutorial("sklearn-gmm", "examples/mixture/plot_gmm.py", ("dpgmm",), ("X",)),
    Tutorial(
        "sklearn-gpc-isoprobability", "examples/gaussian_process/plot_gpc_isoprobability.py", ("gp",), ("xx", "X")
    ),
    Tutorial("sklearn-gpr-noisy", "examples/gaussian_process/plot_gpr_noisy_targets.py", ("gaussian_process",), ("X",)),
    Tutorial(
        "sklearn-gpr-structured", "examples/gaussian_process/plot_gpr_on_structured_data.py", ("gp",), ("X_test",)
    ),
    Tutorial(
        "sklearn-gradient-boosting", "examples/ensemble/plot_gradient_boosting_regression.py", ("reg",), ("X_test",)
    ),
    Tutorial(
        "sklearn-gradient-boosting-oob",
        "examples/ensemble/plot_gradient_boosting_oob.py",
        ("clf",),
        ("X_test",),
        held_out=True,
    ),
    Tutorial(
        "sklearn-grid-search",
        "examples/model_selection/plot_grid_search_digits.py",
        ("grid_search",),
        ("X_test",),
    ),
    Tutorial(
        "sklearn-isolation-forest",
        "examples/ensemble/plot_isolation_forest.py",
        ("clf",),
        ("X_test",),
    ),
    Tutorial(
        "sklearn-isotonic",
        "examples/miscellaneous/plot_isotonic_regression.py",
        ("ir",),
        ("x_test", "x"),
    ),
    Tutorial("sklearn-knn-regression", "examples/neighbors/plot_regression.py", ("knn",), ("X_test",)),
    Tutorial(
        "sklearn-lof-novelty", "examples/neighbors/plot_lof_novelty_detection.py", ("clf",), ("X_test",), held_out=True
    ),
    Tutorial(
        "sklearn-monotonic",
        "examples/ensemble/plot_monotonic_constraints.py",
        ("gbdt_with_monotonic_cst_df",),
        ("X_df",),
    ),
    Tutorial(
        "sklearn-multicollinear",
        "examples/inspection/plot_permutation_importance_multicollinear.py",
        ("clf_sel",),
        ("X_test_sel",),
        held_out=True,
    ),
    Tutorial("sklearn-nearest-centroid", "examples/neighbors/plot_nearest_centroid.py", ("clf",), ("X",)),
    Tutorial(
        "sklearn-ols-ridge",
        "examples/linear_model/plot_ols_ridge.py",
        ("regressor",),
        ("X",),
        held_out=True,
        reason="Its last cell compares two models on two made points, in a loop whose variable is the guess.",
    ),
    Tutorial("sklearn-oneclass", "examples/svm/plot_oneclass.py", ("clf",), ("X_test",), held_out=True),
    Tutorial("sklearn-ransac", "examples/linear_model/plot_ransac.py", ("ransac",), ("X", "line_X")),
    Tutorial(
        "sklearn-rbm-logistic",
        "examples/neural_networks/plot_rbm_logistic_classification.py",
        ("rbm_features_classifier",),
        ("X_test",),
    ),
    Tutorial("sklearn-roc", "examples/model_selection/plot_roc.py", ("classifier",), ("X_test",)),
    Tutorial("sklearn-scaling", "examples/preprocessing/plot_scaling_importance.py", ("scaled_clf",), ("X_test",)),
    Tutorial(
        "sklearn-selection-pipeline",
        "examples/feature_selection/plot_feature_selection_pipeline.py",
        ("anova_svm",),
        ("X_test",),
    ),
    Tutorial(
        "sklearn-stacking",
        "examples/ensemble/plot_stack_predictors.py",
        ("super_learner_like", "stacking_regressor"),
        ("X", "x_plot"),
    ),
    Tutorial(
        "sklearn-target-encoder",
        "examples/preprocessing/plot_target_encoder_cross_val.py",
        ("model_with_cf",),
        ("X_test",),
    ),
    Tutorial(
        "sklearn-train-error",
        "examples/model_selection/plot_train_error_vs_test_error.py",
        ("enet",),
        ("X_test",),
        held_out=True,
    ),
    Tutorial(
        "sklearn-voting-decision",
        "examples/ensemble/plot_voting_decision_regions.py",
        ("eclf", "eclf_other_threshold"),
        ("X", "test_sample", "xor"),
        held_out=True,
    ),
    Tutorial(
        "sklearn-voting-regressor", "examples/ensemble/plot_voting_regressor.py", ("ereg",), ("X", "xt"), held_out=True
    ),
    Tutorial("statsmodels-count-hurdle", "examples/notebooks/count_hurdle.ipynb", ("res_h",), ("ex", "x")),
    Tutorial(
        "statsmodels-discrete-choice",
        "examples/notebooks/discrete_choice_overview.ipynb",
        ("res_nbin", "poisson_res"),
        ("rand_exog",),
        reason="At its end the notebook fits the third of its six models again, with another solver.",
    ),
    Tutorial(
        "statsmodels-discrete-choice-example",
        "examples/notebooks/discrete_choice_example.ipynb",
        ("affair_mod", "glm_mod"),
        ("dta", "exog", "respondent1000"),
        held_out=True,
    ),
    Tutorial("statsmodels-glm", "examples/notebooks/glm.ipynb", ("gauss_log_results",), ("X",)),
    Tutorial(
        "statsmodels-glm-formula",
        "examples/notebooks/glm_formula.ipynb",
        ("mod1", "mod2"),
        ("dta", "star98"),
    ),
    Tutorial(
        "statsmodels-multivariate",
        "examples/notebooks/multivariate_ls.ipynb",
        ("res",),
        ("data_exog", "data_mvreg", "ex"),
        held_out=True,
    ),
    Tutorial(
        "statsmodels-poisson",
        "examples/notebooks/postestimation_poisson.ipynb",
        ("res",),
        ("ex1", "ex2", "exog"),
    ),
    Tutorial(
        "statsmodels-predict",
        "examples/notebooks/predict.ipynb",
        ("olsres",),
        ("Xnew",),
        reason="At its end the notebook fits the same model again, as a formula over a dict of columns.",
    ),
    Tutorial(
        "statsmodels-quasibinomial", "examples/notebooks/quasibinomial.ipynb", ("result2",), ("df",), held_out=True
    ),
    Tutorial("statsmodels-robust", "examples/notebooks/robust_models_0.ipynb", ("resrlm2",), ("X2",)),
    Tutorial("statsmodels-wls", "examples/notebooks/wls.ipynb", ("res_wls", "res_fwls"), ("X",)),
)
