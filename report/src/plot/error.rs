//! What can be wrong with a plot's data or with the place it is written to.

use std::path::PathBuf;

/// Why a plot was not drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// There is nothing to draw.
    #[error("{plot}: no {what} to draw")]
    Empty {
        /// The plot.
        plot: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// Two lists that belong together differ in length.
    #[error("{plot}: {what} has {got} values where {expected} were expected")]
    Ragged {
        /// The plot.
        plot: &'static str,
        /// The list.
        what: String,
        /// Its length.
        got: usize,
        /// The length of the list it belongs to.
        expected: usize,
    },
    /// A number is NaN or infinite.
    #[error("{plot}: {what} is {value}, not a finite number")]
    NotFinite {
        /// The plot.
        plot: &'static str,
        /// The number's place.
        what: String,
        /// The number.
        value: f64,
    },
    /// Positions on an axis do not grow.
    #[error("{plot}: {what} must grow from one to the next, and does not at position {position}")]
    NotAscending {
        /// The plot.
        plot: &'static str,
        /// The list of positions.
        what: &'static str,
        /// The first place that is not above the one before.
        position: usize,
    },
    /// The lower end of an interval lies above its upper end.
    #[error("{plot}: the interval of {what} is reversed ({lower} to {upper})")]
    ReversedInterval {
        /// The plot.
        plot: &'static str,
        /// The interval's owner.
        what: String,
        /// Lower end.
        lower: f64,
        /// Upper end.
        upper: f64,
    },
    /// A number lies outside of where it can be.
    #[error("{plot}: {what} holds {value}, which does not lie from {low} to {high}")]
    OutOfRange {
        /// The plot.
        plot: &'static str,
        /// What holds the number.
        what: String,
        /// The number.
        value: f64,
        /// The least that it can be.
        low: f64,
        /// The most that it can be.
        high: f64,
    },
    /// The rows of a step of cleaning do not add up.
    #[error("funnel: {what}: {n_removed} rows removed and {n_left} left do not make the {before} rows before")]
    Unbalanced {
        /// The step.
        what: String,
        /// Rows before it.
        before: usize,
        /// Rows that it removed.
        n_removed: usize,
        /// Rows left.
        n_left: usize,
    },
    /// Two results that shall be compared do not fit each other.
    #[error("the {what} differ: {left} and {right}")]
    Unlike {
        /// What differs.
        what: &'static str,
        /// The first.
        left: String,
        /// The second.
        right: String,
    },
    /// A heatmap's clip is zero, negative or not finite.
    #[error("heatmap: the clip must be a positive number, got {got}")]
    Clip {
        /// The clip.
        got: f32,
    },
    /// The picture would not fit in reasonable memory.
    #[error("{plot}: a picture of {width} × {height} pixels is too large")]
    TooLarge {
        /// The plot.
        plot: &'static str,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The font built into the program cannot be read.
    #[error("the built-in font cannot be read")]
    Font,
    /// A drawing step failed.
    #[error("cannot draw the {plot} as {format}")]
    Draw {
        /// The plot.
        plot: &'static str,
        /// The file format.
        format: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl PlotError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "check that the run behind this plot produced results",
            Self::Ragged { .. } => "give every row the same number of values as the axis has",
            Self::NotFinite { .. } => "leave out runs that failed; only heatmap cells may be NaN (missing)",
            Self::NotAscending { .. } => "sort the layers or coefficients and remove repeats",
            Self::ReversedInterval { .. } => "give the lower end of the interval first",
            Self::OutOfRange { .. } => "give shares from 0 to 1, and a threshold of the curve or of the bins",
            Self::Unbalanced { .. } => "give the steps in their order, each with all rows that it removed",
            Self::Unlike { .. } => "compare results of the same model and layers",
            Self::Clip { .. } => "use a positive clip such as 3",
            Self::TooLarge { .. } => "draw fewer tokens or layers in one picture",
            Self::Font => "the build is damaged: build again from a clean checkout",
            Self::Draw { .. } => "try the other format (PNG or SVG)",
            Self::Write { .. } => "check that the folder exists, is writable and has room",
        }
    }
}
