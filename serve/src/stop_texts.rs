//! Texts at which an answer ends, wherever they come from.

/// Looks for stop texts in a text that comes in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StopTexts {
    stops: Vec<String>,
    /// The end of what came, which may be the beginning of a stop text.
    held: String,
    is_done: bool,
}

impl StopTexts {
    pub(super) fn new(stops: Vec<String>) -> Self {
        Self { stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(), ..Self::default() }
    }

    /// Whether one was met: nothing comes after it.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// What of the text so far can be sent.
    pub(super) fn push(&mut self, text: &str) -> String {
        if self.is_done {
            return String::new();
        }
        let mut whole = std::mem::take(&mut self.held) + text;
        if let Some(end) = self.stops.iter().filter_map(|stop| whole.find(stop.as_str())).min() {
            self.is_done = true;
            whole.truncate(end);
            return whole;
        }
        let held = self.stops.iter().map(|stop| overlap(&whole, stop)).max().unwrap_or(0);
        self.held = whole.split_off(whole.len() - held);
        whole
    }

    /// What was held back, once nothing more comes.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Bytes at the end of `text` that `stop` begins with.
fn overlap(text: &str, stop: &str) -> usize {
    let ends = stop.char_indices().map(|(at, _)| at).rev();
    ends.into_iter().find(|&end| text.ends_with(&stop[..end])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut stops = StopTexts::new(stops.iter().map(ToString::to_string).collect());
        let mut text: String = pieces.iter().map(|piece| stops.push(piece)).collect();
        text += &stops.finish();
        (text, stops.is_done())
    }

    #[test]
    fn a_text_ends_before_the_first_stop_text() {
        assert_eq!(cut(&["END"], &["Yes. E", "N", "D no"]), ("Yes. ".into(), true));
        assert_eq!(cut(&["END", "es"], &["Yes. END"]), ("Y".into(), true));
        assert_eq!(cut(&["END"], &["EN", "EN"]), ("ENEN".into(), false));
        assert_eq!(cut(&["é!"], &["caf", "é", "!x"]), ("caf".into(), true));
        assert_eq!(cut(&[""], &["a", "b"]), ("ab".into(), false));
    }

    #[test]
    fn nothing_of_a_stop_text_is_sent_too_early() {
        let mut stops = StopTexts::new(vec!["\n\n".into()]);
        assert_eq!(stops.push("a\n"), "a");
        assert_eq!(stops.push("b"), "\nb");
    }
}
