//! Results as plots. The plots draw what the results say and compute nothing.

use redline_lab::aligner::Sweep;
use redline_lab::experiment::{ControlLine, ControlSlopes, PlaceProfile, SweepAnalysis, best_fit};
use redline_probe::{LatScan, LayerReading};

use crate::plot::{
    CoherentRange, Control, ControlKind, Curve, CurvePanel, Curves, Estimate, FittedLine, Heatmap, Profile,
    ProfileSeries, RandomSlopes, SlopePlot, SweepCoherence, SweepPlot, SweepPoint, visible_token,
};

/// What has a sweep plot.
pub trait PlotSweep {
    /// Edit ratio against coefficient, with line and coherent range. `unit` names the unit of the coefficient.
    ///
    /// # Errors
    /// As [`Sweep::analyse`].
    fn plot(&self, unit: &str) -> redline_steer::Result<SweepPlot>;
}

impl PlotSweep for Sweep {
    fn plot(&self, unit: &str) -> redline_steer::Result<SweepPlot> {
        Ok(sweep_plot(&self.analyse()?, unit, Vec::new(), Vec::new()))
    }
}

/// Title of a scan's heatmap.
pub fn scan_title(scan: &LatScan) -> String {
    format!("LAT scan, row {}, {}", scan.row, scan.label)
}

/// A scan as a heatmap of z-values.
pub fn heatmap(scan: &LatScan, title: &str) -> Heatmap {
    let labels = scan.tokens.iter().map(|token| visible_token(token)).collect();
    let mut heatmap = Heatmap::new(title, scan.z.clone(), labels);
    heatmap.layers.clone_from(&scan.layers);
    heatmap
}

/// Held-out pair accuracy and AUROC per layer.
pub fn layer_profile(report: &[LayerReading]) -> Profile {
    let series = |name: &str, value: &dyn Fn(&LayerReading) -> Option<Estimate>| {
        let estimates: Vec<_> = report.iter().map(value).collect();
        let interval = |estimate: &Option<Estimate>| {
            let interval = estimate.as_ref()?.interval.as_ref()?;
            Some((interval.low, interval.high))
        };
        ProfileSeries {
            name: name.into(),
            values: estimates.iter().map(|e| e.as_ref().map_or(f64::NAN, |e| e.value)).collect(),
            intervals: estimates.iter().map(interval).collect(),
        }
    };
    let layers = report.iter().map(|reading| reading.layer).collect();
    let series = vec![series("pair accuracy", &|r| r.pair_accuracy), series("AUROC", &|r| r.auroc)];
    Profile::of_shares("Held-out reading of correction, by layer", layers, series)
}

/// Held-out AUROC, less chance, over layers × places; `None` when no place was read.
pub fn place_heatmap(places: &[&PlaceProfile], title: &str) -> Option<Heatmap> {
    let layers: Vec<usize> = places.iter().find(|p| !p.layers.is_empty())?.layers.iter().map(|l| l.layer).collect();
    let at = |place: &PlaceProfile, row: usize| {
        let auroc = place.layers.get(row).and_then(|layer| layer.auroc);
        auroc.map_or(f32::NAN, |auroc| (auroc.value - 0.5) as f32)
    };
    let values = (0..layers.len()).map(|row| places.iter().map(|place| at(place, row)).collect()).collect();
    let label = |place: &&PlaceProfile| match place.place.split_once(':') {
        Some((_, number)) => number.to_owned(),
        None => "prompt".to_owned(),
    };
    let mut heatmap = Heatmap::new(title, values, places.iter().map(label).collect());
    heatmap.layers = layers;
    heatmap.clip = 0.5;
    heatmap.unit = "AUROC − 0.5".into();
    Some(heatmap)
}

/// How far the poles stand apart at the places around the first difference, along the directions of the place where the
/// first differing token is chosen: a curve for each of five depths. `None` when those places were not read.
pub fn onset_curves(places: &[PlaceProfile]) -> Option<Curves> {
    let offset = |place: &PlaceProfile| place.place.strip_prefix("at-difference:")?.parse::<f64>().ok();
    let n_layers = places.iter().map(|place| place.fixed.len()).max().filter(|n| *n > 0)?;
    let mut rows: Vec<usize> = (0..5).map(|quarter| quarter * (n_layers - 1) / 4).collect();
    rows.dedup();
    let curve = |row: usize| {
        let point = |place: &PlaceProfile| Some((offset(place)?, place.fixed.get(row)?.d_prime?.value));
        let layer = places.iter().find_map(|place| place.fixed.get(row)).map_or(row, |reading| reading.layer);
        Curve::new(format!("layer {layer}"), places.iter().filter_map(point).collect())
    };
    let curves: Vec<Curve> = rows.into_iter().map(curve).filter(|curve| curve.points.len() > 1).collect();
    (!curves.is_empty()).then(|| Curves {
        title: "How the decision builds up before the first edit".into(),
        x_label: "output token, counted from the first that differs".into(),
        panels: vec![CurvePanel { y_label: "d′ of correction against copy".into(), curves }],
        marks: vec![(-1.0, "chosen here".into())],
    })
}

