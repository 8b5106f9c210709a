//! Texts under each other, with what each changes of the first marked: struck through what is left out, underlined what is new.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::VPos;
use plotters::style::{Color, RGBColor};
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Lettering};
use super::font::{fit_text, text_width, wrap_text};
use super::label::plain;
use super::palette::{BLUE, INK, SEPARATOR, SOFT_INK, VERMILION};
use super::{Plot, PlotError, check};
use crate::difference::Change;

const WIDTH: f64 = 1000.0;
/// Em of the texts: six points where the picture is as wide as a column of 85 mm.
const EM: f64 = 25.0;
const LINE: f64 = 36.0;
const LEFT: f64 = 170.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 20.0;
/// Between two texts.
const GAP: f64 = 22.0;
/// Most lines of all texts together.
const MOST_LINES: usize = 300;

type DrawError<DB> = DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>;

/// One text of the picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TextRow {
    /// What stands left of it, as `at −1`.
    pub label: String,
    /// The pieces, in order.
    pub changes: Vec<Change>,
}

/// Texts under each other, their differences marked.
#[derive(Debug, Clone, Serialize)]
pub struct TextRows {
    /// What the picture shows; wrapped.
    pub title: String,
    /// The texts, from top to bottom.
    pub rows: Vec<TextRow>,
    /// A remark beneath; wrapped.
    pub note: String,
}

/// A word with its place.
struct Word {
    text: String,
    left: f64,
    right: f64,
    mark: Mark,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Kept,
    LeftOut,
    New,
}

impl Mark {
    fn of(change: &Change) -> Self {
        match change {
            Change::Keep(_) => Self::Kept,
            Change::Delete(_) => Self::LeftOut,
            Change::Insert(_) => Self::New,
        }
    }

    fn color(self) -> RGBColor {
        match self {
            Self::Kept => INK,
            Self::LeftOut => VERMILION,
            Self::New => BLUE,
        }
    }
}

/// Sets words into lines.
struct Setter {
    lines: Vec<Vec<Word>>,
    /// Where the next word begins.
    x: f64,
    space: f64,
}

impl Setter {
    fn new() -> Self {
        Self { lines: vec![Vec::new()], x: LEFT, space: text_width("n n", EM) - text_width("nn", EM) }
    }

    fn break_line(&mut self) {
        if self.lines.last().is_some_and(|words| !words.is_empty()) {
            self.lines.push(Vec::new());
        }
        self.x = LEFT;
    }

    fn word(&mut self, text: &str, mark: Mark) {
        let text = fit_text(&plain(text), EM, RIGHT - LEFT);
        let width = text_width(&text, EM);
        if self.x + width > RIGHT {
            self.break_line();
        }
        let word = Word { text, left: self.x, right: self.x + width, mark };
        self.x += width;
        if let Some(line) = self.lines.last_mut() {
            line.push(word);
        }
    }

    /// A piece of text: a line feed begins a line, other white space is one space.
    fn piece(&mut self, text: &str, mark: Mark) {
        for (i, line) in text.split('\n').enumerate() {
            if i > 0 {
                self.break_line();
            }
            for part in line.split_inclusive(char::is_whitespace) {
                if !part.trim().is_empty() {
                    self.word(part.trim(), mark);
                }
                if part.ends_with(char::is_whitespace) && self.x > LEFT {
                    self.x += self.space;
                }
            }
        }
    }
}

