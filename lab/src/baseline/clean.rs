//! What of a reply is the answer.
//!
//! Models put their answer between fences or quotation marks, and say first that it follows. Such wrapping is taken off, and the text within
//! is never touched. An answer can itself be code, a quotation, or begin with such a line; so wrapping stays
//! - where the answer before has the like, or has the wrapped text as it is;
//! - where a fence names a language, or closes before the end;
//! - where the quotation ends before the end.

use std::sync::LazyLock;

use regex::Regex;

use crate::form::{Plan, Reasoning};

/// A line that says that the answer follows: what it calls the answer, and a colon or the marks of a title.
static LEAD_IN: LazyLock<Regex> = LazyLock::new(|| {
    let opening = r"(?:(?:sure|certainly|of course|okay|ok|absolutely|great|yes)(?: thing)?[,.!:]*\s+)?";
    let pointing = r"(?:(?:here(?:['’]s| is)|this is|below is|the following is|i have written|i['’]ve written)\s+)?";
    let weak = r"(?:(?:the|an?|my|your)\s+)?(?:(?:new|full|complete|final),?\s+)?";
    let strong = "(?:corrected|revised|rewritten|improved|edited|updated|better|final)";
    let which = format!(r"{weak}(?:{strong}(?:,|\s+and)?\s+)+");
    let what =
        r"(?:answer|response|reply|version|rewrite)(?:\s+(?:of|to)\s+(?:the|your)\s+(?:answer|question|response))?";
    let text = format!("{opening}{pointing}{which}{what}");
    pattern(&format!(r"^(?i:(?:[#>*_\s]*{text}[*_\s]*:[*_\s]*)|(?:#+\s+{text}[*_\s]*)|(?:\*\*{text}\.?\*\*))$"))
});

/// Shortest fence.
const FENCE: usize = 3;
/// What a fence says that is no code.
const PROSE: [&str; 8] = ["", "text", "txt", "plaintext", "plain", "markdown", "md", "answer"];
/// Quotation marks, opening and closing.
const QUOTES: [(char, char); 5] = [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('「', '」')];

/// A pattern of this module's own.
pub(crate) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns of baselines are well formed")
}

/// A reply without reasoning and without white space around it: a model's own answer, or what it says of one.
pub(crate) fn said(reply: &str) -> String {
    Plan::unchanged(reply, Reasoning::Drop).answer.trim().to_owned()
}

/// The answer in a reply: what is [`said`], without a line that only says that the answer follows, fences and quotation marks around it.
pub(crate) fn cleaned(reply: &str, before: &str) -> String {
    let said = said(reply);
    let before = before.trim();
    let mut text = said.as_str();
    for unwrap in [without_lead_in, without_fence, without_lead_in, without_quotes] {
        let is_own = !text.is_empty() && before.contains(text);
        text = if is_own { text } else { unwrap(text, before).unwrap_or(text) };
    }
    text.to_owned()
}

/// Without a first line that says that the answer follows.
fn without_lead_in<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let is_own = before.lines().next().is_some_and(is_lead_in);
    (is_lead_in(line) && !is_own).then(|| without_blank_lines(rest))
}

fn is_lead_in(line: &str) -> bool {
    LEAD_IN.is_match(line.trim())
}

/// Without one fence around all of it.
fn without_fence<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let (first, rest) = text.split_once('\n')?;
    let (inner, last) = rest.rsplit_once('\n').unwrap_or(("", rest));
    let open = Fence::of(first)?;
    let close = Fence::of(last)?;
    if !close.closes(&open) || !PROSE.contains(&open.info.to_lowercase().as_str()) {
        return None;
    }
    let mut fences = inner.lines().filter_map(Fence::of).peekable();
    let has_code = fences.peek().is_some();
    if fences.any(|fence| fence.closes(&open)) {
        return None;
    }
    // where the answer before had code in such a fence, code may be all that is left of it, unless there is code within
    let is_own = before.lines().filter_map(Fence::of).any(|fence| fence.n_marks >= open.n_marks);
    (has_code || !is_own).then(|| without_blank_lines(inner))
}

/// A line that opens or closes code.
struct Fence<'t> {
    mark: char,
    n_marks: usize,
    info: &'t str,
}

impl<'t> Fence<'t> {
    fn of(line: &'t str) -> Option<Self> {
        let line = line.trim();
        let mark = line.chars().next().filter(|mark| ['`', '~'].contains(mark))?;
        let info = line.trim_start_matches(mark);
        // the marks have one byte
        let n_marks = line.len() - info.len();
        (n_marks >= FENCE).then(|| Self { mark, n_marks, info: info.trim() })
    }

    fn closes(&self, open: &Self) -> bool {
        self.info.is_empty() && self.mark == open.mark && self.n_marks >= open.n_marks
    }
}

