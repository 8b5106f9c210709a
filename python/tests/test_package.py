import ast
import inspect
from importlib.resources import files

import redline
from redline import _redline


def test_stubs_name_what_there_is():
    tree = ast.parse(files("redline").joinpath("_redline.pyi").read_text(encoding="utf-8"))
    named = {node.name: node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    there = {name for name in dir(_redline) if not name.startswith("_")}
    assert set(named) == there
    for name, node in named.items():
        if isinstance(node, ast.ClassDef):
            stubbed = {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef)}
            members = {member for member in vars(getattr(_redline, name)) if not member.startswith("_")}
            assert {member for member in stubbed if not member.startswith("_")} == members, name
        for function in [node] if isinstance(node, ast.FunctionDef) else node.body:
            if not isinstance(function, ast.FunctionDef) or function.name.startswith("__") or is_overload(function):
                continue
            owner = _redline if function is node else getattr(_redline, name)
            real = getattr(owner, function.name)
            if callable(real):
                parameters = [name for name in inspect.signature(real).parameters if name != "self"]
                arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
                stubbed = [argument.arg for argument in arguments if argument.arg != "self"]
                assert stubbed == parameters, f"{name}.{function.name}"


def is_overload(function):
    return any(isinstance(decorator, ast.Name) and decorator.id == "overload" for decorator in function.decorator_list)


def test_everything_public_is_documented():
    for name in redline.__all__:
        value = getattr(redline, name)
        if callable(value):
            assert value.__doc__, name
            for member, inner in vars(value).items() if isinstance(value, type) else []:
                assert member.startswith("_") or inner.__doc__, f"{name}.{member}"


def test_typed():
    assert files("redline").joinpath("py.typed").is_file()


def test_corrections_show_what_changed(aligner, rows):
    from redline._html import difference

    html = difference("It is <three>.", "It is two.")
    assert "<del" in html and "&lt;" in html and "<three>" not in html and ">two</ins>" in html
    assert difference("same", "same") == '<div style="white-space:pre-wrap">same</div>'
