//! Made-up data of the size and shape of real runs.

use crate::plot::{
    CoherentRange, Control, ControlKind, Curve, CurvePanel, Curves, Estimate, FittedLine, Heatmap, Interval, Profile,
    ProfileSeries, RandomSlopes, SlopeGroup, SlopePlot, SweepCoherence, SweepPlot, SweepPoint,
};

/// Repeatable noise between −1 and 1.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as f64 / f64::from(1u32 << 30)) - 1.0
    }
    /// Roughly normal.
    pub fn normal(&mut self) -> f64 {
        (0..6).map(|_| self.next()).sum::<f64>() / 2f64.sqrt()
    }
}

pub fn tokens() -> Vec<String> {
    let text = "The| capital| of| Australia| is| Canberra|,| not| Sydney|.|\n\n|It| lies| between| Syd|ney| and| Melbourne|.|\n";
    text.split('|').map(str::to_owned).collect()
}

pub fn heatmap() -> Heatmap {
    let mut noise = Noise::new(3);
    let row = |layer: usize, noise: &mut Noise| -> Vec<f32> {
        let depth = 1.0 / (1.0 + (-(layer as f64 - 11.0) / 2.0).exp());
        let token = |t: usize, noise: &mut Noise| {
            let signal = match t {
                5..=8 => 3.1,
                4 | 9 => 1.4,
                12..=16 => -1.9,
                _ => -0.4,
            };
            (depth * signal + 0.55 * noise.normal()) as f32
        };
        (0..20).map(|t| token(t, noise)).collect()
    };
    let mut values: Vec<Vec<f32>> = (0..30).map(|layer| row(layer, &mut noise)).collect();
    for layer in &mut values {
        layer[19] = f32::NAN;
    }
    Heatmap::new("LAT scan: SmolLM2-135M Aligner, edit pairs, scaled PCA", values, tokens())
}

pub fn profile() -> Profile {
    let mut noise = Noise::new(5);
    let mut series = |name: &str, shift: f64, top: f64| {
        let values: Vec<f64> = (0..30)
            .map(|l| 0.5 + (top - 0.5) / (1.0 + (-(l as f64 - shift) / 1.3).exp()))
            .map(|v| (v + 0.018 * noise.normal()).clamp(0.0, 1.0))
            .collect();
        let intervals = values.iter().map(|v| {
            let half = 0.02 + 0.09 * (1.0 - v).max(0.0);
            ((v - half).max(0.0), (v + half).min(1.0))
        });
        let intervals = Some(intervals.collect());
        ProfileSeries { name: name.to_owned(), values, intervals }
    };
    let series = vec![
        series("pair accuracy, mean_diff", 10.5, 0.985),
        series("AUROC, mean_diff", 11.5, 0.95),
        series("pair accuracy, pca_diff", 12.5, 0.97),
    ];
    Profile::of_shares("Held-out reading accuracy by layer (96 pairs)", (0..30).collect(), series)
}

