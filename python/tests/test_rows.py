import json

import pytest

import redline

ROW = {"question": "What is 1 + 1?", "answer": "It is 3.", "correction": "It is 2."}


def test_dictionaries_files_and_rows_are_the_same(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW) + "\n", encoding="utf-8")
    of_list, of_file = redline.Rows([ROW, ROW]), redline.Rows(path)
    assert of_list.to_dict() == of_file.to_dict() == redline.Rows(str(path)).to_dict() == [ROW, ROW]
    assert of_list[-1] == ROW and len(of_list[:1]) == 1 and len(of_list.distinct()) == 1
    with pytest.raises(IndexError):
        of_list[2]


def test_data_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([ROW, {**ROW, "note": 3}])
    assert redline.Rows(frame).to_dict() == [ROW, ROW]
    assert redline.Rows(frame).to_pandas().equals(frame[list(ROW)])


def test_polars_frames():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame([ROW])
    assert redline.Rows(frame).to_polars().equals(frame)


def test_preferences_are_rows_too():
    row = {"prompt": "Hello?", "chosen": "Hello!", "rejected": "Go away."}
    assert redline.Rows([row])[0] == {"question": "Hello?", "answer": "Go away.", "correction": "Hello!"}


def test_what_cannot_be_used_is_said(tmp_path):
    with pytest.raises(redline.RedlineError, match="row 1: field `correction` is missing") as caught:
        redline.Rows([ROW, {"question": "a", "answer": "b"}])
    assert caught.value.hint
    with pytest.raises(redline.RedlineError, match="row 0: field `answer` is empty"):
        redline.Rows([{**ROW, "answer": " "}])
    for wrong in ([], [3], 7, {"question": "a"}):
        with pytest.raises(TypeError):
            redline.Rows(wrong)
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n{}\n", encoding="utf-8")
    with pytest.warns(redline.RedlineWarning, match="left out"):
        assert len(redline.Rows(path)) == 1


def test_embedded_rows_carry_flaws():
    rows = redline.Rows.embedded()
    assert rows.has_flaws and rows[:8].has_flaws
    assert not redline.Rows(rows[:8].to_dict()).has_flaws
    assert len(rows.distinct()) < len(rows)
