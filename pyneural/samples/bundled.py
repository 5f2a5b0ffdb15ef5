"""What the samples take from scikit-learn: its bundled data, and linear models to compare with."""

try:
    from sklearn.datasets import load_diabetes, load_digits, load_wine
    from sklearn.linear_model import LinearRegression, LogisticRegression
except ModuleNotFoundError as error:
    raise ImportError(
        "this sample's data comes with scikit-learn, which is not installed: pip install '.[sklearn]'"
    ) from error

__all__ = ["LinearRegression", "LogisticRegression", "load_diabetes", "load_digits", "load_wine"]
