//! Pictures as PDF, made from their SVG: lines stay lines, and text stays text, in the bundled font.

use std::sync::{Arc, OnceLock};

use svg2pdf::usvg::{Options, Tree, fontdb};
use svg2pdf::{ConversionOptions, PageOptions};

use super::font::FONT;

/// Millimetres of an inch.
const INCH: f64 = 25.4;

/// The bundled font for reading SVG, parsed once.
fn fonts() -> Arc<fontdb::Database> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(FONT.to_vec());
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
}

/// An SVG document of `width` pixels as a page that is `width_mm` wide.
///
/// # Errors
/// What the document's reader or the writer says.
pub(super) fn pdf_of(svg: &str, width: u32, width_mm: f64) -> Result<Vec<u8>, String> {
    let options = Options { fontdb: fonts(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| error.to_string())?;
    let dpi = f64::from(width) / (width_mm / INCH);
    let page = PageOptions { dpi: dpi as f32 };
    svg2pdf::to_pdf(&tree, ConversionOptions::default(), page).map_err(|error| error.to_string())
}
