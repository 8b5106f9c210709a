//! Facts and how they are read: see [`super`] for the format.

use std::collections::{BTreeMap, BTreeSet};

use super::sum::evaluate;
use crate::error::DataError;
use crate::material::{Block, Line, Lists};
use crate::phrase::{Phrase, Values, alternatives};
use redline_model::random::Random;

/// Something to ask about, with the sentences that answer.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub id: String,
    /// Name of the block: the table's, whose rows share their phrases, or the fact's own.
    pub group: String,
    /// How often it is drawn, beside the others.
    pub weight: usize,
    pub questions: Vec<Grouped>,
    pub leads: Vec<Grouped>,
    /// Sentences that follow the lead in this order, all of them.
    pub steps: Vec<Phrase>,
    /// Sentences of which any may follow, in any order.
    pub details: Vec<Phrase>,
    values: Values,
    draws: Vec<Draw>,
}

/// A question or a first sentence, and which side of the fact it is about: `q2` is answered by `a2`, or by an `a` of no group.
#[derive(Debug, Clone)]
pub(super) struct Grouped {
    group: u32,
    pub phrase: Phrase,
}

impl Grouped {
    /// Whether this first sentence answers the question.
    pub fn answers(&self, question: &Self) -> bool {
        self.group == 0 || self.group == question.group
    }
}

/// A value that differs from text to text.
#[derive(Debug, Clone)]
enum Draw {
    /// `let a = 2..12`
    Range { name: String, from: i64, to: i64 },
    /// `let c = a*b`
    Sum { name: String, sum: String },
    /// `pick item = pens|marbles` or `pick person = @names`
    Pick { name: String, items: Vec<Phrase> },
}

impl Draw {
    fn name(&self) -> &str {
        match self {
            Self::Range { name, .. } | Self::Sum { name, .. } | Self::Pick { name, .. } => name,
        }
    }
}

impl Fact {
    /// Draws this text's values.
    pub fn draw(&self, rng: &mut Random) -> Result<Values, String> {
        let mut values = self.values.clone();
        let mut numbers = BTreeMap::new();
        for draw in &self.draws {
            let text = match draw {
                Draw::Range { name, from, to } => {
                    let number = from + rng.below((to - from + 1) as usize) as i64;
                    numbers.insert(name.clone(), number);
                    number.to_string()
                }
                Draw::Sum { name, sum } => {
                    let number = evaluate(sum, &numbers)?;
                    numbers.insert(name.clone(), number);
                    number.to_string()
                }
                Draw::Pick { items, .. } => unused(items, &values, rng),
            };
            values.insert(draw.name().to_owned(), text);
        }
        Ok(values)
    }
}

/// One of the items that no other value holds yet, so that two people have two names.
fn unused(items: &[Phrase], values: &Values, rng: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..20 {
        text = rng.pick(items).map(|item| item.expand(values, rng)).unwrap_or_default();
        if values.values().all(|value| *value != text) {
            break;
        }
    }
    text
}

/// The facts of a `fact` or `table` block.
pub(super) fn read_facts(block: &Block<'_>, lists: &Lists) -> Result<Vec<Fact>, DataError> {
    let head = &block.head;
    let mut columns = alternatives(head.text).into_iter().map(str::trim);
    let id = columns.next().unwrap_or_default();
    let columns: Vec<&str> = columns.collect();
    if id.is_empty() || (head.key == "table") == columns.is_empty() {
        return Err(head.error("write `fact NAME` or `table NAME | COLUMN | …`"));
    }
    let mut template = Fact {
        id: id.to_owned(),
        group: id.to_owned(),
        weight: 1,
        questions: Vec::new(),
        leads: Vec::new(),
        steps: Vec::new(),
        details: Vec::new(),
        values: Values::new(),
        draws: Vec::new(),
    };
    let mut rows = Vec::new();
    for line in &block.lines {
        match line.key {
            "s" => template.steps.push(line.phrase()?),
            "d" => template.details.push(line.phrase()?),
            "let" | "pick" => template.draws.push(read_draw(line, lists)?),
            "weight" => template.weight = line.text.parse().map_err(|_| line.error("the weight is not a number"))?,
            "row" if head.key == "table" => rows.push(read_row(line, id, &columns)?),
            key => match grouped_key(key) {
                Some(('q', group)) => template.questions.push(Grouped { group, phrase: line.phrase()? }),
                Some(('a', group)) => template.leads.push(Grouped { group, phrase: line.phrase()? }),
                _ => return Err(line.error(format!("`{key}` is not a key of a {}", head.key))),
            },
        }
    }
    if head.key == "fact" {
        rows.push((id.to_owned(), Values::new()));
    }
    check(head, &template, &columns, &rows)?;
    Ok(rows.into_iter().map(|(id, values)| Fact { id, values, ..template.clone() }).collect())
}

