//! Difficulties of own prompts, estimated from several systems at once.
//!
//! System m's preference on prompt i is σ(bias_m + slope · x₁ + difficulty_i), after AlpacaEval's joint fit; there, prompts are
//! dummies under an L1 penalty with the first at 0, here they have a ridge, ρ/2 Σ difficulty², so the difficulties have mean 0 and
//! those of prompts that say little stay near it. ρ is chosen by five-fold cross-validation, a prompt's verdicts on different
//! systems falling into different folds. Biases and slopes have a ridge of 0.01 only so that a system that always wins has finite
//! ones. Newton's method; the prompts' block of the equations is diagonal and is eliminated, so the cost is linear in prompts.
//!
//! The slope is one for all systems, or one for each ([`Slopes`]). On the five systems of AlpacaEval 2 that are at hand, three of
//! them one model asked in three ways, rates with difficulties from one slope lie 0.8 points beside the published ones in the mean
//! (at most 2.3), and from a slope for each 5.9 (at most 9.8); the raw rates lie 6.5 beside them. Where all answers are shorter than
//! the baseline's, slopes and difficulties can stand for each other, and only what systems share tells them apart.

use serde::{Deserialize, Serialize};

use super::super::WinRateError;
use super::super::linear::{Cholesky, cross_entropy, sigmoid};
use super::cross_validation::N_FOLDS;
use super::matching::{Matched, by_index};
use super::{Annotation, Instruction};

/// Fewest systems from which difficulties are estimated.
pub const FEWEST_SYSTEMS: usize = 5;

/// Values of ρ tried.
const RIDGES: [f64; 7] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
/// Ridge of biases and slopes.
const SYSTEM_RIDGE: f64 = 0.01;
const MOST_STEPS: usize = 100;
const LAST_STEP: f64 = 1e-10;

/// Whose liking of length the slope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slopes {
    /// The judge's: one slope for all systems.
    #[default]
    Common,
    /// One for each system, as in AlpacaEval's fit over hundreds of them.
    PerSystem,
}

/// The rows of one system: a baseline, or the Aligner at one coefficient.
#[derive(Debug, Clone, Copy)]
pub struct SystemRows<'a> {
    /// Its name.
    pub system: &'a str,
    /// What a judge said of its answers.
    pub rows: &'a [Annotation],
}

/// What the joint fit says of one system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SystemFit {
    /// Its name.
    pub system: String,
    /// Rows with a preference.
    pub n: usize,
    /// Its bias.
    pub bias: f64,
    /// The slope on x₁, its own or the common one. Its own is 0 where all its answers differ from the baseline's by one same length.
    pub length_slope: f64,
}

/// Difficulties estimated from several systems on the same prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointDifficulty {
    /// The ρ chosen.
    pub ridge: f64,
    /// Whether systems share a slope.
    pub slopes: Slopes,
    /// Index and difficulty of each instruction, by index; 0 for instructions without a preference.
    pub difficulties: Vec<(u64, f64)>,
    /// The systems, in the order given.
    pub systems: Vec<SystemFit>,
}

impl JointDifficulty {
    /// Estimates the difficulty of each instruction. Difficulties that the instructions have already are not used.
    ///
    /// # Errors
    /// [`WinRateError::TooFewSystems`], [`WinRateError::DuplicateModel`], [`WinRateError::NoPreferences`] for a system without any, those
    /// of matching as for [`LengthControl::of`](super::LengthControl::of), [`WinRateError::NotConverged`].
    pub fn estimate(
        systems: &[SystemRows],
        instructions: &[Instruction],
        slopes: Slopes,
    ) -> Result<Self, WinRateError> {
        if systems.len() < FEWEST_SYSTEMS {
            return Err(WinRateError::TooFewSystems { got: systems.len() });
        }
        for (place, own) in systems.iter().enumerate() {
            if systems[..place].iter().any(|other| other.system == own.system) {
                return Err(WinRateError::DuplicateModel { model: own.system.to_string() });
            }
        }
        let indices: Vec<u64> = by_index(instructions)?.into_keys().collect();
        let bare: Vec<Instruction> =
            instructions.iter().map(|own| Instruction { difficulty: None, ..own.clone() }).collect();
        let mut cells = Vec::new();
        let mut counts = Vec::with_capacity(systems.len());
        for (system, own) in systems.iter().enumerate() {
            let found = cells_of(system, own, &bare, &indices)?;
            counts.push(found.len());
            cells.extend(found);
        }
        let problem = |ridge| Problem { n_systems: systems.len(), n_prompts: indices.len(), ridge, slopes };
        let ridge = choose_ridge(&cells, problem)?;
        let problem = problem(ridge);
        let fitted = problem.fit(&cells)?;
        let system_fit = |(system, own): (usize, &SystemRows)| SystemFit {
            system: own.system.to_string(),
            n: counts[system],
            bias: fitted.systems[system],
            length_slope: fitted.systems[problem.slope_column(system)],
        };
        Ok(Self {
            ridge,
            slopes,
            systems: systems.iter().enumerate().map(system_fit).collect(),
            difficulties: indices.into_iter().zip(fitted.prompts).collect(),
        })
    }

