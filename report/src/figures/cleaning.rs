//! What cleaning removed, and how near to each other two sets are.

use redline_lab::data::funnel::{Funnel, FunnelStep};
use redline_lab::data::near_leak::NearestHistogram;

use crate::plot::{FunnelBar, FunnelPlot, Histogram};

/// Rows by step of cleaning. Steps that removed nothing are left out, and named below if there are any.
pub fn funnel_plot(n_rows: usize, steps: &[FunnelStep]) -> FunnelPlot {
    let bar = |step: &FunnelStep| FunnelBar {
        name: format!("{}: {}", step.stage, step.filter.replace('_', " ")),
        n_removed: step.removed,
        n_left: step.left,
    };
    let bars: Vec<FunnelBar> = steps.iter().filter(|step| step.removed > 0).map(bar).collect();
    let last = steps.last().map(bar).filter(|_| bars.is_empty());
    FunnelPlot {
        title: "Rows by stage".into(),
        n_rows,
        n_idle: steps.iter().filter(|step| step.removed == 0).count(),
        steps: bars.into_iter().chain(last).collect(),
    }
}

/// The same of what [`Funnel`] counts.
pub fn funnel_of(funnel: &Funnel) -> FunnelPlot {
    funnel_plot(funnel.n_in().unwrap_or_default(), &funnel.steps())
}

/// How near each text of the second set comes to the first; `threshold` is what counts as found again, where that is known.
pub fn nearest_plot(nearest: &NearestHistogram, threshold: Option<f64>) -> Histogram {
    let empty = (nearest.n_empty > 0).then(|| format!("{} empty texts are in no bin", nearest.n_empty));
    Histogram {
        title: "How near each text of the second set comes to the first".into(),
        x_label: "Jaccard similarity to the nearest".into(),
        y_label: "texts".into(),
        range: (0.0, 1.0),
        counts: nearest.counts.clone(),
        threshold: threshold.map(|at| (at, "nearly the same".to_owned())),
        notes: empty.into_iter().collect(),
    }
}
