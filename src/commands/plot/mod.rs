//! `redline plot`: numbers that lie in a file, as pictures or as text.

mod pictures;
mod schemas;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use redline::plot::{PictureOptions, picture_paths};
use serde_json::json;

use crate::cli::plot::PlotArgs;
use crate::cli::writes::plotted;
use crate::failure::{hinted, refuse_given};
use crate::{interrupt, output, outputs};
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
    refuse_idle(args, kind)?;
    let mut pictures = pictures::of(args, source, other).with_context(|| args.file.display().to_string())?;
    if let Some(title) = &args.title {
        pictures = pictures.into_iter().map(|picture| picture.titled(title)).collect();
    }
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

/// Options that act on some kinds of files only.
const OF_KINDS: [(&[&str], &[&str]); 4] = [
    (&["difference", "clip"], &["scans"]),
    (&["colours"], &["scans", "layers", "directions"]),
    (&["place"], &["layers"]),
    (&["variant", "coherence_bound"], &["sweep"]),
];

/// Refuses options that do nothing to a file of this kind.
fn refuse_idle(args: &PlotArgs, kind: &str) -> anyhow::Result<()> {
    let mut idle = OF_KINDS.iter().filter(|(_, kinds)| !kinds.contains(&kind));
    idle.try_for_each(|(ids, _)| refuse_given(&args.given, ids, &format!("for a file of {kind}")))
}

/// Writes every picture to the files that its name stands for, after a look at all places.
fn write(args: &PlotArgs, pictures: &[Picture], out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let names: Vec<PathBuf> = pictures.iter().map(|picture| named(out, &picture.name)).collect();
    let claim = outputs::claim(&plotted(args, &names))?;
    let options = PictureOptions { width_mm: args.width_mm };
    for (picture, name) in pictures.iter().zip(&names) {
        interrupt::check()?;
        picture.write(name, &options)?;
    }
    claim.tell_replaced();
    Ok(names.iter().flat_map(|name| picture_paths(name)).collect())
}

/// The name of one of several pictures: `out-NAME`, before the ending of a picture where `out` has one.
fn named(out: &Path, name: &str) -> PathBuf {
    if name.is_empty() {
        return out.to_owned();
    }
    let is_file = picture_paths(out) == [out];
    let ending =
        out.extension().filter(|_| is_file).map_or_else(String::new, |ending| format!(".{}", ending.to_string_lossy()));
    let mut stem = if is_file { out.with_extension("") } else { out.to_owned() }.into_os_string();
    stem.push(format!("-{name}{ending}"));
    PathBuf::from(stem)
}

/// The name of the file without folder and ending.
fn default_stem(file: &Path) -> PathBuf {
    file.file_stem().map_or_else(|| PathBuf::from("plot"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_picture_comes_before_its_ending() {
        assert_eq!(named(Path::new("a/fig.pdf"), ""), Path::new("a/fig.pdf"));
        assert_eq!(named(Path::new("a/fig.PDF"), "slopes"), Path::new("a/fig-slopes.PDF"));
        assert_eq!(named(Path::new("at-0.5"), "slopes"), Path::new("at-0.5-slopes"));
    }
}