    /// The instructions with these difficulties in place of their own; `None` for one that was not among those estimated.
    pub fn with_difficulties(&self, instructions: &[Instruction]) -> Vec<Instruction> {
        let difficulty = |index: u64| {
            let place = self.difficulties.binary_search_by_key(&index, |(index, _)| *index).ok()?;
            Some(self.difficulties[place].1)
        };
        instructions.iter().map(|own| Instruction { difficulty: difficulty(own.index), ..own.clone() }).collect()
    }
}

/// One verdict.
#[derive(Debug, Clone, Copy)]
struct Cell {
    system: usize,
    prompt: usize,
    tanh: f64,
    target: f64,
}

fn cells_of(
    system: usize,
    own: &SystemRows,
    instructions: &[Instruction],
    indices: &[u64],
) -> Result<Vec<Cell>, WinRateError> {
    let matched = Matched::of(own.rows, instructions)?;
    let tanh = matched.tanh_lengths().unwrap_or_else(|| vec![0.0; matched.rows.len()]);
    let cell = |(row, tanh): (&super::matching::MatchedRow, f64)| {
        let prompt = indices.binary_search(&row.index).expect("rows were matched to instructions");
        Some(Cell { system, prompt, tanh, target: row.target? })
    };
    let cells: Vec<Cell> = matched.rows.iter().zip(tanh).filter_map(cell).collect();
    if cells.is_empty() {
        return Err(WinRateError::NoPreferences { n_left_out: matched.rows.len() });
    }
    Ok(cells)
}

/// The ridge whose fits foretell verdicts left out best.
fn choose_ridge(cells: &[Cell], problem: impl Fn(f64) -> Problem) -> Result<f64, WinRateError> {
    let mut best: Option<(f64, f64)> = None;
    for ridge in RIDGES {
        let mut loss = 0.0;
        for fold in 0..N_FOLDS {
            let is_left_out = |cell: &&Cell| (cell.system + cell.prompt) % N_FOLDS == fold;
            let others: Vec<Cell> = cells.iter().filter(|cell| !is_left_out(cell)).copied().collect();
            let problem = problem(ridge);
            let fitted = problem.fit(&others)?;
            loss += cells.iter().filter(is_left_out).map(|cell| problem.loss(cell, &fitted)).sum::<f64>();
        }
        if best.is_none_or(|(least, _)| loss < least) {
            best = Some((loss, ridge));
        }
    }
    Ok(best.expect("at least one ridge is tried").1)
}

/// The coefficients.
#[derive(Clone)]
struct Coefficients {
    /// Bias of each system, then its slope or the common one.
    systems: Vec<f64>,
    /// Difficulties.
    prompts: Vec<f64>,
}

impl Coefficients {
    fn moved(&self, by: &Self, scale: f64) -> Self {
        let moved = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - scale * b).collect();
        Self { systems: moved(&self.systems, &by.systems), prompts: moved(&self.prompts, &by.prompts) }
    }

    fn largest(&self) -> f64 {
        self.systems.iter().chain(&self.prompts).fold(0.0, |largest, x| largest.max(x.abs()))
    }
}

/// What is minimised.
struct Problem {
    n_systems: usize,
    n_prompts: usize,
    ridge: f64,
    slopes: Slopes,
}

impl Problem {
    fn n_columns(&self) -> usize {
        self.slope_column(self.n_systems - 1) + 1
    }

    fn slope_column(&self, system: usize) -> usize {
        self.n_systems + if self.slopes == Slopes::Common { 0 } else { system }
    }

    fn logit(&self, cell: &Cell, at: &Coefficients) -> f64 {
        at.systems[cell.system] + at.systems[self.slope_column(cell.system)] * cell.tanh + at.prompts[cell.prompt]
    }

    fn loss(&self, cell: &Cell, at: &Coefficients) -> f64 {
        cross_entropy(self.logit(cell, at), cell.target)
    }

    fn objective(&self, cells: &[Cell], at: &Coefficients) -> f64 {
        let squares = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>();
        let penalty = self.ridge * squares(&at.prompts) + SYSTEM_RIDGE * squares(&at.systems);
        cells.iter().map(|cell| self.loss(cell, at)).sum::<f64>() + penalty / 2.0
    }

