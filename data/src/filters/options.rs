//! What rows must be like. Each filter can be switched off.

use serde::{Deserialize, Serialize};

use super::RowFilter;
use super::measures::{latin_share, stop_word_share};
use super::phrases::{BOILERPLATE, REFUSALS};

/// Bounds, both of which are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range<T> {
    /// The least.
    pub least: T,
    /// The most.
    pub most: T,
}

impl<T: PartialOrd> Range<T> {
    /// Whether a value lies between the bounds.
    pub fn has(&self, value: T) -> bool {
        value >= self.least && value <= self.most
    }
}

/// A limit on the most frequent run of words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TopNGram {
    /// Words in a run.
    pub n: usize,
    /// Most of the characters that may belong to the most frequent run.
    pub most: f64,
}

/// Fewest letters that tell a script: texts in some scripts have no white space between words.
const FEWEST_LETTERS: usize = 10;

/// A rough test of language by script and by frequent words. It tells English from texts in another script or with other small words;
/// it does not tell languages of the Latin script from each other beyond that, nor find a foreign sentence in an English text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LanguageOptions {
    /// Least share of the letters that are of the Latin script.
    pub least_latin: f64,
    /// Least share of the words that are stop words of English, such as "the" and "of"; 0 asks for the script alone.
    pub least_stop_words: f64,
}

impl Default for LanguageOptions {
    /// English prose has a quarter to a half of stop words, lists and code fewer.
    fn default() -> Self {
        Self { least_latin: 0.9, least_stop_words: 0.06 }
    }
}

impl LanguageOptions {
    /// Whether a text passes. One with too few letters to tell its script does; stop words are asked for where there are words enough.
    pub fn accepts(&self, text: &str, has_words: bool) -> bool {
        let has_letters = text.chars().filter(|c| c.is_alphabetic()).nth(FEWEST_LETTERS - 1).is_some();
        let is_latin = || latin_share(text).is_none_or(|share| share >= self.least_latin);
        let is_english = || stop_word_share(text).is_none_or(|share| share >= self.least_stop_words);
        (!has_letters || is_latin()) && (!has_words || is_english())
    }
}

/// What the targets of rows must be like. None, an empty list or `false` switches a filter off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowFilterOptions {
    /// Unicode scalar values.
    pub characters: Option<Range<usize>>,
    /// Words, as white space parts them.
    pub words: Option<Range<usize>>,
    /// Mean number of characters of a word.
    pub mean_word_length: Option<Range<f64>>,
    /// Largest share of characters that are neither letters, digits nor white space.
    pub most_symbols: Option<f64>,
    /// Least share of lines that are different ones.
    pub least_unique_lines: Option<f64>,
    /// Limits on the most frequent runs of words.
    pub top_n_grams: Vec<TopNGram>,
    /// Removes targets that are the question, but for case and white space.
    pub answer_is_question: bool,
    /// Beginnings that say nothing.
    pub boilerplate: Vec<String>,
    /// Beginnings of refusals. Off by default: among answers to harmful questions a refusal is often what is to be learnt.
    pub refusals: Vec<String>,
    /// Removes targets with a code block that is not closed.
    pub code_fence: bool,
    /// The language. Off by default.
    pub language: Option<LanguageOptions>,
    /// Targets of fewer words pass all filters by shares and means.
    pub fewest_words_for_shares: usize,
}

impl Default for RowFilterOptions {
    fn default() -> Self {
        let top = |n, most| TopNGram { n, most };
        Self {
            characters: Some(Range { least: 1, most: 16_384 }),
            words: Some(Range { least: 1, most: 4_096 }),
            mean_word_length: Some(Range { least: 3.0, most: 10.0 }),
            most_symbols: Some(0.25),
            least_unique_lines: Some(0.7),
            top_n_grams: vec![top(2, 0.2), top(3, 0.18), top(4, 0.16)],
            answer_is_question: true,
            boilerplate: BOILERPLATE.map(String::from).into(),
            refusals: Vec::new(),
            code_fence: true,
            language: None,
            fewest_words_for_shares: 50,
        }
    }
}

impl RowFilterOptions {
    /// The same with some filters on: refusals by their usual beginnings, the language, and others as they are by default.
    #[must_use]
    pub fn with(mut self, filters: &[RowFilter]) -> Self {
        let all = Self::default();
        for filter in filters {
            match filter {
                RowFilter::MeanWordLength => self.mean_word_length = all.mean_word_length,
                RowFilter::RepeatingTopNgrams => self.top_n_grams.clone_from(&all.top_n_grams),
                RowFilter::Boilerplate => self.boilerplate.clone_from(&all.boilerplate),
                RowFilter::Refusal => self.refusals = REFUSALS.map(String::from).into(),
                RowFilter::Language => self.language = Some(LanguageOptions::default()),
                _ => {}
            }
        }
        self
    }

    /// The same without some filters.
    #[must_use]
    pub fn without(mut self, filters: &[RowFilter]) -> Self {
        filters.iter().for_each(|filter| self.switch_off(*filter));
        self
    }

    /// All filters off.
    pub fn off() -> Self {
        Self {
            characters: None,
            words: None,
            mean_word_length: None,
            most_symbols: None,
            least_unique_lines: None,
            top_n_grams: Vec::new(),
            answer_is_question: false,
            boilerplate: Vec::new(),
            refusals: Vec::new(),
            code_fence: false,
            language: None,
            fewest_words_for_shares: Self::default().fewest_words_for_shares,
        }
    }

    /// Whether a filter is on.
    pub fn is_on(&self, filter: RowFilter) -> bool {
        match filter {
            RowFilter::CharacterCount => self.characters.is_some(),
            RowFilter::WordCount => self.words.is_some(),
            RowFilter::MeanWordLength => self.mean_word_length.is_some(),
            RowFilter::AlphaNumeric => self.most_symbols.is_some(),
            RowFilter::RepeatedLines => self.least_unique_lines.is_some(),
            RowFilter::RepeatingTopNgrams => !self.top_n_grams.is_empty(),
            RowFilter::AnswerIsQuestion => self.answer_is_question,
            RowFilter::Boilerplate => !self.boilerplate.is_empty(),
            RowFilter::Refusal => !self.refusals.is_empty(),
            RowFilter::CodeFence => self.code_fence,
            RowFilter::Language => self.language.is_some(),
        }
    }

    /// Switches a filter off.
    pub fn switch_off(&mut self, filter: RowFilter) {
        match filter {
            RowFilter::CharacterCount => self.characters = None,
            RowFilter::WordCount => self.words = None,
            RowFilter::MeanWordLength => self.mean_word_length = None,
            RowFilter::AlphaNumeric => self.most_symbols = None,
            RowFilter::RepeatedLines => self.least_unique_lines = None,
            RowFilter::RepeatingTopNgrams => self.top_n_grams.clear(),
            RowFilter::AnswerIsQuestion => self.answer_is_question = false,
            RowFilter::Boilerplate => self.boilerplate.clear(),
            RowFilter::Refusal => self.refusals.clear(),
            RowFilter::CodeFence => self.code_fence = false,
            RowFilter::Language => self.language = None,
        }
    }
}