/// Edit ratio against coefficient with its line, coherent range and controls.
pub fn sweep_plot(
    analysis: &SweepAnalysis,
    unit: &str,
    controls: Vec<Control>,
    levels: Vec<(String, f64)>,
) -> SweepPlot {
    let fit = best_fit(analysis);
    let interval = |i: usize, mean: f64| {
        let found = analysis.fit_all.as_ref().and_then(|fit| fit.mean_ratio_interval.get(i));
        Estimate { value: mean, interval: found.copied() }
    };
    let points = analysis.coefficients.iter().enumerate().map(|(i, summary)| SweepPoint {
        coefficient: summary.coefficient,
        mean: interval(i, summary.mean_edit_ratio),
    });
    let mut plot = SweepPlot::new("Edit ratio against steering coefficient", points.collect());
    plot.unit = unit.into();
    plot.y_label = format!("edit ratio ({}: distance / length of the original answer)", analysis.variant);
    plot.prompts.clone_from(&analysis.per_prompt);
    plot.line = fit.map(|fit| FittedLine {
        slope: Estimate { value: fit.line.slope, interval: Some(fit.slope_interval) },
        intercept: fit.line.intercept,
        r_squared: fit.line.r2.unwrap_or(0.0),
        range: (fit.coefficients[0], fit.coefficients[fit.coefficients.len() - 1]),
        band: fit.coefficients.iter().zip(&fit.line_interval).map(|(x, at)| (*x, at.low, at.high)).collect(),
    });
    plot.coherent = analysis.coherent_range.as_ref().map(|range| CoherentRange {
        low: range.low,
        high: range.high,
        nll_bound: Some(range.baseline + range.bound),
    });
    plot.controls = controls;
    plot.levels = levels;
    let nll: Option<Vec<f64>> = analysis.coefficients.iter().map(|summary| summary.nll).collect();
    plot.coherence = nll.map(|negative_log_likelihood| SweepCoherence {
        negative_log_likelihood,
        repetition: analysis.coefficients.iter().map(|summary| summary.repetition).collect(),
        truncated: analysis.coefficients.iter().map(|summary| summary.truncated_share).collect(),
    });
    plot
}

/// Per-prompt slopes beside the random directions of the same prompts.
pub fn slope_plot(analysis: &SweepAnalysis, controls: Option<&ControlSlopes>) -> Option<SlopePlot> {
    let fit = best_fit(analysis)?;
    Some(SlopePlot {
        title: "Slope of the edit ratio, prompt by prompt".into(),
        x_label: "slope (edit ratio per unit of coefficient)".into(),
        slopes: fit.prompt_slopes.clone(),
        mean: Some(Estimate { value: fit.line.slope, interval: Some(fit.slope_interval) }),
        controls: Vec::new(),
        random: controls.filter(|controls| !controls.random.is_empty()).map(|controls| RandomSlopes {
            slopes: controls.random.iter().map(|line| line.slope).collect(),
            percentile_95: controls.random_p95,
        }),
    })
}

/// Controls as curves of a sweep plot. They ran on some of its prompts, so what is drawn is their change against coefficient 0 on these,
/// from the curve's own value there: unsteered, all are the same model.
pub fn control_curves(controls: &ControlSlopes, analysis: &SweepAnalysis) -> Vec<Control> {
    let unsteered = analysis.coefficients.iter().find(|at| at.coefficient == 0.0).map(|at| at.mean_edit_ratio);
    let zero = controls.coefficients.iter().position(|coefficient| *coefficient == 0.0);
    let curve = |line: &ControlLine, name: &str, kind| {
        let shift = zero.zip(unsteered).map_or(0.0, |(zero, unsteered)| unsteered - line.mean_edit_ratio[zero]);
        let ratios = line.mean_edit_ratio.iter().map(|ratio| ratio + shift);
        Control { name: name.into(), kind, points: controls.coefficients.iter().copied().zip(ratios).collect() }
    };
    let random = controls.random.iter().map(|line| curve(line, "random directions", ControlKind::Random));
    let shuffled = controls.shuffled.iter().map(|line| curve(line, "shuffled labels", ControlKind::Shuffled));
    random.chain(shuffled).collect()
}
