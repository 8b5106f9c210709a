//! Values of columns as JSON.
//!
//! | Parquet | JSON |
//! |---|---|
//! | text, enumerations | text |
//! | bytes | text where they are UTF-8, else `{"base64": "…"}`, which nobody takes for a text |
//! | whole numbers, also unsigned | numbers |
//! | fractions | numbers; NaN and the infinities, which JSON does not have, are null |
//! | decimals | text with all digits, such as `"12.30"` |
//! | dates, times | text: `2024-02-29`, `23:59:59.5` |
//! | timestamps | text: `2024-02-29T23:59:59.5Z`, without `Z` where they are local |
//! | UUID | text of the usual form |

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::schema::types::Type;
use serde_json::{Value, json};

/// What the values of a column mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What the physical type says.
    Plain,
    Text,
    Unsigned,
    /// Digits behind the point.
    Decimal(u8),
    Date,
    /// Parts of a second.
    Time(i64),
    /// Parts of a second, and whether it is UTC.
    Timestamp(i64, bool),
    Uuid,
    Half,
}

const MILLIS: i64 = 1_000;
const MICROS: i64 = 1_000_000;
const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;
/// Longest decimal in bytes, and most digits behind its point.
const MOST_DECIMAL: usize = 32;

impl Meaning {
    /// The meaning of a column.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(super) fn of(column: &Type) -> Result<Self, String> {
        let info = column.get_basic_info();
        let parts = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => MILLIS,
            TimeUnit::MICROS => MICROS,
            TimeUnit::NANOS => NANOS,
        };
        let is_whole = matches!(column.get_physical_type(), Physical::INT32 | Physical::INT64);
        Ok(match (info.logical_type_ref(), info.converted_type()) {
            (Some(LogicalType::String | LogicalType::Enum | LogicalType::Json), _)
            | (None, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON) => Self::Text,
            (Some(LogicalType::Decimal(decimal)), _) => Self::decimal(column, decimal.scale)?,
            (None, ConvertedType::DECIMAL) => Self::decimal(column, column.get_scale())?,
            (Some(LogicalType::Integer(whole)), _) if !whole.is_signed => Self::Unsigned,
            (
                None,
                ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64,
            ) => Self::Unsigned,
            (Some(LogicalType::Date), _) | (None, ConvertedType::DATE) if is_whole => Self::Date,
            (Some(LogicalType::Time(time)), _) if is_whole => Self::Time(parts(&time.unit)),
            (None, ConvertedType::TIME_MILLIS) => Self::Time(MILLIS),
            (None, ConvertedType::TIME_MICROS) => Self::Time(MICROS),
            (Some(LogicalType::Timestamp(time)), _) if is_whole => {
                Self::Timestamp(parts(&time.unit), time.is_adjusted_to_u_t_c)
            }
            (None, ConvertedType::TIMESTAMP_MILLIS) => Self::Timestamp(MILLIS, true),
            (None, ConvertedType::TIMESTAMP_MICROS) => Self::Timestamp(MICROS, true),
            (Some(LogicalType::Uuid), _) => Self::Uuid,
            (Some(LogicalType::Float16), _) => Self::Half,
            _ => Self::Plain,
        })
    }

    fn decimal(column: &Type, scale: i32) -> Result<Self, String> {
        let scale = u8::try_from(scale).ok().filter(|scale| usize::from(*scale) <= 76);
        scale
            .map(Self::Decimal)
            .ok_or_else(|| format!("column `{}` has decimals of an impossible scale", column.name()))
    }
}

/// A whole number; `bits` of it were stored.
pub(super) fn whole(value: i64, bits: u32, meaning: Meaning) -> Value {
    match meaning {
        Meaning::Unsigned if bits == 32 => json!(value as u32),
        Meaning::Unsigned => json!(value as u64),
        Meaning::Decimal(scale) => decimal_text(&value.to_be_bytes(), scale).into(),
        Meaning::Date => date(value).into(),
        Meaning::Time(parts) => clock(value.rem_euclid(DAY * parts), parts).into(),
        Meaning::Timestamp(parts, is_utc) => timestamp(value, parts, is_utc).into(),
        _ => json!(value),
    }
}

/// The timestamps of old writers: nanoseconds of a Julian day.
pub(super) fn int96(parts: &[u32]) -> Value {
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    let nanos = i64::from(part(0)) | i64::from(part(1) & 0x7fff_ffff) << 32;
    // Julian days begin long before 1970
    let day = i64::from(part(2) as i32) - 2_440_588 + nanos.div_euclid(DAY * NANOS);
    format!("{}T{}", date(day), clock(nanos.rem_euclid(DAY * NANOS), NANOS)).into()
}

/// A fraction; null where JSON has none.
pub(super) fn fraction(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// A fraction of single precision, with the digits that its own precision needs.
pub(super) fn single(value: f32) -> Value {
    fraction(value.to_string().parse().unwrap_or(f64::NAN))
}

/// Bytes by their meaning.
pub(super) fn bytes(bytes: &[u8], meaning: Meaning) -> Value {
    match (meaning, bytes) {
        (Meaning::Decimal(scale), bytes) if !bytes.is_empty() && bytes.len() <= MOST_DECIMAL => {
            decimal_text(bytes, scale).into()
        }
        (Meaning::Uuid, bytes) if bytes.len() == 16 => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-").into()
        }
        (Meaning::Half, &[low, high]) => fraction(half(u16::from_le_bytes([low, high]))),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => json!({ "base64": base64(bytes) }),
        },
    }
}

