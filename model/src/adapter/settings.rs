//! What `adapter_config.json` says: read, or refused by name where it is more than plain LoRA.
//!
//! Everything that is not listed is refused unless it is unset: an adapter whose settings are not understood gives other numbers than
//! PEFT without a word.

use std::path::Path;

use serde_json::{Map, Value};

use super::patterns::{Numbers, Pattern};
use crate::config::keys::Neutral::{Flag, Number, Text};
use crate::config::keys::{Key, KeyList, Neutral, Rule, only, read, shortened};
use crate::{Error, Result};

const OFF: &[Neutral] = &[Flag(false)];

/// Keys of `adapter_config.json`, by PEFT 0.21.
pub(super) const ADAPTER_KEYS: KeyList = KeyList { keys: KEYS, harmless: HARMLESS };

const KEYS: &[Key] = &[
    read("r"),
    read("lora_alpha"),
    read("use_rslora"),
    read("base_model_name_or_path"),
    // which layers are adapted follows from the tensors, which must agree
    read("target_modules"),
    read("exclude_modules"),
    read("layers_to_transform"),
    read("layers_pattern"),
    read("rank_pattern"),
    read("alpha_pattern"),
    only("peft_type", "is another kind of adapter", &[Text("LORA")]),
    only("use_dora", "asks for DoRA", OFF),
    only("use_qalora", "asks for QALoRA", OFF),
    only("use_bdlora", "asks for block-diagonal LoRA", OFF),
    only("fan_in_fan_out", "stores weights transposed", OFF),
    only("bias", "trains biases too", &[Text("none")]),
    only("lora_bias", "adds a bias to the deltas", OFF),
    only("modules_to_save", "replaces whole layers", &[]),
    only("trainable_token_indices", "trains single token embeddings", &[]),
    only("target_parameters", "adapts parameters that are no linear layers", &[]),
    only("layer_replication", "repeats layers of the model", &[]),
    only("alora_invocation_tokens", "works from certain tokens on only", &[]),
    only("alora_invocation_string", "works from certain tokens on only", &[]),
    only("ensure_weight_tying", "adapts tied embeddings", OFF),
    only("megatron_config", "is made for Megatron's layers", &[]),
    only("arrow_config", "routes between adapters", &[]),
    only("kasa_config", "asks for KaSA", &[]),
    only("velora_config", "asks for VeLoRA", &[]),
    only("monteclora_config", "asks for MonteCLoRA", &[]),
    only("enable_lora", "adapts parts of fused layers", &[]),
    only("merge_weights", "is merged already", OFF),
    INIT,
];

/// How deltas began, where that left the model's own weights as they are. PiSSA, OLoRA, CorDA, LoftQ and LoRA-GA take their first
/// deltas out of the weights, so that PEFT changes these when it loads the adapter, or would have to.
const INIT: Key = only(
    "init_lora_weights",
    "began with deltas that were taken out of the model's weights, or in a way that is not known here",
    &[Flag(true), Flag(false), Text("gaussian"), Text("eva"), Text("orthogonal")],
);

const HARMLESS: &[&str] = &[
    "auto_mapping",
    "inference_mode",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "task_type",
    // settings of ways to begin, which are refused by `init_lora_weights` where they change anything
    "corda_config",
    "eva_config",
    "loftq_config",
    "lora_ga_config",
];

/// Value of `target_modules` for all linear layers but the output projection.
const ALL_LINEAR: &str = "all-linear";

/// What is read of a configuration.
#[derive(Debug)]
pub(super) struct Settings {
    /// Of layers without another.
    pub(super) rank: usize,
    alpha: f64,
    is_rank_stabilised: bool,
    ranks: Numbers,
    alphas: Numbers,
    pub(super) base_model: Option<String>,
    targets: Option<Modules>,
    excluded: Option<Modules>,
    layers: Option<Vec<u64>>,
    /// What stands before the numbers that `layers` are; nothing in it: anything.
    before_numbers: Vec<Pattern>,
}