/// Without one pair of quotation marks around all of it.
fn without_quotes<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    if QUOTES.iter().any(|(open, _)| before.starts_with(*open)) {
        return None;
    }
    let within =
        |&(open, close): &(char, char)| text.strip_prefix(open)?.strip_suffix(close).map(|inner| (open, close, inner));
    let (open, close, inner) = QUOTES.iter().find_map(within)?;
    (!inner.contains([open, close])).then(|| inner.trim())
}

/// Without blank lines around it and white space behind it; the first line keeps its indent.
fn without_blank_lines(text: &str) -> &str {
    let start = text.len() - text.trim_start().len();
    let line = text[..start].rfind('\n').map_or(0, |end| end + 1);
    text[line..].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cleaned, after an answer of plain prose.
    fn clean(reply: &str) -> String {
        cleaned(reply, "The old answer.")
    }

    #[test]
    fn wrapping_is_taken_off() {
        for reply in [
            "Paris.",
            " \n Paris. \n",
            "<think>Is it Lyon?\n</think>\n\nParis.",
            "```\nParis.\n```",
            "~~~~markdown\n\nParis.\n\n~~~~",
            "\"Paris.\"",
            "“ Paris. ”",
            "«Paris.»",
            "Here is the corrected answer:\nParis.",
            "Sure! Here's my revised, improved answer:\n\nParis.",
            "**Corrected answer:**\n\nParis.",
            "## Corrected Answer\n\nParis.",
            "**Final answer**\nParis.",
            "Okay, here is the full, corrected answer:\nParis.",
            "> *My final revised response:*\nParis.",
            "Here is the corrected version of your answer:\n```text\nParis.\n```",
            "```\nHere is the corrected answer:\n\nParis.\n```",
            "<think>x</think>Corrected answer:\n\"Paris.\"",
        ] {
            assert_eq!(clean(reply), "Paris.", "{reply}");
        }
    }

    #[test]
    fn nothing_is_left_of_wrapping_around_nothing() {
        for reply in [
            "",
            " \n\t",
            "<think>never ended",
            "```\n```",
            "```\n\n```",
            "\"\"",
            "Here is the corrected answer:",
            "**Corrected answer:**\n",
        ] {
            assert_eq!(clean(reply), "", "{reply}");
        }
    }

    #[test]
    fn code_keeps_its_fences_and_its_indent() {
        let kept = [
            "```python\nprint(1)\n```",
            "Use this:\n```\nprint(1)\n```",
            "```\na\n```\nor\n```\nb\n```",
            "```\nprint(1)\n``` and that is all",
            "```inline``` is a fence",
            "```inline``` is code\nas is\n```",
            "`x`",
            "```",
            "```\nnot closed",
        ];
        assert_eq!(kept.map(clean), kept);
        assert_eq!(clean("```\n\n    indented\nnot\n```"), "    indented\nnot");
        // code was in the answer before, with or without a language
        for before in ["```\nprint(0)\n```", "So:\n```python\nprint(0)\n```"] {
            assert_eq!(cleaned("```\nprint(1)\n```", before), "```\nprint(1)\n```");
            let wrapped = "````\nSo:\n```\nprint(1)\n```\n````";
            assert_eq!(cleaned(wrapped, before), "So:\n```\nprint(1)\n```");
            assert_eq!(cleaned("````\nPrint it.\n````", before), "Print it.");
        }
        assert_eq!(cleaned("Corrected answer:\n```\nprint(1)\n```", "```\nprint(0)\n```"), "```\nprint(1)\n```");
    }

    #[test]
    fn quotations_keep_their_marks() {
        let kept =
            ["\"I came,\" he said, \"I saw.\"", "“A” and “B”", "\"", "He said \"no\"", "\"no\" he said", "'tis so'"];
        assert_eq!(kept.map(clean), kept);
        for before in ["\"Less is less.\"", "“Less” is more", "The motto is \"Less is more.\", I think."] {
            assert_eq!(cleaned("\"Less is more.\"", before), "\"Less is more.\"", "{before}");
        }
        assert_eq!(clean("\"He said 'no'.\""), "He said 'no'.");
    }

    #[test]
    fn lines_that_say_something_stay() {
        let kept = [
            "Here is the corrected code:\nx = 1",
            "Corrected answer: Paris.",
            "The answer:\nParis.",
            "Here is the corrected answer to the riddle of the Sphinx:\nA human.",
            "Final answers:\n1",
            "New version:\n2.0",
            "A new answer\nto an old question",
        ];
        assert_eq!(kept.map(clean), kept);
        let own = "Here is the final answer:\nParis.";
        assert_eq!(cleaned(own, "Here is the corrected answer:\nLyon."), own);
        assert_eq!(cleaned(own, &format!("Well.\n{own}")), own, "the answer before has it");
    }

    #[test]
    fn what_is_said_keeps_its_wrapping() {
        assert_eq!(said("<think>a</think>\n\"b\" \n"), "\"b\"");
    }
}
