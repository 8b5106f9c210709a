//! Strengths of models from battles of two: Bradley and Terry's model (1952), a tie counting half a win for each.
//!
//! The first model of a battle wins with probability σ(θ_first − θ_second + Σ βₖ zₖ), where zₖ are the battle's style features (those
//! of the first answer less those of the second), each less its mean and divided by its sample standard deviation over all battles.
//! So β takes up what longer or more decorated answers win, and θ is the strength at equal style ("style control", Chiang et al.
//! 2024). The anchor has θ = 0; estimates are those of maximum likelihood by Newton's method, standard errors from the inverse of
//! the information at the estimate. Nothing is regularised: where no finite estimate exists, that is an error.

use serde::{Deserialize, Serialize};

use super::WinRateError;
use super::linear::{Cholesky, cross_entropy, sigmoid};
use super::win_graph::check_finite_strengths;

/// Points of Elo's scale that multiply the odds by ten.
const ELO_SCALE: f64 = 400.0;
/// The anchor's place on Elo's scale.
const ELO_ANCHOR: f64 = 1000.0;
/// Steps after which the estimate is taken to have no end: Newton's method needs about ten.
const MOST_STEPS: usize = 100;
/// A step smaller than this, in every coefficient, is the last.
const LAST_STEP: f64 = 1e-11;

/// A battle of two models on one prompt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Battle {
    /// Place of the first model in the list of models.
    pub first: usize,
    /// Place of the second model.
    pub second: usize,
    /// What the first model scores: 1 for a win, ½ for a tie, 0 for a loss, or a probability.
    pub score: f64,
}

/// Style features of battles.
#[derive(Debug, Clone, Copy)]
pub struct Style<'a> {
    /// A name for each feature.
    pub names: &'a [String],
    /// The features of each battle: first answer less second.
    pub rows: &'a [Vec<f64>],
}

/// The strength of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Strength {
    /// Its name.
    pub model: String,
    /// Battles it was in.
    pub n_battles: usize,
    /// θ, in natural logarithms of odds; 0 for the anchor.
    pub coefficient: f64,
    /// Standard error of θ; 0 for the anchor.
    pub standard_error: f64,
    /// Probability of beating the anchor at equal style, σ(θ).
    pub win_rate: f64,
    /// 1000 + 400 θ / ln 10.
    pub elo: f64,
}

/// What a style feature is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StyleCoefficient {
    /// Its name.
    pub name: String,
    /// β for one standard deviation, in natural logarithms of odds.
    pub coefficient: f64,
    /// Standard error of β.
    pub standard_error: f64,
    /// Mean of the feature over battles.
    pub mean: f64,
    /// Sample standard deviation of the feature over battles.
    pub standard_deviation: f64,
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BradleyTerry {
    /// The anchor's name.
    pub anchor: String,
    /// Battles.
    pub n_battles: usize,
    /// Models, in the order given.
    pub strengths: Vec<Strength>,
    /// Style features, in the order given.
    pub style: Vec<StyleCoefficient>,
}

impl BradleyTerry {
    /// Fits the model, with or without style features.
    ///
    /// # Errors
    /// [`WinRateError::NoBattles`], [`WinRateError::Model`], [`WinRateError::DuplicateModel`], [`WinRateError::OwnBattle`],
    /// [`WinRateError::Score`]; [`WinRateError::NoBattlesOf`], [`WinRateError::Disconnected`], [`WinRateError::Separable`] where strengths
    /// have no finite estimate; [`WinRateError::Sizes`], [`WinRateError::StyleFeature`], [`WinRateError::ConstantStyle`],
    /// [`WinRateError::DependentStyle`], [`WinRateError::SeparableStyle`] for style features; [`WinRateError::NotConverged`].
    ///
    /// # Example
    /// ```
    /// use redline_judge::win_rate::{Battle, BradleyTerry};
    /// let models = ["upstream".to_string(), "aligner".to_string()];
    /// let battles = [1.0, 1.0, 1.0, 0.0].map(|score| Battle { first: 1, second: 0, score });
    /// let fitted = BradleyTerry::fit(&models, 0, &battles, None).unwrap();
    /// assert!((fitted.strengths[1].win_rate - 0.75).abs() < 1e-12);
    /// ```
    pub fn fit(
        models: &[String],
        anchor: usize,
        battles: &[Battle],
        style: Option<Style>,
    ) -> Result<Self, WinRateError> {
        check_battles(models, anchor, battles)?;
        check_finite_strengths(models, battles)?;
        let style = style.map_or_else(|| Ok(Vec::new()), |style| standardised(style, battles.len()))?;
        let problem = Problem { n_models: models.len(), anchor, battles, style: &style };
        let (coefficients, errors) = problem.solve()?;
        let (strengths, betas) = coefficients.split_at(models.len() - 1);
        let (strength_errors, beta_errors) = errors.split_at(models.len() - 1);
        let of = |model: usize, values: &[f64]| problem.column(model).map_or(0.0, |column| values[column]);
        Ok(Self {
            anchor: models[anchor].clone(),
            n_battles: battles.len(),
            strengths: (0..models.len())
                .map(|model| {
                    let coefficient = of(model, strengths);
                    Strength {
                        model: models[model].clone(),
                        n_battles: battles.iter().filter(|own| own.first == model || own.second == model).count(),
                        coefficient,
                        standard_error: of(model, strength_errors),
                        win_rate: sigmoid(coefficient),
                        elo: ELO_ANCHOR + ELO_SCALE * coefficient / std::f64::consts::LN_10,
                    }
                })
                .collect(),
            style: style
                .iter()
                .zip(betas.iter().zip(beta_errors))
                .map(|(feature, (&coefficient, &standard_error))| StyleCoefficient {
                    name: feature.name.clone(),
                    coefficient,
                    standard_error,
                    mean: feature.mean,
                    standard_deviation: feature.standard_deviation,
                })
                .collect(),
        })
    }
}