/// Layers by their names.
#[derive(Debug)]
enum Modules {
    /// Those of these names, or whose names end with them.
    Named(Vec<String>),
    /// Those that a pattern matches.
    Matching(Pattern),
    /// All but the output projection.
    AllLinear,
}

impl Modules {
    fn hold(&self, layer: &str) -> std::result::Result<bool, String> {
        let is_named =
            |name: &String| layer == name || layer.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'));
        match self {
            Self::Named(names) => Ok(names.iter().any(is_named)),
            Self::Matching(pattern) => pattern.is(layer),
            Self::AllLinear => Ok(layer.rsplit('.').next() != Some("lm_head")),
        }
    }
}

/// Rank of a layer's delta, and the factor of B A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strength {
    pub(super) rank: usize,
    pub(super) scale: f64,
}

impl Settings {
    /// Reads a configuration that asks for nothing but plain LoRA.
    pub(super) fn read(path: &Path, map: &Map<String, Value>) -> Result<Self> {
        let fields = Fields { path, map };
        if map.get("peft_type").is_none_or(Value::is_null) {
            return Err(fields.problem("peft_type", "is missing"));
        }
        map.iter().try_for_each(|(name, value)| fields.check(name, value))?;
        let rank = map.get("r").and_then(Value::as_f64).and_then(as_rank);
        let alpha = map.get("lora_alpha").and_then(Value::as_f64).filter(|alpha| alpha.is_finite());
        let ranks = fields.numbers("rank_pattern", |number| as_rank(number).is_some(), "ranks")?;
        Ok(Self {
            rank: rank.ok_or_else(|| fields.problem("r", "must be a positive number"))?,
            alpha: alpha.ok_or_else(|| fields.problem("lora_alpha", "must be a number"))?,
            is_rank_stabilised: fields.flag("use_rslora")?,
            ranks,
            alphas: fields.numbers("alpha_pattern", f64::is_finite, "numbers")?,
            base_model: map.get("base_model_name_or_path").and_then(Value::as_str).map(str::to_owned),
            targets: fields.modules("target_modules")?,
            excluded: fields.modules("exclude_modules")?,
            layers: fields.layers()?,
            before_numbers: fields.before_numbers()?,
        })
    }

    /// Rank and factor of layers without others.
    pub(super) fn common(&self) -> Strength {
        self.strength(self.rank, self.alpha)
    }

    /// Rank and factor of a layer.
    pub(super) fn of(&self, path: &Path, layer: &str) -> Result<Strength> {
        let problem = |field: &str, problem| Error::AdapterSetting { path: path.into(), field: field.into(), problem };
        let rank = self.ranks.of(layer).map_err(|fault| problem("rank_pattern", fault))?.and_then(as_rank);
        let alpha = self.alphas.of(layer).map_err(|fault| problem("alpha_pattern", fault))?;
        Ok(self.strength(rank.unwrap_or(self.rank), alpha.unwrap_or(self.alpha)))
    }

    fn strength(&self, rank: usize, alpha: f64) -> Strength {
        let divisor = if self.is_rank_stabilised { (rank as f64).sqrt() } else { rank as f64 };
        Strength { rank, scale: alpha / divisor }
    }

    /// What PEFT would not load of a layer that the weights adapt.
    pub(super) fn problem_with(&self, layer: &str) -> Option<String> {
        self.left_out(layer).unwrap_or_else(Some)
    }

    /// Which setting leaves a layer out.
    fn left_out(&self, layer: &str) -> std::result::Result<Option<String>, String> {
        let said = |text: &str| Ok(Some(text.to_owned()));
        if let Some(targets) = &self.targets
            && !targets.hold(layer).map_err(|fault| format!("`target_modules` {fault}; it does not name"))?
        {
            return said("`target_modules` does not name");
        }
        if let Some(excluded) = &self.excluded
            && excluded.hold(layer).map_err(|fault| format!("`exclude_modules` {fault}; it may name"))?
        {
            return said("`exclude_modules` names");
        }
        let Some(layers) = &self.layers else { return Ok(None) };
        let number = layer.split('.').find_map(|part| part.parse::<u64>().ok());
        if !number.is_some_and(|number| layers.contains(&number)) {
            return said("`layers_to_transform` does not name");
        }
        let fault = |fault| format!("`layers_pattern` {fault}; it does not name");
        let named = self.before_numbers.iter().map(|pattern| pattern.is(layer).map_err(fault));
        let named = named.collect::<std::result::Result<Vec<_>, _>>()?;
        match named.is_empty() || named.contains(&true) {
            true => Ok(None),
            false => said("`layers_pattern` does not name"),
        }
    }
}

