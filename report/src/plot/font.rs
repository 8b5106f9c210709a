//! The bundled font (DejaVu Sans): registered once, measured for layout.
//!
//! PNG text is drawn with it; SVG text names it first and falls back to Verdana, whose widths are
//! nearly the same, so that a layout measured here holds in a browser without the font.

use std::sync::OnceLock;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

use super::PlotError;

/// The CSS font list, which is also the name the font is registered under.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// plotters takes a line height where CSS takes an em: it writes `font-size = size / 1.24` into SVG.
pub(super) const SIZE_PER_EM: f64 = 1.24;

/// Ascent plus descent of DejaVu Sans in em: the rasteriser scales by this height.
pub(super) const HEIGHT_PER_EM: f64 = 1.164;

/// DejaVu Sans.
pub(super) static FONT: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans.ttf");

/// Makes the font known to plotters; later calls do nothing.
///
/// # Errors
/// [`PlotError::Font`] when the embedded file is not a font.
pub(super) fn register() -> Result<(), PlotError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok());
    if *registered { Ok(()) } else { Err(PlotError::Font) }
}

/// The font whose em is `em` pixels.
pub(super) fn raster_font(em: f64) -> FontDesc<'static> {
    FontDesc::new(FontFamily::Name(FAMILY), em * HEIGHT_PER_EM, FontStyle::Normal)
}

/// Width of `text` in pixels at an em of `em` pixels.
pub(super) fn text_width(text: &str, em: f64) -> f64 {
    const FINE: f64 = 16.0; // plotters rounds widths down to whole pixels
    let measured = register()
        .ok()
        .and_then(|()| raster_font(em * FINE).layout_box(text).ok())
        .map(|((left, _), (right, _))| f64::from(right - left) / FINE);
    measured.unwrap_or_else(|| text.chars().count() as f64 * em * 0.6)
}

/// Letters of a line at most.
const MOST_LETTERS: usize = 2000;
/// Letters of several lines at most.
const MOST_WRAPPED: usize = 20_000;

/// `text`, cut with an ellipsis to at most `width` pixels.
pub(super) fn fit_text(text: &str, em: f64, width: f64) -> String {
    // nothing that is drawn has room for more, and measuring takes time by the letter
    let letters: Vec<char> = text.chars().take(MOST_LETTERS + 1).collect();
    if letters.len() <= MOST_LETTERS && text_width(text, em) <= width {
        return text.to_owned();
    }
    let cut = |n: usize| letters[..n].iter().chain(&['…']).collect::<String>();
    // widths grow with every letter: the longest that fits is found by halves
    let (mut fits, mut is_too_wide) = (0, letters.len());
    while fits + 1 < is_too_wide {
        let half = fits.midpoint(is_too_wide);
        match text_width(&cut(half), em) <= width {
            true => fits = half,
            false => is_too_wide = half,
        }
    }
    match fits > 0 || text_width("…", em) <= width {
        true => cut(fits),
        false => String::new(),
    }
}

/// `text` broken at spaces into lines of at most `width` pixels; a longer word is cut.
pub(super) fn wrap_text(text: &str, em: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let end = text.char_indices().nth(MOST_WRAPPED).map_or(text.len(), |(end, _)| end);
    for word in text[..end].split(' ') {
        let joined = lines.last().map(|line| format!("{line} {word}"));
        match (joined, lines.last_mut()) {
            (Some(joined), Some(line)) if text_width(&joined, em) <= width => *line = joined,
            _ => lines.push(fit_text(word, em, width)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_every_sign_the_plots_use() {
        register().unwrap();
        let missing = text_width("\u{10FFFE}", 100.0);
        assert!(missing > 0.0);
        assert!(text_width("iiii", 14.0) < text_width("MMMM", 14.0));
    }

    #[test]
    fn fitted_text_is_not_wider_than_asked() {
        let text = "a rather long title that cannot fit";
        let fitted = fit_text(text, 20.0, 120.0);
        assert!(fitted.ends_with('…') && text_width(&fitted, 20.0) <= 120.0);
        assert_eq!(fit_text("short", 20.0, 120.0), "short");
        assert_eq!(fit_text("short", 20.0, 1.0), "");
        // as if one letter after the other had been taken away
        for width in (10..200).step_by(7).map(f64::from) {
            let fits = |n: usize| text_width(&(text[..n].to_owned() + "…"), 20.0) <= width;
            let expected =
                (0..text.len()).rev().find(|n| fits(*n)).map_or_else(String::new, |n| text[..n].to_owned() + "…");
            assert_eq!(fit_text(text, 20.0, width), expected, "{width}");
        }
        let endless = "name ".repeat(1_000_000);
        assert!(fit_text(&endless, 20.0, 120.0).ends_with('…'));
        assert!(!wrap_text(&endless, 20.0, 120.0).is_empty());
    }

    #[test]
    fn wrapped_text_keeps_every_word() {
        let text = "fitted line on the coherent range";
        let lines = wrap_text(text, 14.0, 110.0);
        assert!(lines.len() > 1);
        assert_eq!(lines.join(" "), text);
    }
}
