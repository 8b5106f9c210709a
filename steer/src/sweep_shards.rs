//! A sweep whose rows were shared out between machines, put together again: the bytes of the sweep that one machine would have written.

use std::path::{Path, PathBuf};

use redline_probe::shard::{Share, check_complete};
use serde_json::Value;

use crate::sweep_log::{Header, Lines, SCHEMA, first_difference, line, lines_of};
use crate::{Error, Result, SweepRow};

/// Key of the settings that says which part a file is.
pub const SHARD: &str = "shard";

/// Reads a sweep, or all parts of one, in any order.
///
/// # Errors
/// A file that is no sweep; of several, one that is no part, parts of different settings, missing, repeated or unfinished ones.
pub fn read_sweeps(paths: &[PathBuf]) -> Result<(Value, Vec<SweepRow>)> {
    match paths {
        [path] => crate::read_sweep(path),
        _ => {
            let parts = read_parts(paths)?;
            Ok((whole(&parts), parts.into_iter().flat_map(|part| part.lines.rows).collect()))
        }
    }
}

/// The text of the whole sweep.
///
/// # Errors
/// As for [`read_sweeps`].
pub fn merged_sweep(paths: &[PathBuf]) -> Result<String> {
    let parts = read_parts(paths)?;
    let mut text = line(&Header { schema: SCHEMA.into(), settings: whole(&parts) })?;
    parts.iter().for_each(|part| text += &part.lines.text);
    Ok(text)
}

struct Part {
    path: PathBuf,
    share: Share,
    lines: Lines,
}

/// The parts in their order, each of the settings of the others and with all of its rows.
fn read_parts(paths: &[PathBuf]) -> Result<Vec<Part>> {
    let mut parts = paths.iter().map(|path| Part::read(path)).collect::<Result<Vec<_>>>()?;
    let shares: Vec<(PathBuf, Share)> = parts.iter().map(|part| (part.path.clone(), part.share)).collect();
    if let Some((first, others)) = parts.split_first() {
        let settings = without_share(&first.lines.settings);
        for part in others {
            let its = without_share(&part.lines.settings);
            if its != settings {
                let difference = first_difference(&settings, &its);
                return Err(Error::OtherSettings { path: part.path.clone(), difference });
            }
        }
    }
    check_complete(&shares)?;
    parts.sort_by_key(|part| part.share.part);
    parts.iter().try_for_each(Part::check)?;
    Ok(parts)
}

impl Part {
    fn read(path: &Path) -> Result<Self> {
        let lines = lines_of(path)?;
        let share = lines.settings.get(SHARD).cloned().and_then(|share| serde_json::from_value(share).ok());
        let rule = || "is no part of a sweep: its settings have no `shard`".to_owned();
        let share = share.ok_or_else(|| redline_probe::Error::Shards { path: path.into(), rule: rule() })?;
        Ok(Self { path: path.into(), share, lines })
    }

    /// Refuses a part that lacks outputs, or has those of other rows.
    fn check(&self) -> Result<()> {
        let skip = self.lines.settings["skip"].as_u64().unwrap_or(0) as usize;
        let n_arms = self.lines.settings["coefficients"].as_array().map_or(0, Vec::len);
        let expected = self.share.rows().flat_map(|row| std::iter::repeat_n(skip + row, n_arms));
        let mut found = self.lines.rows.iter().map(|row| row.row);
        for row in expected {
            if found.next() != Some(row) {
                let rule = format!("row {row} has not all of its outputs");
                return Err(redline_probe::Error::ShardUnfinished { path: self.path.clone(), rule }.into());
            }
        }
        match found.next() {
            None => Ok(()),
            Some(row) => {
                let rule = format!("holds row {row}, which is not of part {}", self.share);
                Err(redline_probe::Error::Shards { path: self.path.clone(), rule }.into())
            }
        }
    }
}

fn whole(parts: &[Part]) -> Value {
    parts.first().map_or(Value::Null, |part| without_share(&part.lines.settings))
}

fn without_share(settings: &Value) -> Value {
    let Some(settings) = settings.as_object() else { return settings.clone() };
    Value::Object(
        settings.iter().filter(|(key, _)| *key != SHARD).map(|(key, value)| (key.clone(), value.clone())).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SweepLog;
    use crate::sweep_log::tests::row;
    use serde_json::json;
    use tempfile::TempDir;

    /// A sweep of ten rows at two coefficients, or a part of it.
    fn write(folder: &TempDir, name: &str, shard: Option<&str>, without: Option<usize>) -> PathBuf {
        let path = folder.path().join(name);
        let share = shard.unwrap_or("1/1").parse::<redline_probe::shard::Shard>().unwrap().of_rows(10);
        let mut settings = json!({ "coefficients": [0.0, 1.0], "skip": 5, "seed": 1 });
        if shard.is_some() {
            settings[SHARD] = json!(share);
        }
        let mut log = SweepLog::open(&path, &settings).unwrap();
        for number in share.rows().filter(|number| Some(*number) != without) {
            log.append(&[row(5 + number, 0.0), row(5 + number, 1.0)]).unwrap();
        }
        path
    }

    #[test]
    fn parts_give_the_bytes_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let whole = write(&folder, "whole", None, None);
        let parts = ["2/3", "3/3", "1/3"].map(|shard| write(&folder, &shard.replace('/', "of"), Some(shard), None));
        assert_eq!(merged_sweep(&parts).unwrap(), std::fs::read_to_string(&whole).unwrap());
        assert_eq!(read_sweeps(&parts).unwrap(), read_sweeps(&[whole]).unwrap());
    }

    #[test]
    fn what_is_not_the_whole_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["1/2", "2/2"].map(|shard| write(&folder, &shard.replace('/', "of"), Some(shard), None));
        let whole = write(&folder, "whole", None, None);
        let stopped = write(&folder, "stopped", Some("2/2"), Some(7));
        let refused = |paths: &[&PathBuf]| {
            merged_sweep(&paths.iter().map(|path| (*path).clone()).collect::<Vec<_>>()).unwrap_err().to_string()
        };
        assert_eq!(refused(&[&two]), "part 1 of 2 is missing");
        assert!(refused(&[&one, &one]).contains("is part 1/2, as"));
        assert!(refused(&[&one, &whole]).contains("is no part of a sweep"));
        assert!(refused(&[&one, &stopped]).ends_with("row 12 has not all of its outputs"));
        let text = std::fs::read_to_string(&two).unwrap().replace("\"seed\":1", "\"seed\":2");
        std::fs::write(&two, text).unwrap();
        assert!(refused(&[&one, &two]).contains("seed: 1 → 2"));
    }
}
