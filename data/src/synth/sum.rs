//! Whole-number arithmetic in facts: `a*b + 2*(c-1)`.

use std::collections::BTreeMap;

/// Evaluates a sum of named and written numbers with `+ - * /` and brackets; `/` must come out even.
pub(super) fn evaluate(text: &str, values: &BTreeMap<String, i64>) -> Result<i64, String> {
    let mut reader = Reader { rest: text, values, depth: 0 };
    let value = reader.sum()?;
    match reader.peek() {
        None => Ok(value),
        Some(symbol) => Err(format!("`{symbol}` is not expected in `{text}`")),
    }
}

struct Reader<'a> {
    rest: &'a str,
    values: &'a BTreeMap<String, i64>,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, symbols: &[char]) -> Option<char> {
        let symbol = self.peek().filter(|symbol| symbols.contains(symbol))?;
        self.rest = &self.rest[symbol.len_utf8()..];
        Some(symbol)
    }

    fn sum(&mut self) -> Result<i64, String> {
        let mut value = self.product()?;
        while let Some(symbol) = self.take(&['+', '-']) {
            let other = self.product()?;
            let result = if symbol == '+' { value.checked_add(other) } else { value.checked_sub(other) };
            value = result.ok_or("a number is too large")?;
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<i64, String> {
        let mut value = self.factor()?;
        while let Some(symbol) = self.take(&['*', '/']) {
            let other = self.factor()?;
            value = match symbol {
                '*' => value.checked_mul(other).ok_or("a number is too large")?,
                _ if value.checked_rem(other) != Some(0) => {
                    return Err(format!("{value} / {other} does not come out even"));
                }
                _ => value / other,
            };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<i64, String> {
        if self.take(&['(']).is_some() {
            self.depth += 1;
            if self.depth > 20 {
                return Err("brackets are too deep".to_owned());
            }
            let value = self.sum()?;
            self.depth -= 1;
            return self.take(&[')']).map(|_| value).ok_or_else(|| "a bracket is not closed".to_owned());
        }
        self.peek();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word.parse::<i64>() {
            Ok(number) => Ok(number),
            Err(_) => {
                self.values.get(word).copied().ok_or_else(|| format!("`{word}` is not a number or a known value"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_follow_the_usual_order() {
        let values = BTreeMap::from([("a".to_owned(), 6), ("b_2".to_owned(), 4)]);
        let value = |text| evaluate(text, &values);
        assert_eq!(value("a + 2*b_2 - 1"), Ok(13));
        assert_eq!(value("(a+b_2) / 5 * 3"), Ok(6));
        assert_eq!(value(" 7 "), Ok(7));
    }

    #[test]
    fn what_cannot_be_computed_is_refused() {
        let rule = |text: &str| evaluate(text, &BTreeMap::new()).unwrap_err();
        assert_eq!(rule("7/2"), "7 / 2 does not come out even");
        assert_eq!(rule("7/0"), "7 / 0 does not come out even");
        assert_eq!(rule("x"), "`x` is not a number or a known value");
        assert_eq!(rule("1 1"), "`1` is not expected in `1 1`");
        assert_eq!(rule("(1"), "a bracket is not closed");
        assert_eq!(rule(""), "`` is not a number or a known value");
        assert_eq!(rule(&"(".repeat(50)), "brackets are too deep");
        assert_eq!(rule("9223372036854775807+1"), "a number is too large");
    }
}