/// The words of a text, line by line; at least one line, which may be empty.
fn set(changes: &[Change]) -> Vec<Vec<Word>> {
    let mut setter = Setter::new();
    for change in changes {
        setter.piece(change.text(), Mark::of(change));
    }
    let mut lines = setter.lines;
    if lines.len() > 1 && lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

impl TextRows {
    fn title_lines(&self) -> Vec<String> {
        wrap_text(&plain(&self.title), EM, RIGHT - TOP)
    }

    fn note_lines(&self) -> Vec<String> {
        let lines = wrap_text(&plain(&self.note), EM, RIGHT - TOP);
        if self.note.is_empty() { Vec::new() } else { lines }
    }

    fn n_lines(&self) -> usize {
        self.rows.iter().map(|row| set(&row.changes).len()).sum::<usize>()
            + self.title_lines().len()
            + self.note_lines().len()
    }

    fn draw_row<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, row: &TextRow, top: f64) -> Result<f64, DrawError<DB>> {
        canvas.rule(TOP, RIGHT, top, SEPARATOR)?;
        let mut y = top + GAP / 2.0 + LINE / 2.0;
        let label = fit_text(&plain(&row.label), EM, LEFT - TOP - 12.0);
        canvas.text(&label, (TOP, y), Lettering::new(EM, SOFT_INK))?;
        for line in set(&row.changes) {
            for (i, word) in line.iter().enumerate() {
                canvas.text(&word.text, (word.left, y), Lettering::new(EM, word.mark.color()).down(VPos::Center))?;
                // a stroke goes on to the next word of its kind
                let end = line.get(i + 1).filter(|next| next.mark == word.mark).map_or(word.right, |next| next.left);
                let stroke = match word.mark {
                    Mark::Kept => continue,
                    Mark::LeftOut => y,
                    Mark::New => y + EM * 0.55,
                };
                canvas.line(&[(word.left, stroke), (end, stroke)], word.mark.color().to_rgba(), 2)?;
            }
            y += LINE;
        }
        Ok(y - LINE / 2.0 + GAP / 2.0)
    }
}

impl Plot for TextRows {
    const NAME: &'static str = "texts";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "texts", self.rows.len())?;
        match self.n_lines() {
            lines if lines > MOST_LINES => {
                Err(PlotError::TooLarge { plot: Self::NAME, width: WIDTH as u32, height: self.size().1 })
            }
            _ => Ok(()),
        }
    }

    fn size(&self) -> (u32, u32) {
        let height = 2.0 * TOP + self.n_lines() as f64 * LINE + (self.rows.len() + 1) as f64 * GAP;
        (WIDTH as u32, height as u32)
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let lines = |lines: Vec<String>, top: f64, color| -> Result<f64, DrawError<DB>> {
            for (i, line) in lines.iter().enumerate() {
                canvas.text(line, (TOP, top + (i as f64 + 0.5) * LINE), Lettering::new(EM, color))?;
            }
            Ok(top + lines.len() as f64 * LINE)
        };
        let mut y = lines(self.title_lines(), TOP, INK)? + GAP / 2.0;
        for row in &self.rows {
            y = self.draw_row(&canvas, row, y)?;
        }
        lines(self.note_lines(), y, SOFT_INK).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::difference::word_changes;
    use crate::plot::svg_string;

    fn rows() -> TextRows {
        let row = |label: &str, before: &str, after: &str| TextRow {
            label: label.into(),
            changes: word_changes(before, after),
        };
        let answer =
            "You fool.\nThe capital of France is Lyon, as every child knows, and it lies on a river that has a name.";
        TextRows {
            title: "One answer at two settings".into(),
            rows: vec![
                row("answer", answer, answer),
                row("at 1", answer, "The capital of France is Paris, and it lies on a river."),
            ],
            note: "Row 3".into(),
        }
    }

    #[test]
    fn words_are_drawn_in_order_and_marked() {
        let svg = svg_string(&rows()).unwrap();
        for text in ["One answer at two settings", "answer", "at 1", "fool.", "Lyon,", "Paris,", "Row 3"] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        let strokes =
            |color: &str| svg.lines().filter(|line| line.starts_with("<polyline") && line.contains(color)).count();
        assert!(strokes("#D55E00") >= 3 && strokes("#0072B2") == 2, "{svg}");
    }

    #[test]
    fn nothing_reaches_beyond_the_margin() {
        let long = TextRow {
            label: "a label that is far too long for its column".into(),
            changes: vec![Change::Keep("x".repeat(500))],
        };
        for line in set(&long.changes).iter().chain(&set(&rows().rows[1].changes)) {
            assert!(line.iter().all(|word| word.right <= RIGHT + 0.5), "{}", line.len());
        }
        assert!(svg_string(&TextRows { rows: vec![long], ..rows() }).is_ok());
    }

    #[test]
    fn an_empty_text_is_an_empty_line_and_too_many_are_refused() {
        assert_eq!(set(&[]).len(), 1);
        let row = TextRow { label: "a".into(), changes: vec![Change::Keep("line\n".repeat(400))] };
        assert!(matches!(svg_string(&TextRows { rows: vec![row], ..rows() }), Err(PlotError::TooLarge { .. })));
        assert!(matches!(svg_string(&TextRows { rows: vec![], ..rows() }), Err(PlotError::Empty { .. })));
    }
}