fn check_battles(models: &[String], anchor: usize, battles: &[Battle]) -> Result<(), WinRateError> {
    if battles.is_empty() {
        return Err(WinRateError::NoBattles);
    }
    if let Some((place, _)) = models.iter().enumerate().find(|(place, name)| models[..*place].contains(name)) {
        return Err(WinRateError::DuplicateModel { model: models[place].clone() });
    }
    let check = |what, model| match model {
        model if model < models.len() => Ok(()),
        model => Err(WinRateError::Model { what, model, n_models: models.len() }),
    };
    check("anchor", anchor)?;
    for (place, battle) in battles.iter().enumerate() {
        check("model of a battle", battle.first)?;
        check("model of a battle", battle.second)?;
        if battle.first == battle.second {
            return Err(WinRateError::OwnBattle { battle: place, model: models[battle.first].clone() });
        }
        if !(0.0..=1.0).contains(&battle.score) {
            return Err(WinRateError::Score { battle: place, got: battle.score });
        }
    }
    Ok(())
}

/// One standardised style feature.
struct Feature {
    name: String,
    mean: f64,
    standard_deviation: f64,
    values: Vec<f64>,
}

/// The features, each with mean 0 and sample standard deviation 1 over battles.
fn standardised(style: Style, n_battles: usize) -> Result<Vec<Feature>, WinRateError> {
    if style.rows.len() != n_battles {
        return Err(WinRateError::Sizes { what: "rows of style features", got: style.rows.len(), expected: n_battles });
    }
    let n_features = style.names.len();
    if let Some(row) = style.rows.iter().find(|row| row.len() != n_features) {
        return Err(WinRateError::Sizes { what: "style features of a battle", got: row.len(), expected: n_features });
    }
    let feature = |(column, name): (usize, &String)| {
        let values: Vec<f64> = style.rows.iter().map(|row| row[column]).collect();
        if let Some(battle) = values.iter().position(|value| !value.is_finite()) {
            return Err(WinRateError::StyleFeature { battle, name: name.clone(), got: values[battle] });
        }
        let n = values.len() as f64;
        let mean = values.iter().map(|value| value / n).sum::<f64>();
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_deviation = (squares / (n - 1.0)).sqrt();
        if values.iter().all(|value| *value == values[0]) || !(standard_deviation.is_normal()) {
            return Err(WinRateError::ConstantStyle { name: name.clone() });
        }
        let values = values.into_iter().map(|value| (value - mean) / standard_deviation).collect();
        Ok(Feature { name: name.clone(), mean, standard_deviation, values })
    };
    style.names.iter().enumerate().map(feature).collect()
}

/// The likelihood to be maximised. Coefficients: the models without the anchor, then style features.
struct Problem<'a> {
    n_models: usize,
    anchor: usize,
    battles: &'a [Battle],
    style: &'a [Feature],
}