    fn fit(&self, cells: &[Cell]) -> Result<Coefficients, WinRateError> {
        let failed = || WinRateError::NotConverged { what: "joint difficulty", n_steps: MOST_STEPS };
        let mut at = Coefficients { systems: vec![0.0; self.n_columns()], prompts: vec![0.0; self.n_prompts] };
        let mut value = self.objective(cells, &at);
        for _ in 0..MOST_STEPS {
            let step = self.step(cells, &at).ok_or_else(failed)?;
            if step.largest() < LAST_STEP {
                return Ok(at);
            }
            let tried = (0..60).map(|halvings| at.moved(&step, 0.5_f64.powi(halvings)));
            let mut tried = tried.map(|next| (self.objective(cells, &next), next));
            // The last factor lets steps through whose gain is lost in rounding.
            (value, at) = tried.find(|(next, _)| *next <= value * (1.0 + 1e-13)).ok_or_else(failed)?;
        }
        Err(failed())
    }

    /// Newton's step: the inverse of the second derivatives times the gradient.
    fn step(&self, cells: &[Cell], at: &Coefficients) -> Option<Coefficients> {
        let n = self.n_columns();
        let mut gradient: Vec<f64> = at.systems.iter().map(|x| SYSTEM_RIDGE * x).collect();
        let mut prompt_gradient: Vec<f64> = at.prompts.iter().map(|x| self.ridge * x).collect();
        let mut block = vec![vec![0.0; n]; n];
        (0..n).for_each(|column| block[column][column] = SYSTEM_RIDGE);
        let (mut mixed, mut diagonal) = (vec![vec![0.0; n]; self.n_prompts], vec![self.ridge; self.n_prompts]);
        for cell in cells {
            let p = sigmoid(self.logit(cell, at));
            let (residual, weight) = (p - cell.target, p * (1.0 - p));
            let row = [(cell.system, 1.0), (self.slope_column(cell.system), cell.tanh)];
            prompt_gradient[cell.prompt] += residual;
            diagonal[cell.prompt] += weight;
            for (a, x) in row {
                gradient[a] += residual * x;
                mixed[cell.prompt][a] += weight * x;
                row.iter().for_each(|(b, y)| block[a][*b] += weight * x * y);
            }
        }
        // Prompts eliminated: the rest is a system of the size of the systems.
        for (prompt, mixed) in mixed.iter().enumerate() {
            for a in (0..n).filter(|a| mixed[*a] != 0.0) {
                let share = mixed[a] / diagonal[prompt];
                gradient[a] -= share * prompt_gradient[prompt];
                (0..n).for_each(|b| block[a][b] -= share * mixed[b]);
            }
        }
        let systems = Cholesky::of(&block).ok()?.solve(&gradient);
        let prompt_step = |(prompt, mixed): (usize, &Vec<f64>)| {
            let known: f64 = mixed.iter().zip(&systems).map(|(mixed, step)| mixed * step).sum();
            (prompt_gradient[prompt] - known) / diagonal[prompt]
        };
        let prompts = mixed.iter().enumerate().map(prompt_step).collect();
        Some(Coefficients { systems, prompts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N_PROMPTS: usize = 60;

    fn instructions() -> Vec<Instruction> {
        let instruction = |index| Instruction { index, dataset: String::new(), difficulty: None, baseline_length: 500 };
        (0..N_PROMPTS as u64).map(instruction).collect()
    }

    fn planted_difficulty(prompt: u64) -> f64 {
        ((prompt * 37 % 60) as f64 - 29.5) / 15.0
    }

    /// Exact probabilities of a planted system.
    fn planted(system: u64, instructions: &[Instruction]) -> Vec<Annotation> {
        let (bias, slope) = (system as f64 / 2.0 - 1.0, -1.0);
        let mut rows: Vec<Annotation> = (0..N_PROMPTS as u64)
            .map(|index| Annotation { index, length: 300 + (index * 53 + system * 17) % 400, preference: None })
            .collect();
        let tanh = Matched::of(&rows, instructions).unwrap().tanh_lengths().unwrap();
        for (row, tanh) in rows.iter_mut().zip(tanh) {
            row.preference = Some(1.0 + sigmoid(bias + slope * tanh + planted_difficulty(row.index)));
        }
        rows
    }

    fn estimate(
        all: &[Vec<Annotation>],
        instructions: &[Instruction],
        slopes: Slopes,
    ) -> Result<JointDifficulty, WinRateError> {
        let names: Vec<String> = (0..all.len()).map(|system| format!("s{system}")).collect();
        let systems: Vec<SystemRows> =
            names.iter().zip(all).map(|(system, rows)| SystemRows { system, rows }).collect();
        JointDifficulty::estimate(&systems, instructions, slopes)
    }

    #[test]
    fn planted_difficulties_are_recovered() {
        let instructions = instructions();
        let all: Vec<_> = (0..6).map(|system| planted(system, &instructions)).collect();
        let truth: Vec<f64> = (0..N_PROMPTS as u64).map(planted_difficulty).collect();
        for slopes in [Slopes::Common, Slopes::PerSystem] {
            let found = estimate(&all, &instructions, slopes).unwrap();
            // exact probabilities have no noise, so the weakest ridge wins, and its shrinkage is all that is between
            assert_eq!(found.ridge, RIDGES[0]);
            let estimated: Vec<f64> = found.difficulties.iter().map(|(_, difficulty)| *difficulty).collect();
            let r = super::super::super::pearson(&truth, &estimated).unwrap().unwrap();
            assert!(r > 0.999, "{r}");
            for (system, fit) in found.systems.iter().enumerate() {
                assert!((fit.bias - (system as f64 / 2.0 - 1.0)).abs() < 0.1, "{fit:?}");
                assert!((fit.length_slope + 1.0).abs() < 0.1, "{fit:?}");
            }
            let with = found.with_difficulties(&instructions);
            assert!(with.iter().zip(&estimated).all(|(own, difficulty)| own.difficulty == Some(*difficulty)));
        }
    }

    #[test]
    fn the_gradient_vanishes_at_the_estimate() {
        let cells: Vec<Cell> = (0..40)
            .map(|k| Cell { system: k % 5, prompt: k % 8, tanh: (k as f64 * 0.7).sin(), target: (k % 3) as f64 / 2.0 })
            .collect();
        for (slopes, n) in [(Slopes::Common, 6), (Slopes::PerSystem, 10)] {
            let problem = Problem { n_systems: 5, n_prompts: 9, ridge: 0.7, slopes };
            let at = problem.fit(&cells).unwrap();
            assert_eq!(at.systems.len(), n);
            let step = |k: usize, h: f64| {
                let mut moved = at.clone();
                if k < n {
                    moved.systems[k] += h
                } else {
                    moved.prompts[k - n] += h
                }
                problem.objective(&cells, &moved)
            };
            for k in 0..n + 9 {
                let slope = (step(k, 1e-5) - step(k, -1e-5)) / 2e-5;
                assert!(slope.abs() < 1e-7, "{k}: {slope}");
            }
            assert_eq!(at.prompts[8], 0.0, "a prompt without verdicts");
        }
    }

    #[test]
    fn extremes_have_finite_estimates() {
        let instructions = instructions();
        let mut all: Vec<_> = (0..5).map(|system| planted(system, &instructions)).collect();
        all[0].iter_mut().for_each(|row| row.preference = Some(2.0));
        all[1].iter_mut().for_each(|row| row.preference = Some(0.0));
        all[2].iter_mut().for_each(|row| row.length = 500);
        all[3].truncate(1);
        all[4][7].preference = None;
        for slopes in [Slopes::Common, Slopes::PerSystem] {
            let found = estimate(&all, &instructions, slopes).unwrap();
            assert!(found.systems[0].bias > 3.0 && found.systems[0].bias < 30.0, "{:?}", found.systems[0]);
            assert_eq!(found.systems[2].length_slope == 0.0, slopes == Slopes::PerSystem);
            assert_eq!((found.systems[3].n, found.systems[4].n), (1, N_PROMPTS - 1));
            assert!(found.difficulties.iter().all(|(_, difficulty)| difficulty.is_finite()));
        }
    }

    #[test]
    fn what_says_too_little_is_refused() {
        let instructions = instructions();
        let mut all: Vec<_> = (0..5).map(|system| planted(system, &instructions)).collect();
        assert!(matches!(
            estimate(&all[..4], &instructions, Slopes::Common),
            Err(WinRateError::TooFewSystems { got: 4 })
        ));
        let twice: Vec<SystemRows> = all.iter().map(|rows| SystemRows { system: "s", rows }).collect();
        let refused = JointDifficulty::estimate(&twice, &instructions, Slopes::Common);
        assert!(matches!(refused, Err(WinRateError::DuplicateModel { model }) if model == "s"));
        all[2].iter_mut().for_each(|row| row.preference = None);
        let refused = estimate(&all, &instructions, Slopes::Common);
        assert!(matches!(refused, Err(WinRateError::NoPreferences { n_left_out: N_PROMPTS })));
        all[2][0].index = 99;
        assert!(matches!(
            estimate(&all, &instructions, Slopes::Common),
            Err(WinRateError::NoInstruction { index: 99, .. })
        ));
    }
}