/// A number of half precision.
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => mantissa * 2_f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + mantissa) * 2_f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// A decimal of any length: two's complement, the highest byte first.
fn decimal_text(bytes: &[u8], scale: u8) -> String {
    let is_negative = bytes.first().is_some_and(|byte| byte & 128 != 0);
    let mut rest = bytes.to_vec();
    if is_negative {
        rest.iter_mut().for_each(|byte| *byte = !*byte);
        for byte in rest.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }
    let mut digits = Vec::new();
    while rest.iter().any(|byte| *byte != 0) {
        let mut left = 0_u16;
        for byte in &mut rest {
            let value = left << 8 | u16::from(*byte);
            *byte = (value / 10) as u8; // `left` is below 10, so this is below 256
            left = value % 10;
        }
        digits.push(char::from(b'0' + left as u8));
    }
    let scale = usize::from(scale);
    while digits.len() <= scale {
        digits.push('0');
    }
    if scale > 0 {
        digits.insert(scale, '.');
    }
    if is_negative {
        digits.push('-');
    }
    digits.iter().rev().collect()
}

/// The day so many days after 1970-01-01, by the proleptic Gregorian calendar.
fn date(days: i64) -> String {
    // eras of 400 years that begin in March, so that the leap day is the last of a year
    let day = days.saturating_add(719_468);
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A time of day, in parts of a second.
fn clock(time: i64, parts: i64) -> String {
    let (seconds, part) = (time / parts, time % parts);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if part == 0 {
        return clock;
    }
    let width = parts.ilog10() as usize;
    format!("{clock}.{}", format!("{part:0width$}").trim_end_matches('0'))
}

fn timestamp(value: i64, parts: i64, is_utc: bool) -> String {
    let day = DAY * parts;
    let zone = if is_utc { "Z" } else { "" };
    format!("{}T{}{zone}", date(value.div_euclid(day)), clock(value.rem_euclid(day), parts))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let three = part.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for at in 0..4 {
            match at <= part.len() {
                true => text.push(char::from(DIGITS[(three >> (18 - 6 * at) & 63) as usize])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_those_of_the_calendar() {
        let found = [0, -1, 11_016, 19_782, -719_528, i64::MAX].map(date);
        assert_eq!(found[..5], ["1970-01-01", "1969-12-31", "2000-02-29", "2024-02-29", "0000-01-01"]);
        let time = |value, parts| timestamp(value, parts, true);
        assert_eq!(time(-1, MILLIS), "1969-12-31T23:59:59.999Z");
        assert_eq!(time(1_709_251_199_500_000, MICROS), "2024-02-29T23:59:59.5Z");
        assert_eq!(timestamp(1, NANOS, false), "1970-01-01T00:00:00.000000001");
        assert!([i64::MIN, i64::MAX].iter().all(|value| time(*value, MILLIS).ends_with('Z')));
        assert_eq!(whole(3_600_000, 32, Meaning::Time(MILLIS)), "01:00:00");
        assert_eq!(int96(&[0, 0, 2_440_589]), "1970-01-02T00:00:00");
    }

    #[test]
    fn decimals_keep_all_digits() {
        assert_eq!(whole(1230, 64, Meaning::Decimal(2)), "12.30");
        assert_eq!(whole(-5, 64, Meaning::Decimal(2)), "-0.05");
        assert_eq!(bytes(&[0], Meaning::Decimal(0)), "0");
        assert_eq!(bytes(&[255, 0], Meaning::Decimal(1)), "-25.6");
        let most = decimal_text(&[255; 16], 0);
        assert_eq!(most, "-1");
        let mut large = vec![127];
        large.extend([255; 15]);
        assert_eq!(decimal_text(&large, 0), i128::MAX.to_string());
        large[0] = 128;
        large[1..].fill(0);
        assert_eq!(decimal_text(&large, 3), "-170141183460469231731687303715884105.728");
    }

    #[test]
    fn bytes_are_text_or_say_that_they_are_none() {
        assert_eq!(bytes("é".as_bytes(), Meaning::Plain), "é");
        assert_eq!(bytes(&[255, 0, 1, 2], Meaning::Text), json!({ "base64": "/wABAg==" }));
        assert_eq!(base64(b"Man"), "TWFu");
        assert_eq!(base64(b"Ma"), "TWE=");
        let uuid = bytes(&[0x12; 16], Meaning::Uuid);
        assert_eq!(uuid, "12121212-1212-1212-1212-121212121212");
        let halves = [0x3c00_u16, 0xc000, 0x0001, 0x7c00].map(|bits| bytes(&bits.to_le_bytes(), Meaning::Half));
        assert_eq!(halves, [json!(1.0), json!(-2.0), json!(2_f64.powi(-24)), Value::Null]);
    }

    #[test]
    fn numbers_that_json_has_not_are_null() {
        assert_eq!([f64::NAN, f64::INFINITY, 1.5].map(fraction), [Value::Null, Value::Null, json!(1.5)]);
        assert_eq!(single(0.1), json!(0.1));
        assert_eq!(single(f32::NEG_INFINITY), Value::Null);
        assert_eq!(whole(-1, 32, Meaning::Unsigned), json!(u32::MAX));
        assert_eq!(whole(-1, 64, Meaning::Unsigned), json!(u64::MAX));
    }
}