pub fn sweep(coefficients: &[f64]) -> SweepPlot {
    let mut noise = Noise::new(11);
    let base: Vec<(f64, f64)> =
        (0..24).map(|_| (0.25 + 0.09 * noise.normal().abs(), 0.05 + 0.03 * noise.normal())).collect();
    let mut ratio = |(base, slope): (f64, f64), c: f64| (base + slope * c + 0.012 * noise.normal()).max(0.0);
    let mut prompts: Vec<Vec<f64>> =
        base.iter().map(|p| coefficients.iter().map(|c| ratio(*p, *c)).collect()).collect();
    *prompts[3].last_mut().unwrap() = 2.6;
    let column = |i: usize| prompts.iter().enumerate().filter(|(p, _)| *p != 3).map(move |(_, r)| r[i]);
    let points = coefficients.iter().enumerate().map(|(i, c)| {
        let mean = column(i).sum::<f64>() / 23.0;
        SweepPoint { coefficient: *c, mean: estimate(mean, mean - 0.028, mean + 0.031) }
    });
    let points: Vec<SweepPoint> = points.collect();
    let intercept = points[points.len() / 2].mean.value;
    let mut plot = SweepPlot::new("Sweep: edit ratio against coefficient, blocks 8–25", points);
    let last = coefficients.last().copied().unwrap_or(1.0);
    let range = (-1.0, last.min(1.0));
    let band =
        |c: &f64| (*c, intercept + 0.05 * c - 0.018 - 0.01 * c.abs(), intercept + 0.05 * c + 0.018 + 0.01 * c.abs());
    plot.line = Some(FittedLine {
        slope: estimate(0.0503, 0.0388, 0.0617),
        intercept,
        r_squared: 0.961,
        range,
        band: coefficients.iter().filter(|c| c.abs() <= 1.0).map(band).collect(),
    });
    plot.coherent = Some(CoherentRange { low: range.0, high: range.1, nll_bound: Some(0.92) });
    plot.controls = controls(coefficients, intercept);
    plot.levels = vec![("prompt: “copy more”".into(), 0.262), ("prompt: “edit more”".into(), 0.341)];
    plot.coherence = Some(SweepCoherence {
        negative_log_likelihood: coefficients.iter().map(|c| 0.74 + 0.16 * c * c).collect(),
        repetition: coefficients.iter().map(|c| 0.02 + 0.03 * c.powi(4)).collect(),
        truncated: coefficients.iter().map(|c| 0.04 * c.abs()).collect(),
    });
    plot.prompts = prompts;
    plot
}

fn controls(coefficients: &[f64], intercept: f64) -> Vec<Control> {
    let mut noise = Noise::new(17);
    let mut control = |name: &str, kind, base: f64, slope: f64| {
        let value = |c: &f64| (*c, base + slope * c + 0.003 * noise.normal());
        Control { name: name.to_owned(), kind, points: coefficients.iter().map(value).collect() }
    };
    let mut controls = vec![
        control("shuffled labels", ControlKind::Shuffled, intercept, 0.006),
        control("clean prompts (should stay copies)", ControlKind::Clean, 0.03, 0.004),
    ];
    for i in 0..20 {
        let slope = 0.009 * f64::from(i - 10) / 10.0;
        controls.push(control("random", ControlKind::Random, intercept, slope));
    }
    controls
}

pub fn slopes() -> SlopePlot {
    let mut noise = Noise::new(23);
    let mut draw = |n: usize, mean: f64, sd: f64| -> Vec<f64> { (0..n).map(|_| mean + sd * noise.normal()).collect() };
    SlopePlot {
        title: "Steerability: slope of log p(correction) − log p(answer)".into(),
        x_label: "slope (nats per gap)".into(),
        slopes: draw(96, 1.95, 1.25),
        mean: Some(estimate(1.95, 1.71, 2.18)),
        controls: vec![
            SlopeGroup { name: "shuffled labels".into(), slopes: draw(96, 0.06, 0.3) },
            SlopeGroup { name: "clean prompts".into(), slopes: draw(48, 0.3, 0.35) },
        ],
        random: Some(RandomSlopes { slopes: draw(20, 0.0, 0.14), percentile_95: 0.21 }),
    }
}

pub fn curves() -> Curves {
    let mut noise = Noise::new(8);
    let loss = (0..300).map(|step| (f64::from(step), 6.0 * (-f64::from(step) / 60.0).exp() + 0.1 * noise.normal()));
    let rate = (1..=6).map(|i| (50.0 * f64::from(i), 1.0 - 0.8 / f64::from(i)));
    let panel = |y_label: &str, curve| CurvePanel { y_label: y_label.into(), curves: vec![curve] };
    Curves {
        title: "Training".into(),
        x_label: "step".into(),
        panels: vec![
            panel("loss (nats per token)", Curve::new("training", loss.collect())),
            panel("share (0 to 1)", Curve::new("exact copies", rate.collect())),
        ],
        marks: vec![(60.0, "end of identity warm-up".into())],
    }
}

/// An estimate with its interval.
pub fn estimate(value: f64, low: f64, high: f64) -> Estimate {
    Estimate { value, interval: Some(Interval { low, high }) }
}
