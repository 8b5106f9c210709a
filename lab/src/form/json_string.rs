//! A string of JSON: where in its source each part of what it says stands.

/// Where these bytes of what a string says begin in its source, both without quotation marks. They are in order, and
/// characters begin there.
pub(super) fn places(source: &str, wanted: &[usize]) -> Vec<usize> {
    let mut found = Vec::with_capacity(wanted.len());
    let (mut at, mut n_decoded) = (0, 0);
    while at < source.len() && found.len() < wanted.len() {
        if wanted[found.len()] <= n_decoded {
            found.push(at);
            continue;
        }
        let [length, says] = unit(&source[at..]);
        at += length;
        n_decoded += says;
    }
    found.resize(wanted.len(), source.len());
    found
}

/// Bytes of the first character, as it is written, and as it is.
fn unit(source: &str) -> [usize; 2] {
    let code = |text: &str| {
        let hex = text.strip_prefix("\\u").and_then(|rest| rest.get(..4))?;
        u32::from_str_radix(hex, 16).ok()
    };
    match (source.starts_with('\\'), code(source)) {
        (false, _) => [source.chars().next().map_or(1, char::len_utf8); 2],
        (true, None) => [2, 1],
        (true, Some(first @ 0xd800..=0xdbff)) => match source.get(6..).and_then(code) {
            Some(second @ 0xdc00..=0xdfff) => {
                let whole = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                [12, char::from_u32(whole).map_or(4, char::len_utf8)]
            }
            _ => [6, char::REPLACEMENT_CHARACTER.len_utf8()],
        },
        (true, Some(code)) => [6, char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).len_utf8()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::decoded;

    #[test]
    fn every_part_is_found_in_its_source() {
        let sources = [
            r#""plain""#,
            r#""é\u00e9\n\"\/\\x""#,
            r#""\ud83d\ude00 😀 \ud83d! \ude00 \ud83d\ud83d\ude00""#,
            r#""""#,
            r#""\u0000\u2003end""#,
        ];
        for source in sources {
            let text = decoded(source).unwrap();
            let wanted: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let inner = &source[1..source.len() - 1];
            for (place, at) in places(inner, &wanted).into_iter().zip(&wanted) {
                assert_eq!(decoded(&format!("\"{}\"", &inner[..place])).unwrap(), text[..*at], "{source}");
                assert_eq!(decoded(&format!("\"{}\"", &inner[place..])).unwrap(), text[*at..], "{source}");
            }
        }
    }
}
