//! Results that show themselves in Rust notebooks (evcxr): a scan is a picture, a sweep a plot, a fit a table.
//!
//! The kernel calls `evcxr_display` on the last expression of a cell; with [`EvcxrDisplay`] in scope (the
//! prelude of `redline` brings it) the types below answer. Each prints blocks of its content by media type, which Jupyter
//! chooses from; nothing here needs the kernel.

mod table;

use redline_probe::{LatScan, LayerReading};
use redline_steer::{LineFit, SweepFit, Tuned};

use crate::figures::{heatmap, layer_profile, sweep_plot};
use crate::plot::{Heatmap, Plot, PlotError, Profile, SlopePlot, SweepPlot, svg_string};
use redline_lab::aligner::Sweep;
use redline_lab::experiment::SweepAnalysis;
use table::Table;

/// What shows itself below a notebook's cell.
pub trait EvcxrDisplay {
    /// The content, by media type.
    ///
    /// # Errors
    /// Data that a picture cannot show.
    fn contents(&self) -> Result<Vec<(&'static str, String)>, Box<dyn std::error::Error>>;

    /// Prints it for the kernel; what cannot be shown says why.
    fn evcxr_display(&self) {
        match self.contents() {
            Ok(contents) => {
                for (media_type, content) in contents {
                    println!("EVCXR_BEGIN_CONTENT {media_type}\n{content}\nEVCXR_END_CONTENT");
                }
            }
            Err(error) => println!("EVCXR_BEGIN_CONTENT text/plain\nnot shown: {error}\nEVCXR_END_CONTENT"),
        }
    }
}

/// What a cell shows.
type Contents = Result<Vec<(&'static str, String)>, Box<dyn std::error::Error>>;

fn picture(plot: &impl Plot) -> Result<Vec<(&'static str, String)>, PlotError> {
    Ok(vec![("image/svg+xml", svg_string(plot)?)])
}

impl EvcxrDisplay for LatScan {
    fn contents(&self) -> Contents {
        Ok(picture(&heatmap(self, &format!("LAT scan, row {}, {}", self.row, self.label)))?)
    }
}

impl EvcxrDisplay for [LayerReading] {
    fn contents(&self) -> Contents {
        Ok(picture(&layer_profile(self))?)
    }
}

impl EvcxrDisplay for Sweep {
    fn contents(&self) -> Contents {
        self.analyse()?.contents()
    }
}

impl EvcxrDisplay for SweepAnalysis {
    fn contents(&self) -> Contents {
        Ok(picture(&sweep_plot(self, "gap", Vec::new(), Vec::new()))?)
    }
}

impl EvcxrDisplay for LineFit {
    fn contents(&self) -> Contents {
        Ok(Table::of_line(self).contents())
    }
}

impl EvcxrDisplay for SweepFit {
    fn contents(&self) -> Contents {
        Ok(Table::of_fit(self).contents())
    }
}

impl EvcxrDisplay for Tuned {
    fn contents(&self) -> Contents {
        Ok(Table::of_tuned(self).contents())
    }
}

/// Plots show themselves too.
macro_rules! pictures {
    ($($plot:ty),*) => {$(
        impl EvcxrDisplay for $plot {
            fn contents(&self) -> Contents {
                Ok(picture(self)?)
            }
        }
    )*};
}

pictures!(Heatmap, Profile, SlopePlot, SweepPlot);

#[cfg(test)]
mod tests;
