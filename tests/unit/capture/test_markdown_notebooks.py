"""Chunks of R Markdown and Quarto documents as cells."""

import nbformat
import pytest

from jupyter_deploy.domain.errors import DeployError
from jupyter_deploy.notebooks.markdown import is_markdown, notebook_of

DOCUMENT = """---
title: "Cars"
params:
  rows: 5
  wide: true
  share: {label: Share, value: 0.5}
  names: [wt, "a \\"b\\""]
---

Words, `r inline` and a listing:

```r
stop("a listing does not run")
```

```{r setup, include=FALSE}
cars <- mtcars
```

````{.markdown}
```{r}
stop("in a listing")
```
````

- an item

  ```{r}
  fit <- lm(mpg ~ wt,
            cars)
  ```

```{r, eval = FALSE, fig.cap="a, eval=TRUE"}
stop("eval is FALSE")
```

```{r}
#| label: failing
#| error: true
stop("it may")
```

```{r}
#| eval: false
stop("eval is false")
```

```{mermaid}
graph LR
```

```{bash, eval=FALSE}
exit 1
```
"""


def cells_of(text, path="train.qmd"):
    return [cell["source"] for cell in notebook_of(text, path)["cells"]]


def test_the_chunks_that_run_are_cells_and_parameters_the_first():
    document = notebook_of(DOCUMENT, "train.Rmd")
    nbformat.validate(nbformat.from_dict(document))
    assert document["metadata"]["kernelspec"]["name"] == "ir"
    sources = [cell["source"] for cell in document["cells"]]
    assert sources == [
        'params <- list(`rows` = 5L, `wide` = TRUE, `share` = 0.5, `names` = c("wt", "a \\"b\\""))',
        "cars <- mtcars",
        "fit <- lm(mpg ~ wt,\n          cars)",
        '#| label: failing\n#| error: true\nstop("it may")',
    ]
    tags = [cell["metadata"].get("tags", []) for cell in document["cells"]]
    assert tags == [["parameters"], [], [], ["raises-exception"]]


def test_lines_may_end_as_on_windows_and_a_document_may_have_no_front_matter():
    assert cells_of("```{r}\r\nx <- 1\r\n\r\ny <- 2\r\n```\r\n") == ["x <- 1\n\ny <- 2"]


@pytest.mark.parametrize(
    ("front", "kernel"),
    [
        ("", "python3"),
        ("jupyter: mine", "mine"),
        ("jupyter:\n  kernelspec:\n    name: other\n    language: python", "other"),
    ],
)
def test_a_document_of_python_has_pythons_kernel_or_the_one_that_it_names(front, kernel):
    document = notebook_of(f"---\n{front}\n---\n```{{python}}\nx = 1\n```\n", "train.qmd")
    assert document["metadata"]["kernelspec"]["name"] == kernel
    assert [cell["source"] for cell in document["cells"]] == ["x = 1"]


def test_a_documents_own_default_of_eval_holds_until_a_chunk_says_else():
    text = "---\nexecute:\n  eval: false\n---\n```{r}\nx <- 1\n```\n```{r}\n#| eval: true\ny <- 2\n```\n"
    assert cells_of(text) == ["#| eval: true\ny <- 2"]
    text = "```{r}\nknitr::opts_chunk$set(echo = FALSE, eval = FALSE)\n```\n```{r}\nx\n```\n```{r, eval=T}\ny\n```\n"
    assert cells_of(text)[1:] == ["y"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Words alone.", "train.qmd has no chunk that runs"),
        ("```{r}\nx <- 1\n", "line 1 of train.qmd has no end"),
        ("---\na: [\n---\n```{r}\n1\n```\n", "the front matter of train.qmd is not YAML"),
        ("```{r}\n1\n```\n\n```{python}\n1\n```\n", "chunks of python and r"),
        ("```{r}\n1\n```\n```{Rcpp}\nint f();\n```\n", "line 4 of train.qmd is of rcpp"),
        ("```{r, eval=slow}\n1\n```\n", "'eval' of the chunk in line 1 of train.qmd is decided at run time: slow"),
        ("```{r}\n#| eval: !expr slow\n1\n```\n", "decided at run time: !expr slow"),
        (
            '---\nx: 1\n---\n```{r, child="other.Rmd"}\n```\n',
            "line 4 of train.qmd takes its code from elsewhere (child)",
        ),
        ("---\nparams:\n  day: !r Sys.Date()\n---\n```{r}\n1\n```\n", "the parameter day of train.qmd"),
    ],
)
def test_what_cannot_be_read_as_a_notebook_is_refused_with_its_place(text, words):
    with pytest.raises(DeployError) as refused:
        notebook_of(text, "train.qmd")
    assert words in refused.value.message


def test_names_of_documents():
    assert [is_markdown(name) for name in ("a.Rmd", "b/c.qmd", "a.rmd", "a.md", "a.ipynb")] == [True] * 3 + [False] * 2