impl Problem<'_> {
    /// The column of a model's strength; `None` for the anchor.
    fn column(&self, model: usize) -> Option<usize> {
        (model != self.anchor).then(|| model - usize::from(model > self.anchor))
    }

    /// The columns of a battle that are not 0.
    fn row(&self, place: usize) -> Vec<(usize, f64)> {
        let battle = self.battles[place];
        let models = [(battle.first, 1.0), (battle.second, -1.0)];
        let models = models.into_iter().filter_map(|(model, sign)| Some((self.column(model)?, sign)));
        let style = self.style.iter().enumerate().map(|(k, feature)| (self.n_models - 1 + k, feature.values[place]));
        models.chain(style).collect()
    }

    /// Negative logarithm of the likelihood.
    fn loss(&self, coefficients: &[f64]) -> f64 {
        let logit = |place| self.row(place).iter().map(|(column, x)| coefficients[*column] * x).sum::<f64>();
        self.battles.iter().enumerate().map(|(place, battle)| cross_entropy(logit(place), battle.score)).sum()
    }

    /// Gradient and second derivatives of the loss.
    fn derivatives(&self, coefficients: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let n = coefficients.len();
        let (mut gradient, mut information) = (vec![0.0; n], vec![vec![0.0; n]; n]);
        for (place, battle) in self.battles.iter().enumerate() {
            let row = self.row(place);
            let p = sigmoid(row.iter().map(|(column, x)| coefficients[*column] * x).sum());
            for &(a, x) in &row {
                gradient[a] += (p - battle.score) * x;
                row.iter().for_each(|&(b, y)| information[a][b] += p * (1.0 - p) * x * y);
            }
        }
        (gradient, information)
    }

    /// Coefficients of maximum likelihood and their standard errors.
    fn solve(&self) -> Result<(Vec<f64>, Vec<f64>), WinRateError> {
        let mut coefficients = vec![0.0; self.n_models - 1 + self.style.len()];
        let mut loss = self.loss(&coefficients);
        for n_steps in 0..MOST_STEPS {
            let (gradient, information) = self.derivatives(&coefficients);
            let factor = Cholesky::of(&information).map_err(|column| self.singular(n_steps, column))?;
            let step = factor.solve(&gradient);
            if step.iter().all(|step| step.abs() < LAST_STEP) {
                return Ok((coefficients, factor.inverse_diagonal().into_iter().map(f64::sqrt).collect()));
            }
            // Halved until the likelihood does not fall, but for rounding.
            let at = |scale: f64| coefficients.iter().zip(&step).map(|(x, step)| x - scale * step).collect::<Vec<_>>();
            let tried = (0..60).map(|halvings| at(0.5_f64.powi(halvings))).map(|x| (self.loss(&x), x));
            let better = tried.into_iter().find(|(tried, _)| *tried <= loss * (1.0 + 1e-12));
            (loss, coefficients) = better.ok_or_else(|| self.endless())?;
        }
        // The steps of a finite estimate die out; those towards infinity stay near 1.
        Err(self.endless())
    }

    /// Why the information has no inverse: at the start columns depend on each other, later all battles are foretold for certain.
    fn singular(&self, n_steps: usize, column: usize) -> WinRateError {
        match column.checked_sub(self.n_models - 1) {
            Some(feature) if n_steps == 0 => WinRateError::DependentStyle { name: self.style[feature].name.clone() },
            _ => self.endless(),
        }
    }

    /// The error for an estimate without end. Strengths alone have one, but it can be out of reach for probabilities near 0 or 1.
    fn endless(&self) -> WinRateError {
        if self.style.is_empty() {
            WinRateError::NotConverged { what: "Bradley-Terry model", n_steps: MOST_STEPS }
        } else {
            WinRateError::SeparableStyle
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files_for_tests::golden;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|model| format!("m{model}")).collect()
    }

    fn battles(list: &[(usize, usize, f64)]) -> Vec<Battle> {
        list.iter().map(|&(first, second, score)| Battle { first, second, score }).collect()
    }

    fn golden_case() -> (serde_json::Value, Vec<String>, Vec<Battle>, Vec<Vec<f64>>) {
        let case = golden("winrate/expected.json");
        let list: Vec<(usize, usize, f64)> = serde_json::from_value(case["battles"].clone()).unwrap();
        let models = serde_json::from_value(case["models"].clone()).unwrap();
        let style = serde_json::from_value(case["style"].clone()).unwrap();
        (case, models, battles(&list), style)
    }

    fn assert_near(found: impl Iterator<Item = f64>, expected: &serde_json::Value, tolerance: f64) {
        let expected: Vec<f64> = serde_json::from_value(expected.clone()).unwrap();
        let found: Vec<f64> = found.collect();
        assert_eq!(found.len(), expected.len());
        let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < tolerance, "{found:?}, expected {expected:?}: {worst}");
    }

    #[test]
    fn the_golden_case_comes_out() {
        let (case, models, battles, _) = golden_case();
        let fitted = BradleyTerry::fit(&models, 0, &battles, None).unwrap();
        let expected = &case["bradley_terry"];
        assert_eq!(fitted.anchor, expected["anchor"].as_str().unwrap());
        assert_near(fitted.strengths.iter().map(|own| own.coefficient), &expected["coefficients"], 1e-9);
        assert_near(fitted.strengths.iter().map(|own| own.standard_error), &expected["standard_errors"], 1e-9);
        assert_near(fitted.strengths.iter().map(|own| own.win_rate), &expected["win_rate_against_anchor"], 1e-9);
        assert_near(fitted.strengths.iter().map(|own| own.elo), &expected["elo_400_10_1000"], 1e-7);
        assert_eq!(fitted.strengths.iter().map(|own| own.n_battles).sum::<usize>(), 2 * battles.len());
    }

    #[test]
    fn the_golden_case_with_style_comes_out() {
        let (case, models, battles, rows) = golden_case();
        let style = Style { names: &names(2), rows: &rows };
        let fitted = BradleyTerry::fit(&models, 0, &battles, Some(style)).unwrap();
        let expected = &case["style_controlled"];
        assert_near(fitted.strengths.iter().map(|own| own.coefficient), &expected["coefficients"], 1e-9);
        assert_near(fitted.style.iter().map(|own| own.coefficient), &expected["style_coefficients"], 1e-9);
        assert_near(fitted.strengths.iter().map(|own| own.win_rate), &expected["win_rate_against_anchor"], 1e-9);
        assert!(fitted.style.iter().all(|own| own.standard_error > 0.05 && own.standard_error < 0.2));
    }

    #[test]
    fn another_anchor_moves_all_strengths_alike() {
        let (_, models, battles, _) = golden_case();
        let from = |anchor| BradleyTerry::fit(&models, anchor, &battles, None).unwrap();
        let (zero, three) = (from(0), from(3));
        let shift = zero.strengths[3].coefficient;
        for (a, b) in zero.strengths.iter().zip(&three.strengths) {
            assert!((a.coefficient - shift - b.coefficient).abs() < 1e-10);
        }
        assert_eq!((three.strengths[3].coefficient, three.strengths[3].elo), (0.0, 1000.0));
        let swapped: Vec<Battle> =
            battles.iter().map(|own| Battle { first: own.second, second: own.first, score: 1.0 - own.score }).collect();
        let mirrored = BradleyTerry::fit(&models, 0, &swapped, None).unwrap();
        assert!((mirrored.strengths[2].coefficient - zero.strengths[2].coefficient).abs() < 1e-10);
    }

    #[test]
    fn two_models_have_the_logit_of_the_win_rate() {
        // 6 wins, 2 ties, 2 losses of 10: 0.7; information 10 · 0.7 · 0.3
        let list: Vec<_> = [(6, 1.0), (2, 0.5), (2, 0.0)]
            .iter()
            .flat_map(|&(n, score)| std::iter::repeat_n((1, 0, score), n))
            .collect();
        let fitted = BradleyTerry::fit(&names(2), 0, &battles(&list), None).unwrap();
        let own = &fitted.strengths[1];
        assert!((own.coefficient - (0.7_f64 / 0.3).ln()).abs() < 1e-12);
        assert!((own.standard_error - (1.0_f64 / 2.1).sqrt()).abs() < 1e-12);
        let ties = BradleyTerry::fit(&names(2), 0, &battles(&[(0, 1, 0.5)]), None).unwrap();
        assert_eq!((ties.strengths[1].coefficient, ties.strengths[1].win_rate), (0.0, 0.5));
    }

    #[test]
    fn strengths_without_a_finite_estimate_are_refused() {
        let fit = |n, list: &[(usize, usize, f64)]| BradleyTerry::fit(&names(n), 0, &battles(list), None);
        let wins = fit(2, &[(1, 0, 1.0), (1, 0, 1.0)]);
        assert!(matches!(&wins, Err(WinRateError::Separable { unbeaten, .. }) if unbeaten == &["m1"]), "{wins:?}");
        let losses = fit(2, &[(1, 0, 0.0)]);
        assert!(matches!(&losses, Err(WinRateError::Separable { unbeaten, .. }) if unbeaten == &["m0"]), "{losses:?}");
        // 0 and 1 share points, 2 and 3 share points, and 2 beats 0: nothing comes back
        let groups = [(0, 1, 0.5), (2, 3, 0.5), (2, 0, 1.0)];
        let refused = fit(4, &groups);
        assert!(
            matches!(&refused, Err(WinRateError::Separable { unbeaten, others }) if unbeaten == &["m2", "m3"] && others == &["m0", "m1"]),
            "{refused:?}"
        );
        assert!(fit(4, &[groups[0], groups[1], groups[2], (1, 3, 1.0)]).is_ok());
        let nearly = fit(2, &[(1, 0, 1.0), (1, 0, 1.0 - 1e-300), (0, 1, 1e-300)]);
        assert!(matches!(nearly, Err(WinRateError::NotConverged { .. })), "{nearly:?}");
        let apart = fit(4, &[groups[0], groups[1]]);
        assert!(matches!(&apart, Err(WinRateError::Disconnected { apart, .. }) if apart == &["m2", "m3"]), "{apart:?}");
        assert!(matches!(fit(3, &[groups[0]]), Err(WinRateError::NoBattlesOf { model }) if model == "m2"));
    }

    #[test]
    fn style_that_foretells_or_repeats_is_refused() {
        let models = names(2);
        let list = battles(&[(0, 1, 1.0), (0, 1, 0.0), (1, 0, 1.0), (1, 0, 0.0)]);
        let fit = |rows: &[[f64; 2]]| {
            let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.to_vec()).collect();
            BradleyTerry::fit(&models, 0, &list, Some(Style { names: &names(2), rows: &rows }))
        };
        // the second feature is the score
        let foretold = fit(&[[0.3, 1.0], [0.1, 0.0], [0.0, 1.0], [0.5, 0.0]]);
        assert!(matches!(foretold, Err(WinRateError::SeparableStyle)), "{foretold:?}");
        let repeated = fit(&[[1.0, 2.0], [0.0, 0.0], [0.4, 0.8], [0.9, 1.8]]);
        assert!(matches!(&repeated, Err(WinRateError::DependentStyle { name }) if name == "m1"), "{repeated:?}");
        let constant = fit(&[[1.0, 0.1], [2.0, 0.1], [3.0, 0.1], [1.5, 0.1]]);
        assert!(matches!(&constant, Err(WinRateError::ConstantStyle { name }) if name == "m1"), "{constant:?}");
        let no_number = fit(&[[1.0, 0.1], [2.0, 0.1], [f64::NAN, 0.1], [1.5, 0.1]]);
        assert!(matches!(no_number, Err(WinRateError::StyleFeature { battle: 2, .. })), "{no_number:?}");
        assert!(matches!(fit(&[[1.0, 0.1]]), Err(WinRateError::Sizes { got: 1, expected: 4, .. })));
        let narrow = vec![vec![1.0]; 4];
        let refused = BradleyTerry::fit(&models, 0, &list, Some(Style { names: &names(2), rows: &narrow }));
        assert!(matches!(refused, Err(WinRateError::Sizes { got: 1, expected: 2, .. })));
    }

    #[test]
    fn what_is_no_battle_is_refused() {
        let fit = |anchor, list: &[(usize, usize, f64)]| BradleyTerry::fit(&names(2), anchor, &battles(list), None);
        assert!(matches!(fit(0, &[]), Err(WinRateError::NoBattles)));
        assert!(matches!(fit(2, &[(0, 1, 0.5)]), Err(WinRateError::Model { model: 2, n_models: 2, .. })));
        assert!(matches!(fit(0, &[(0, 7, 0.5)]), Err(WinRateError::Model { model: 7, .. })));
        assert!(matches!(fit(0, &[(0, 1, 0.5), (1, 1, 0.5)]), Err(WinRateError::OwnBattle { battle: 1, .. })));
        for score in [2.0, -0.1, f64::NAN] {
            assert!(matches!(fit(0, &[(0, 1, score)]), Err(WinRateError::Score { battle: 0, .. })));
        }
        let twice = [names(1), names(1)].concat();
        let refused = BradleyTerry::fit(&twice, 0, &battles(&[(0, 1, 0.5)]), None);
        assert!(matches!(refused, Err(WinRateError::DuplicateModel { model }) if model == "m0"));
    }

    #[test]
    fn planted_strengths_are_recovered() {
        // exact probabilities as scores: the estimate is the truth
        let truth = [0.0, 0.7, -0.4, 2.5];
        let list: Vec<_> = (0..4)
            .flat_map(|a| (0..4).filter(move |b| a != *b).map(move |b| (a, b, sigmoid(truth[a] - truth[b]))))
            .collect();
        let fitted = BradleyTerry::fit(&names(4), 0, &battles(&list), None).unwrap();
        for (own, truth) in fitted.strengths.iter().zip(truth) {
            assert!((own.coefficient - truth).abs() < 1e-10);
        }
    }
}
