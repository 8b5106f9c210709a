//! How many rows each stage of cleaning removed, and why.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Rows removed for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The reason.
    pub reason: String,
    /// Rows removed.
    pub n_rows: usize,
}

/// One stage of cleaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunnelStage {
    /// Its name.
    pub name: String,
    /// Rows before it.
    pub n_in: usize,
    /// Rows after it.
    pub n_out: usize,
    /// Why the others were removed, in the order in which the reasons were tried; reasons that removed nothing are there too.
    pub removed: Vec<Removal>,
}

impl FunnelStage {
    /// A stage, of which the rows left are counted from the reasons.
    pub fn new<S: Into<String>>(name: &str, n_in: usize, removed: impl IntoIterator<Item = (S, usize)>) -> Self {
        let removed = removed.into_iter().map(|(reason, n_rows)| Removal { reason: reason.into(), n_rows });
        let removed: Vec<Removal> = removed.collect();
        let n_removed = removed.iter().map(|removal| removal.n_rows).sum();
        Self { name: name.into(), n_in, n_out: n_in.saturating_sub(n_removed), removed }
    }
}

/// One line of the report: what one filter of one stage removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunnelStep {
    /// The stage.
    pub stage: String,
    /// The filter, or the reason.
    pub filter: String,
    /// Rows removed.
    pub removed: usize,
    /// Rows left.
    pub left: usize,
}

/// All stages, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funnel {
    /// The stages.
    pub stages: Vec<FunnelStage>,
}

impl Funnel {
    /// Rows before the first stage; none without a stage.
    pub fn n_in(&self) -> Option<usize> {
        self.stages.first().map(|stage| stage.n_in)
    }

    /// Rows after the last stage.
    pub fn n_out(&self) -> Option<usize> {
        self.stages.last().map(|stage| stage.n_out)
    }

    /// The lines of the report.
    pub fn steps(&self) -> Vec<FunnelStep> {
        let mut steps = Vec::new();
        for stage in &self.stages {
            let mut left = stage.n_in;
            for removal in &stage.removed {
                left = left.saturating_sub(removal.n_rows);
                let (stage, filter) = (stage.name.clone(), removal.reason.clone());
                steps.push(FunnelStep { stage, filter, removed: removal.n_rows, left });
            }
        }
        steps
    }

    /// The report as a table for people. Reasons that removed nothing are left out, but each stage has a line.
    ///
    /// # Example
    /// ```
    /// use redline_data::funnel::{Funnel, FunnelStage};
    /// let read = FunnelStage::new("normalise", 100, [("empty", 4)]);
    /// let filters = FunnelStage::new("filters", 96, [("word_count", 0), ("code_fence", 1)]);
    /// let table = Funnel { stages: vec![read, filters] }.table();
    /// assert_eq!(table, "\
    /// stage      filter      removed  left
    /// normalise  empty             4    96
    /// filters    code_fence        1    95
    /// ");
    /// ```
    pub fn table(&self) -> String {
        let mut rows: Vec<[String; 4]> = vec![["stage", "filter", "removed", "left"].map(String::from)];
        for stage in &self.stages {
            let alone = Self { stages: vec![stage.clone()] };
            let steps: Vec<FunnelStep> = alone.steps().into_iter().filter(|step| step.removed > 0).collect();
            for (place, step) in steps.iter().enumerate() {
                let name = if place == 0 { stage.name.clone() } else { String::new() };
                rows.push([name, step.filter.clone(), step.removed.to_string(), step.left.to_string()]);
            }
            if steps.is_empty() {
                rows.push([stage.name.clone(), "–".into(), "0".into(), stage.n_out.to_string()]);
            }
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d] = [0, 1, 2, 3].map(width);
        rows.iter().fold(String::new(), |mut table, [stage, filter, removed, left]| {
            // writing to a string cannot fail
            let _ = writeln!(table, "{stage:<a$}  {filter:<b$}  {removed:>c$}  {left:>d$}");
            table
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn funnel() -> Funnel {
        let filters = [("word_count", 3), ("refusal", 0), ("language", 7)];
        Funnel {
            stages: vec![
                FunnelStage::new("exact duplicates", 50, [("equal texts", 0)]),
                FunnelStage::new("filters", 50, filters),
                FunnelStage::new("near-duplicates", 40, Vec::<(&str, usize)>::new()),
            ],
        }
    }

    #[test]
    fn steps_run_from_stage_to_stage() {
        let steps = funnel().steps();
        let left: Vec<_> = steps.iter().map(|step| (step.filter.as_str(), step.removed, step.left)).collect();
        assert_eq!(left, [("equal texts", 0, 50), ("word_count", 3, 47), ("refusal", 0, 47), ("language", 7, 40)]);
        assert_eq!((funnel().n_in(), funnel().n_out()), (Some(50), Some(40)));
        assert_eq!(Funnel::default().n_out(), None);
        assert_eq!(FunnelStage::new("x", 1, [("more than there are", 2)]).n_out, 0);
    }

    #[test]
    fn the_table_has_a_line_for_each_stage() {
        let expected = "\
stage             filter      removed  left
exact duplicates  –                 0    50
filters           word_count        3    47
                  language          7    40
near-duplicates   –                 0    40
";
        assert_eq!(funnel().table(), expected);
    }

    #[test]
    fn a_funnel_is_read_back_as_written() {
        let text = serde_json::to_string(&funnel()).unwrap();
        assert!(
            text.starts_with(r#"{"stages":[{"name":"exact duplicates","n_in":50,"n_out":50,"removed":["#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Funnel>(&text).unwrap(), funnel());
    }
}