/// A rank that a delta can have.
fn as_rank(number: f64) -> Option<usize> {
    const MOST: f64 = 65536.0;
    ((1.0..=MOST).contains(&number) && number.fract() == 0.0).then_some(number as usize)
}

struct Fields<'a> {
    path: &'a Path,
    map: &'a Map<String, Value>,
}

impl Fields<'_> {
    fn problem(&self, field: &str, problem: impl Into<String>) -> Error {
        Error::AdapterSetting { path: self.path.into(), field: field.into(), problem: problem.into() }
    }

    fn check(&self, name: &str, value: &Value) -> Result<()> {
        let is_unset = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(values) => values.is_empty(),
            Value::Object(values) => values.is_empty(),
            value => Number(0.0).is(value),
        };
        let got = shortened(value);
        match ADAPTER_KEYS.rule(name, None) {
            Some(Rule::Read | Rule::Harmless) => Ok(()),
            Some(Rule::Only { neutral, .. }) if value.is_null() || neutral.iter().any(|neutral| neutral.is(value)) => {
                Ok(())
            }
            Some(Rule::Only { neutral: [], .. }) | None if is_unset => Ok(()),
            Some(Rule::Only { meaning, .. }) => Err(self.problem(name, format!("is {got}: it {meaning}"))),
            None => {
                let name = name.escape_debug().to_string();
                Err(self.problem(&name, format!("is {got}, and not known here: it may change what the adapter does")))
            }
        }
    }

    fn flag(&self, field: &str) -> Result<bool> {
        match self.map.get(field) {
            None | Some(Value::Null) => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.problem(field, "must be true or false")),
        }
    }

    /// Layers by a list of names, or by a pattern.
    fn modules(&self, field: &str) -> Result<Option<Modules>> {
        let is_targets = field == "target_modules";
        match self.map.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if is_targets && text.eq_ignore_ascii_case(ALL_LINEAR) => {
                Ok(Some(Modules::AllLinear))
            }
            Some(Value::String(text)) if text.is_empty() && !is_targets => Ok(None),
            Some(Value::String(text)) => {
                let pattern = Pattern::whole(text).map_err(|fault| self.problem(field, fault))?;
                Ok(Some(Modules::Matching(pattern)))
            }
            Some(_) => Ok(Some(Modules::Named(self.texts(field)?))),
        }
    }

    /// A list of texts, or none.
    fn texts(&self, field: &str) -> Result<Vec<String>> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts = match self.map.get(field) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(text).collect(),
            Some(_) => None,
        };
        texts.ok_or_else(|| self.problem(field, "must be a list of names"))
    }

    fn before_numbers(&self) -> Result<Vec<Pattern>> {
        let field = "layers_pattern";
        let texts = match self.map.get(field) {
            Some(Value::String(text)) if text.is_empty() => Vec::new(),
            Some(Value::String(text)) => vec![text.clone()],
            _ => self.texts(field)?,
        };
        let patterns = texts.iter().map(|text| Pattern::before_number(text));
        patterns.collect::<std::result::Result<_, _>>().map_err(|fault| self.problem(field, fault))
    }

    /// Patterns of names with a number each.
    fn numbers(&self, field: &str, is_right: impl Fn(f64) -> bool, what: &str) -> Result<Numbers> {
        let wrong = || self.problem(field, format!("must give patterns of names {what}"));
        let map = match self.map.get(field) {
            None | Some(Value::Null) => return Ok(Numbers::default()),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(wrong()),
        };
        let number = |value: &Value| value.as_f64().filter(|number| is_right(*number)).ok_or_else(wrong);
        let entries = map.iter().map(|(name, value)| Ok((name.as_str(), number(value)?)));
        let entries = entries.collect::<Result<Vec<_>>>()?;
        Numbers::new(entries.into_iter()).map_err(|fault| self.problem(field, fault))
    }

    fn layers(&self) -> Result<Option<Vec<u64>>> {
        let field = "layers_to_transform";
        let layers = match self.map.get(field) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(values)) if values.is_empty() => return Ok(None),
            Some(Value::Array(values)) => values.iter().map(Value::as_u64).collect(),
            Some(value) => value.as_u64().map(|layer| vec![layer]),
        };
        layers.map(Some).ok_or_else(|| self.problem(field, "must be numbers of layers"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(name: &str, value: Value) -> Result<Settings> {
        let mut map = json!({ "peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"] });
        map[name] = value;
        Settings::read(Path::new("adapter_config.json"), map.as_object().unwrap())
    }

    /// A value that is not neutral for any key.
    fn another(neutral: &[Neutral]) -> Value {
        match neutral {
            [Flag(false)] => json!(true),
            [Text(_), ..] | [Flag(_), _, ..] => json!("another"),
            _ => json!({ "q_proj": 3 }),
        }
    }

    #[test]
    fn every_key_is_read_or_refused_by_name() {
        for key in KEYS {
            let Rule::Only { neutral, .. } = key.rule else { continue };
            let error = read(key.name, another(neutral)).unwrap_err();
            assert!(
                matches!(&error, Error::AdapterSetting { field, .. } if field == key.name),
                "{}: {error}",
                key.name
            );
            assert!(error.hint().is_some_and(|hint| hint.contains("merge_and_unload")), "{}", key.name);
            for neutral in neutral {
                let value = match neutral {
                    Flag(flag) => json!(flag),
                    Number(number) => json!(number),
                    Text(text) => json!(text),
                };
                assert!(read(key.name, value).is_ok(), "{}: {neutral}", key.name);
            }
        }
    }

    #[test]
    fn ways_to_begin_that_change_the_model_are_refused() {
        let changing = ["pissa", "pissa_niter_16", "olora", "loftq", "corda", "lora_ga", "mica", "PISSA", "another"];
        for name in changing {
            assert!(read("init_lora_weights", json!(name)).is_err(), "{name}");
        }
        for value in [json!(true), json!(false), json!("gaussian"), json!("orthogonal"), json!("eva"), Value::Null] {
            assert!(read("init_lora_weights", value.clone()).is_ok(), "{value}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_unless_it_is_unset() {
        for value in [Value::Null, json!(false), json!([]), json!({}), json!(0)] {
            assert!(read("new_setting", value.clone()).is_ok(), "{value}");
        }
        for value in [json!(true), json!("x"), json!(1.5), json!([1])] {
            let error = read("new_setting", value).unwrap_err();
            assert!(error.to_string().contains("new_setting"), "{error}");
        }
    }

    #[test]
    fn the_scale_follows_rank_and_strength() {
        assert_eq!(read("use_rslora", json!(true)).unwrap().common().scale, 4.0);
        assert_eq!(read("use_rslora", json!(false)).unwrap().common().scale, 2.0);
        assert!(read("use_rslora", json!("yes")).is_err() && read("r", json!(0)).is_err());
    }

    #[test]
    fn layers_that_peft_would_leave_out_are_noticed() {
        let layer = "model.layers.3.self_attn.q_proj";
        assert_eq!(read("use_rslora", json!(true)).unwrap().problem_with(layer), None);
        for (name, value) in [
            ("target_modules", json!(["v_proj"])),
            ("exclude_modules", json!(["q_proj"])),
            ("layers_to_transform", json!([1, 2])),
            ("layers_to_transform", json!(1)),
        ] {
            assert!(
                read(name, value).unwrap().problem_with(layer).is_some_and(|problem| problem.contains(name)),
                "{name}"
            );
        }
        for (name, value) in [("target_modules", json!("all-linear")), ("layers_to_transform", json!([3]))] {
            assert_eq!(read(name, value).unwrap().problem_with(layer), None, "{name}");
        }
    }
}
