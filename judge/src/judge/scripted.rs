//! A judge that answers from a closure, for tests.

use super::Result;
use super::dimension::Dimension;
use super::judge::{Comparison, Judge, JudgeObserver, Judged, Shown};
use super::order::{Order, Orders, Pair};
use super::verdict::{NoVerdict, Verdict};

type Script = dyn FnMut(&Comparison<'_>) -> std::result::Result<Verdict, NoVerdict>;

/// Says what its script says.
pub(crate) struct Scripted {
    id: String,
    template: String,
    orders: Orders,
    script: Box<Script>,
    n_asked: usize,
    n_returned: Option<usize>,
    is_silent: bool,
}

impl Scripted {
    pub(crate) fn new(
        script: impl FnMut(&Comparison<'_>) -> std::result::Result<Verdict, NoVerdict> + 'static,
    ) -> Self {
        Self {
            id: "scripted".into(),
            template: "script-1".into(),
            orders: Orders::Both,
            script: Box::new(script),
            n_asked: 0,
            n_returned: None,
            is_silent: false,
        }
    }

    pub(crate) fn with_id(self, id: &str) -> Self {
        Self { id: id.into(), ..self }
    }

    pub(crate) fn with_template(self, template: &str) -> Self {
        Self { template: template.into(), ..self }
    }

    pub(crate) fn with_orders(self, orders: Orders) -> Self {
        Self { orders, ..self }
    }

    /// Returns this many judgements, whatever it was asked.
    pub(crate) fn that_returns(self, n: usize) -> Self {
        Self { n_returned: Some(n), ..self }
    }

    /// Returns judgements without having reported them.
    pub(crate) fn that_reports_nothing(self) -> Self {
        Self { is_silent: true, ..self }
    }

    /// Comparisons it was asked so far.
    pub(crate) fn n_asked(&self) -> usize {
        self.n_asked
    }
}

impl Judge for Scripted {
    fn id(&self) -> &str {
        &self.id
    }

    fn template(&self) -> &str {
        &self.template
    }

    fn orders(&self) -> Orders {
        self.orders
    }

    fn judge(&mut self, comparisons: &[Comparison<'_>], observer: &mut dyn JudgeObserver) -> Result<Vec<Judged>> {
        let mut all = Vec::new();
        for (index, comparison) in comparisons.iter().enumerate() {
            self.n_asked += 1;
            let verdict = (self.script)(comparison);
            let raw = format!("{verdict:?}");
            let judged = Judged { verdict, raw, seconds: 0.5, cost: None, is_recorded: false };
            if !self.is_silent {
                observer.judged(index, &judged)?;
            }
            all.push(judged);
        }
        all.truncate(self.n_returned.unwrap_or(all.len()));
        Ok(all)
    }
}

/// Ends the work after so many judgements.
pub(crate) fn stop_after(n: usize) -> impl JudgeObserver {
    struct Stop(usize);
    impl JudgeObserver for Stop {
        fn judged(&mut self, _: usize, _: &Judged) -> Result<()> {
            self.0 -= 1;
            if self.0 == 0 { Err(redline_model::Error::Interrupted.into()) } else { Ok(()) }
        }

        fn note(&mut self, _: &str) {}
    }
    Stop(n)
}

/// Two outputs, of the systems `one` and `two`.
pub(crate) fn pair<'a>(row: usize, question: &'a str, a: &'a str, b: &'a str) -> Pair<'a> {
    let [a, b] = [("one", a), ("two", b)].map(|(system, output)| Shown { system, output });
    Pair { row, question, a, b, dimension: Dimension::Helpful, reference: None }
}

/// The same in the order in which they are given.
pub(crate) fn comparison<'a>(row: usize, question: &'a str, first: &'a str, second: &'a str) -> Comparison<'a> {
    pair(row, question, first, second).in_order(Order::Ab)
}
