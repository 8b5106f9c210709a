//! `redline plot`: numbers that lie in a file, as pictures or as text.

mod pictures;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;

use crate::cli::plot::PlotArgs;
use crate::cli::writes::plotted;
use crate::failure::hinted;
use crate::output;
use crate::outputs;
use pictures::Picture;
use source::Source;

pub fn run(args: &PlotArgs, json: bool) -> anyhow::Result<ExitCode> {
    if args.ascii && json {
        return Err(hinted("--ascii prints text, --json prints JSON", "leave out one of the two"));
    }
    if !(args.clip.is_finite() && args.clip > 0.0) {
        return Err(hinted(format!("--clip is {}", args.clip), "give a number above 0, such as 3"));
    }
    let source = Source::read(&args.file)?;
    let other = args.other.as_deref().map(Source::read).transpose()?;
    let kind = source.kind();
    let pictures = pictures::of(args, source, other).with_context(|| args.file.display().to_string())?;
    if args.ascii {
        let options = output::ascii_options();
        for picture in &pictures {
            output::coloured(&picture.as_text(&options)?)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let stem = args.out.clone().unwrap_or_else(|| default_stem(&args.file));
    let written = write(args, &pictures, &stem)?;
    match json {
        true => output::json(&json!({ "schema": "redline.plot.v1", "kind": kind, "files": written }))?,
        false => written.iter().try_for_each(|path| output::line(&path.display().to_string()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes every picture as PNG and SVG, after a look at all places.
fn write(args: &PlotArgs, pictures: &[Picture], stem: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let stem_of = |picture: &Picture| {
        let mut name = stem.as_os_str().to_owned();
        if !picture.name.is_empty() {
            name.push(format!("-{}", picture.name));
        }
        PathBuf::from(name)
    };
    let with = |stem: &Path, ending: &str| PathBuf::from(format!("{}{ending}", stem.display()));
    let stems: Vec<PathBuf> = pictures.iter().map(stem_of).collect();
    let claim = outputs::claim(&plotted(args, &stems))?;
    let mut written = Vec::new();
    for (picture, stem) in pictures.iter().zip(&stems) {
        picture.write(stem)?;
        written.extend([with(stem, ".png"), with(stem, ".svg")]);
    }
    claim.tell_replaced();
    Ok(written)
}

/// The name of the file without folder and ending.
fn default_stem(file: &Path) -> PathBuf {
    file.file_stem().map_or_else(|| PathBuf::from("plot"), PathBuf::from)
}