/// The letter and the group of a key such as `q` (group 0) or `q2`.
fn grouped_key(key: &str) -> Option<(char, u32)> {
    let mut letters = key.chars();
    let letter = letters.next()?;
    match letters.as_str() {
        "" => Some((letter, 0)),
        digits => digits.parse().ok().filter(|&group| group > 0).map(|group| (letter, group)),
    }
}

/// `row France | Paris`: the fact's name and values.
fn read_row(line: &Line<'_>, table: &str, columns: &[&str]) -> Result<(String, Values), DataError> {
    let cells: Vec<&str> = line.text.split('|').map(str::trim).collect();
    if cells.len() != columns.len() || cells.iter().any(|cell| cell.is_empty()) {
        return Err(line.error(format!("{} filled cells are needed, this row has {}", columns.len(), cells.len())));
    }
    let name = cells[0].to_lowercase().replace(' ', "-");
    let values = columns.iter().zip(&cells).map(|(column, cell)| ((*column).to_owned(), (*cell).to_owned()));
    Ok((format!("{table}/{name}"), values.collect()))
}

fn read_draw(line: &Line<'_>, lists: &Lists) -> Result<Draw, DataError> {
    let Some((name, text)) = line.text.split_once('=').map(|(name, text)| (name.trim().to_owned(), text.trim())) else {
        return Err(line.error("write `NAME = …`"));
    };
    if line.key == "pick" {
        let items = match text.strip_prefix('@') {
            Some(list) => lists.get(list).cloned().ok_or_else(|| line.error(format!("there is no list `{list}`")))?,
            None => alternatives(text)
                .into_iter()
                .map(|item| Phrase::parse(item.trim()))
                .collect::<Result<_, _>>()
                .map_err(|rule| line.error(rule))?,
        };
        return Ok(Draw::Pick { name, items });
    }
    let Some((from, to)) = text.split_once("..") else { return Ok(Draw::Sum { name, sum: text.to_owned() }) };
    match (from.parse::<i64>(), to.parse::<i64>()) {
        (Ok(from), Ok(to)) if from <= to && to - from < 1_000_000 => Ok(Draw::Range { name, from, to }),
        _ => Err(line.error("a range is two numbers, the lower first")),
    }
}

/// Every fact can be asked and answered, and every value used is there.
fn check(head: &Line<'_>, fact: &Fact, columns: &[&str], rows: &[(String, Values)]) -> Result<(), DataError> {
    if fact.questions.is_empty() || fact.leads.is_empty() || rows.is_empty() {
        return Err(head.error("a fact needs a question (q), an answer (a) and, in a table, a row"));
    }
    let drawn = fact.draws.iter().map(Draw::name);
    let known: BTreeSet<&str> = columns.iter().copied().chain(drawn).collect();
    if fact.questions.iter().any(|question| !fact.leads.iter().any(|lead| lead.answers(question))) {
        return Err(head.error("a question has no answer of its group"));
    }
    let grouped = fact.questions.iter().chain(&fact.leads).map(|grouped| &grouped.phrase);
    let phrases = grouped.chain(&fact.steps).chain(&fact.details);
    if let Some(name) = phrases.flat_map(Phrase::names).find(|name| !known.contains(name)) {
        return Err(head.error(format!("`[{name}]` is used but not set")));
    }
    // numbers differ from text to text: try a few
    for row in 0..50 {
        fact.draw(&mut Random::of_row(0, 0, row)).map_err(|rule| head.error(rule))?;
    }
    Ok(())
}
